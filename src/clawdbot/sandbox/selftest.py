"""Does a mechanism isolate on this host? A short battery in one of its boxes decides.

What opens is not used, and the reason and the line that mends it are kept for who asks.
"""

import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import SubprocessError
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from clawdbot.domain.errors import Failure
from clawdbot.sandbox.profile import Box, Limits
from clawdbot.sandbox.python import PYTHON, PYTHON_BINDS

if TYPE_CHECKING:
    from clawdbot.sandbox.process import Command

# A few of everything, so that the limits can be met in milliseconds.
_LIMITS = Limits(wall_s=10, cpu_s=5, memory_mb=256, processes=6, files=64, file_mb=1, tmp_mb=1)
_ROOTED = "Nothing limits root's processes here. Run clawdbot as an ordinary user."


class Maker(Protocol):
    """A mechanism: it turns boxes into commands."""

    @property
    def name(self) -> str:
        """What users call it."""

    def command(self, box: Box) -> "Command":
        """Give the command that makes a box."""

    def remedy(self) -> str:
        """Give the line that mends the host, where one is known."""


class Mechanism(Struct, frozen=True, kw_only=True):
    """What the self-test found: why it is not usable, and each probe, True where it was stopped."""

    name: str
    usable: bool
    reason: str = ""
    remedy: str = ""
    probes: dict[str, bool] = {}

    @property
    def opened(self) -> list[str]:
        """Name the probes that were not stopped."""
        return [name for name, stopped in self.probes.items() if not stopped]


async def examine(
    maker: Maker, canary: Path, run: "Callable[[Command, Limits], Awaitable[bytes]]"
) -> Mechanism:
    """Run the probes in a box; one that is not stopped makes the mechanism unusable."""
    if sys.platform != "linux":
        return Mechanism(name=maker.name, usable=False, reason="Only Linux has this mechanism yet.")
    box = Box(argv=_program(canary), binds=PYTHON_BINDS, limits=_LIMITS)
    try:
        said = await run(maker.command(box), _LIMITS)
        found = {name: bool(stopped) for name, stopped in json.loads(said).items()}
    except (Failure, OSError, SubprocessError) as error:
        return Mechanism(name=maker.name, usable=False, reason=str(error), remedy=maker.remedy())
    except ValueError:
        return Mechanism(name=maker.name, usable=False, reason="The self-test broke off.")
    return Mechanism(
        name=maker.name,
        usable=bool(found) and all(found.values()),
        reason=_ROOTED if os.getuid() == 0 and not found.get("processes") else "",
        probes=found,
    )


def _program(canary: Path) -> tuple[str, ...]:
    code = Path(__file__).with_name("probes.py").read_text(encoding="utf-8")
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return (*PYTHON, "-c", code, str(canary), str(os.getpid()), str(namespace))
