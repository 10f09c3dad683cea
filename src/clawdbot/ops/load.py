"""What the service takes of its machine: processor, memory, and the room on its disk."""

import os
import resource
import shutil
import sys
from pathlib import Path

import msgspec

from clawdbot.domain.ports import Clock

_MIB, _GIB = 1024**2, 1024**3
_OWN = Path("/proc/self/statm")
# A shorter stretch says more about the clock than about the load.
_STRETCH_S = 1.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What the service takes: percent of one core, memory, and the room on its disk."""

    cpu: int
    memory_mb: int
    disk_free_gb: float
    disk_gb: int


class Meter:
    """Measures between its readings."""

    def __init__(self, clock: Clock, home: Path) -> None:
        """Begin now; the disk is the one that `home` is on."""
        self._clock = clock
        self._home = home
        self._seen = (clock.monotonic(), _spent())
        self._percent = 0

    def read(self) -> Load:
        """Tell how things are; `cpu` since the reading before, at least a second ago."""
        now, spent = self._clock.monotonic(), _spent()
        if (passed := now - self._seen[0]) >= _STRETCH_S:
            self._percent = round(100 * (spent - self._seen[1]) / passed)
            self._seen = now, spent
        disk = shutil.disk_usage(self._home)
        return Load(
            cpu=self._percent,
            memory_mb=_memory() // _MIB,
            disk_free_gb=disk.free // (_GIB // 10) / 10,
            disk_gb=disk.total // _GIB,
        )


def _spent() -> float:
    """Tell the processor time of this process, in seconds."""
    times = os.times()
    return times.user + times.system


def _memory() -> int:
    """Tell the memory in use, in bytes; where it cannot be read, the most it ever was."""
    if _OWN.exists():
        return int(_OWN.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
