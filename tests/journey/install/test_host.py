"""What `install.sh` finds on a host: told, asked for, or brought."""

import json
import os
import platform
import shutil
import socket
import sys
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from clawdbot.sandbox.bubblewrap import APPARMOR
from tests.journey.install.host import SCRIPT, Host

TOOLS = (
    *("awk", "bash", "cat", "curl", "cut", "df", "dirname", "env", "find", "grep", "id", "ln"),
    *("ls", "mkdir", "readlink", "rm", "sed", "sha256sum", "sort", "tail", "tar", "tr", "uname"),
    "xargs",
)
WHOLE = f'exec "{sys.executable}" "$@"'
NO_VENV = f'case "$*" in *ensurepip*) exit 1 ;; esac; {WHOLE}'
OLD = f'case "$*" in *"version_info < (3, 11)"*) exit 1 ;; esac; {WHOLE}'
OLD_NO_VENV = f'case "$*" in *3,\\ 11* | *ensurepip*) exit 1 ;; esac; {WHOLE}'

Fake = Callable[[str, str], None]


@pytest.fixture
def bare(tmp_path: Path, host: Host) -> Host:
    """Give a host that has the tools of a bare system and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    return Host(host.home, str(folder))


@pytest.fixture
def fake(bare: Host) -> Fake:
    """Put a command of our own into the search path."""

    def put(name: str, body: str) -> None:
        path = Path(bare.path, name)
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    return put


def test_a_host_is_told_about_not_refused(bare: Host, fake: Fake, sources: Path) -> None:
    fake("uname", 'case "$1" in -s) echo Darwin ;; *) echo riscv64 ;; esac')
    fake("sw_vers", "echo 14.1")
    fake("sysctl", "echo 4294967296")
    fake("df", "echo Filesystem; echo / 100000000 90000000 10000000 90% /")
    fake("shasum", f'shift 2; exec {shutil.which("sha256sum")} "$@"')
    Path(bare.path, "sha256sum").unlink()
    status, said = bare.run(SCRIPT, "--source", sources, "--dry-run")
    assert 0 == status
    assert "Host: macOS 14.1, riscv64, 4.3 GB memory, 10.2 GB free" in said
    assert "8 GB of memory are recommended." in said
    assert "50 GB of free disk are recommended." in said
    assert "For this processor some libraries may not exist ready-made." in said
    assert "A public address is needed only where a platform calls you" in said
    assert "9.9.9-" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay a file over the system's")
@pytest.mark.parametrize(
    ("release", "known"),
    [
        ('ID=ubuntu\nVERSION_ID="18.04"\n', False),
        ('ID=ubuntu\nVERSION_ID="20.04"\n', True),
        ('ID=debian\nVERSION_ID="11"\n', True),
        ("ID=debian\n", True),
        ('ID=fedora\nVERSION_ID="41"\n', False),
        ("ID=arch\n", False),
    ],
)
def test_a_system_that_nobody_tried_is_told(host: Host, release: str, known: bool) -> None:
    file = host.home.parent / "os-release"
    file.write_text(release)
    lay = 'mount --bind "$1" /etc/os-release && shift && exec "$@"'
    status, said = host.run("unshare", "-m", "sh", "-c", lay, "sh", file, SCRIPT, "--dry-run")
    assert 0 == status, said
    assert known == ("clawdbot is made for" not in said)


def test_a_port_in_use_is_told(host: Host) -> None:
    with socket.socket() as taken:
        with suppress(OSError):  # somebody else's will do
            taken.bind(("127.0.0.1", 8080))
            taken.listen()
        status, said = host.run(SCRIPT, "--dry-run", LANG="zh_CN.UTF-8")
    assert 0 == status
    assert "端口 8080 已被占用。" in said
    assert "clawdbot start --port 8081" in said


def test_root_does_not_write_into_the_home_of_another(bare: Host, fake: Fake) -> None:
    fake("id", "echo 0")
    if os.geteuid() == 0:
        os.chown(bare.home, 12345, 12345)
    other = bare.home if os.geteuid() == 0 else Path("/")
    status, said = bare.run(SCRIPT, "--dry-run", HOME=str(other))
    assert 1 == status
    assert "Run this without sudo" in said


def test_an_old_python_is_left_and_another_brought(bare: Host, fake: Fake, sources: Path) -> None:
    fake("python3", OLD)
    fake("bwrap", "exit 0")
    _, said = bare.run(SCRIPT, "--source", sources, "--dry-run")
    assert f"bring Python 3.13 into {bare.prefix}/python" in said
    assert "apt-get" not in said


def test_a_newer_python_beside_the_old_one_is_taken(bare: Host, fake: Fake, sources: Path) -> None:
    fake("python3", OLD)
    fake("python3.12", WHOLE)
    _, said = bare.run(SCRIPT, "--source", sources, "--dry-run")
    assert "make an environment" in said
    assert "bring Python" not in said


@pytest.mark.parametrize(
    ("python", "packages"),
    [
        (NO_VENV, "python3-venv"),
        (OLD_NO_VENV, "python3 python3-venv"),
        ("", "python3 python3-venv"),
    ],
)
def test_the_plan_names_missing_packages(
    bare: Host, fake: Fake, sources: Path, python: str, packages: str
) -> None:
    fake("python3", python or "exit 127")
    _, said = bare.run(SCRIPT, "--source", sources, "--dry-run")
    assert f"apt-get install {packages} (as root, or after asking)" in said


@pytest.fixture
def packaged(bare: Host, fake: Fake) -> Host:
    """Give a user without python3-venv; what apt-get is asked for is written down."""
    fake("python3", NO_VENV)
    fake("id", "echo 1000")
    fake("apt-get", 'echo "$@" >>"$HOME/calls"; exit 1')
    return bare


def test_who_cannot_install_packages_gets_the_one_command(packaged: Host, sources: Path) -> None:
    status, said = packaged.run(SCRIPT, "--source", sources, "--yes")
    assert 1 == status
    assert "su -c 'apt-get install python3-venv'" in said
    assert not (packaged.home / "calls").exists()


def test_without_a_terminal_nobody_consents(packaged: Host, fake: Fake, sources: Path) -> None:
    fake("sudo", 'exec "$@"')
    status, said = packaged.run(SCRIPT, "--source", sources)
    assert 1 == status
    assert "sudo apt-get install python3-venv" in said
    assert not (packaged.home / "calls").exists()


def test_consent_can_be_given_beforehand(packaged: Host, fake: Fake, sources: Path) -> None:
    fake("sudo", 'exec "$@"')
    status, _ = packaged.run(SCRIPT, "--source", sources, "--yes")
    assert 1 == status
    assert calls(packaged)[1].endswith("install --no-install-recommends python3-venv")


@pytest.mark.parametrize(("answer", "asked_for"), [("y", 2), ("n", 0), ("", 0)])
def test_consent_is_asked_on_the_terminal_even_through_a_pipe(
    packaged: Host, fake: Fake, sources: Path, answer: str, asked_for: int
) -> None:
    fake("sudo", 'exec "$@"')
    inner = f"cat '{SCRIPT}' | bash -s -- --source '{sources}'"
    _, said = packaged.run(
        shutil.which("script"), "-qec", inner, "/dev/null", pipe=f"{answer}\n", SHELL="/bin/sh"
    )
    assert 'May I run "sudo apt-get install python3-venv"? [y/N]' in said
    assert asked_for == len(calls(packaged))


def test_a_missing_sandbox_is_told_and_hinders_nothing(
    bare: Host, fake: Fake, sources: Path
) -> None:
    fake("python3", WHOLE)
    _, planned = bare.run(SCRIPT, "--source", sources, "--dry-run")
    assert "apt-get install bubblewrap (as root, or after asking)" in planned
    fake("id", "echo 1000")
    fake("apt-get", 'echo "$@" >>"$HOME/calls"; exit 1')
    status, said = bare.run(SCRIPT, "--source", sources)
    assert 0 == status, said
    assert "Install it: su -c 'apt-get install bubblewrap'" in said
    assert [] == calls(bare)
    fake("sudo", 'exec "$@"')
    status, _ = bare.run(SCRIPT, "--source", sources, "--yes")
    assert (0, 2) == (status, len(calls(bare)))
    assert calls(bare)[1].endswith("install --no-install-recommends bubblewrap")


def test_apparmor_is_told_to_let_bubblewrap_make_boxes(
    bare: Host, fake: Fake, sources: Path
) -> None:
    cat = shutil.which("cat")
    fake("python3", WHOLE)
    fake("id", "echo 1000")
    fake("cat", f'case "$*" in *restrict*userns) echo 1 ;; *) exec {cat} "$@" ;; esac')
    fake("bwrap", "exit 1")
    fake("sudo", 'exec "$@"')
    fake("tee", f'{cat} >"$HOME/profile"; echo "tee $*" >>"$HOME/calls"')
    fake("apparmor_parser", 'echo "parser $*" >>"$HOME/calls"')
    _, planned = bare.run(SCRIPT, "--source", sources, "--dry-run")
    assert "let bubblewrap make boxes, by /etc/apparmor.d/clawdbot-bwrap" in planned
    status, said = bare.run(SCRIPT, "--source", sources)
    assert 0 == status, said
    assert "This names the lines that let it: clawdbot doctor" in said
    assert [] == calls(bare)
    status, said = bare.run(SCRIPT, "--source", sources, "--yes")
    assert 0 == status, said
    profile = "/etc/apparmor.d/clawdbot-bwrap"
    assert [f"tee {profile}", f"parser -r {profile}"] == calls(bare)
    # The command that doctor names writes the same.
    assert (bare.home / "profile").read_text().rstrip() in APPARMOR
    fake("bwrap", "exit 0")
    bare.run(SCRIPT, "--source", sources, "--yes")
    assert 2 == len(calls(bare))


def calls(host: Host) -> list[str]:
    """Tell what the stand-in for apt-get was asked for."""
    file = host.home / "calls"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_python_that_was_brought_runs_clawdbot(bare: Host, fake: Fake, sources: Path) -> None:
    """The real uv brings what a catalogue of ours names: a wrapper around this Python."""
    fake("python3", OLD)
    wrapper = bare.home / "python/bin/python3"
    wrapper.parent.mkdir(parents=True)
    library = bare.home / "python/lib/python3.13"
    library.mkdir(parents=True)
    header = "# system configuration generated and used by the sysconfig module"
    (library / "_sysconfigdata__linux_.py").write_text(f"{header}\nbuild_time_vars = {{}}\n")
    wrapper.write_text(f"#!/bin/sh\n{WHOLE}\n")
    wrapper.chmod(0o755)
    with tarfile.open(bare.home / "python.tar.gz", "w:gz") as archive:
        archive.add(bare.home / "python", "python")
    catalogue = bare.home / "catalogue.json"
    catalogue.write_text(json.dumps(offered(bare.home / "python.tar.gz")))
    status, said = bare.run(
        SCRIPT, "--source", sources, UV_PYTHON_DOWNLOADS_JSON_URL=str(catalogue)
    )
    assert 0 == status, said
    assert "Bringing Python 3.13" in said
    assert 0 == bare.run(bare.launcher, "--version")[0]


def offered(archive: Path) -> dict[str, object]:
    """Describe an interpreter as uv's own catalogue does."""
    machine = platform.machine()
    return {
        f"cpython-3.13.9-linux-{machine}-gnu": {
            "name": "cpython",
            "arch": {"family": machine, "variant": None},
            "os": "linux",
            "libc": "gnu",
            "major": 3,
            "minor": 13,
            "patch": 9,
            "prerelease": "",
            "url": archive.as_uri(),
            "sha256": None,
            "variant": None,
            "build": "20261101",
        }
    }
