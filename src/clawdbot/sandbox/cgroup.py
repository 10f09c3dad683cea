"""Limits for all of a box together, where the host lets us make control groups.

It does for root, and for a service whose unit says `Delegate=yes`. Elsewhere the limits of each
process are all there is; the self-test tells whether they are enough.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clawdbot.sandbox.profile import Limits

MOUNT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_WANTED = {"memory", "pids"}
_MB = 1_048_576


class Cgroups:
    """Makes a group for a box beneath each folder that takes one; empty where none does."""

    def __init__(self, mount: Path = MOUNT) -> None:
        self._numbers = itertools.count()
        self._name = f"clawdbot-{os.getpid()}-{os.urandom(4).hex()}"
        self._parents = [place for place in _parents(mount) if _takes_groups(place)]
        for parent in self._parents:
            _sweep(parent)

    @contextmanager
    def made(self, limits: Limits) -> Iterator[list[Path]]:
        """Make the groups of a box, into which its first process is to be written."""
        number = next(self._numbers)
        folders = [parent / f"{self._name}-{number}" for parent in self._parents]
        try:
            for folder in folders:
                folder.mkdir()
                _limit(folder, limits)
            yield [folder / "cgroup.procs" for folder in folders]
        finally:
            for folder in folders:
                with suppress(OSError):  # its zombies leave when somebody reaps them
                    folder.rmdir()


def _parents(mount: Path) -> Iterator[Path]:
    if not _OWN.exists():
        return  # not Linux
    paths = dict(line.split(":", 2)[1:] for line in _OWN.read_text(encoding="utf-8").splitlines())
    if (mount / "cgroup.controllers").exists():
        own = mount / paths.get("", "/").lstrip("/")
        yield from filter(_has_controllers, [own if _delegate(own) else mount])
    else:
        for name in sorted(_WANTED):
            if name in paths:
                yield mount / name / paths[name].lstrip("/")


def _has_controllers(folder: Path) -> bool:
    return set((folder / "cgroup.subtree_control").read_text(encoding="ascii").split()) >= _WANTED


def _delegate(own: Path) -> bool:
    """Move ourselves into a leaf of our unit's group, so that it may have others beside it."""
    if own.suffix != ".service" or not os.access(own / "cgroup.procs", os.W_OK):
        return False
    try:
        (own / "self").mkdir(exist_ok=True)
        (own / "self" / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        (own / "cgroup.subtree_control").write_text("+memory +pids", encoding="ascii")
    except OSError:
        return False
    return True


def _takes_groups(parent: Path) -> bool:
    return os.access(parent, os.W_OK) and os.access(parent / "cgroup.procs", os.W_OK)


def _limit(folder: Path, limits: Limits) -> None:
    own = limits.memory_mb + limits.tmp_mb if limits.memory_mb else 0
    memory = (limits.total_mb or own) * _MB
    for name, most in {
        "memory.limit_in_bytes": memory,
        "memory.max": memory,
        "memory.swap.max": 0,
        "pids.max": limits.processes,
    }.items():
        if (folder / name).exists() and (most or name == "memory.swap.max"):
            (folder / name).write_text(str(most), encoding="ascii")


def _sweep(parent: Path) -> None:
    """Remove what a process of ours left that was killed."""
    for folder in parent.glob("clawdbot-*-*-*"):
        if not Path("/proc", folder.name.split("-")[1]).exists():
            with suppress(OSError):
                folder.rmdir()
