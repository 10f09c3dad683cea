"""What the figures depend on: the machine, its file system, and what the libraries weigh."""

import hashlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.table import Row
from tests.fakes.serving import ROOT

LOCK = ROOT / "requirements.lock"
# What every environment has, and what only the installer needs.
_NOT_OURS = ("pip", "setuptools", "_distutils_hack", "distutils-precedence", "pkg_resources")
_SYNCS = 200


def described() -> str:
    """Name the processors and the Python."""
    load = os.getloadavg()[0]
    python = platform.python_version()
    return f"{os.cpu_count()} processors, load {load:.1f}, {platform.machine()}, Python {python}"


def filesystem(folder: Path) -> str:
    """Name the file system that a folder is on (proc(5), mounts)."""
    found = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        if folder.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


def sync_ms(folder: Path) -> float:
    """Measure what one fdatasync of a page takes, in the middle."""
    taken: list[float] = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def size_row() -> Row:
    """Weigh `requirements.lock` in an environment of its own, byte code included.

    It is made once and kept in the temporary folder.
    """
    mark = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    environment = Path(tempfile.gettempdir()) / f"clawdbot-bench-{mark}"
    if not (environment / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        pip = (environment / "bin" / "python", "-m", "pip", "install", "--quiet")
        subprocess.run([*pip, "--require-hashes", "--requirement", LOCK], check=True)
        (environment / "ready").touch()
    [packages] = environment.glob("lib/python*/site-packages")
    ours = [path for path in packages.iterdir() if not path.name.startswith(_NOT_OURS)]
    files = [file for path in ours for file in (path, *path.rglob("*")) if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    name = "site-packages of requirements.lock"
    return Row(name=name, unit="MB", ours=size, goal=70, peer="115 MB")
