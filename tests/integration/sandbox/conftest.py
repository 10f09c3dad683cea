"""Sandboxes of the real mechanisms, and Python in their boxes."""

import select
import time
from contextlib import suppress
from pathlib import Path

import pytest

from clawdbot.sandbox.bubblewrap import Bubblewrap
from clawdbot.sandbox.landlock import Landlock
from clawdbot.sandbox.profile import Bind, Box, Limits
from clawdbot.sandbox.python import PYTHON, PYTHON_BINDS
from clawdbot.sandbox.run import SEARCH, Sandbox
from tests.patience import PATIENCE_S


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """Give the sandbox as the product makes it."""
    return Sandbox(tmp_path / "sandbox")


@pytest.fixture(params=["bubblewrap", "landlock"])
def each(tmp_path: Path, request: pytest.FixtureRequest) -> Sandbox:
    """Give a sandbox that has one mechanism only, each in turn."""
    ours = tmp_path / "sandbox"
    maker = Bubblewrap(ours, SEARCH) if request.param == "bubblewrap" else Landlock(ours)
    return Sandbox(ours, [maker])


def python(code: str, *binds: Bind, limits: Limits | None = None) -> Box:
    return Box(argv=(*PYTHON, "-c", code), binds=(*PYTHON_BINDS, *binds), limits=limits or Limits())


def still_there(mark: str) -> list[int]:
    """Wait for the end of the processes with a mark on their command line; list who stays."""
    deadline = time.monotonic() + PATIENCE_S
    while (left := marked(mark)) and time.monotonic() < deadline:
        select.select([], [], [], 0.01)
    return left


def marked(mark: str) -> list[int]:
    """List the living processes with a mark on their command line."""
    found = []
    for place in Path("/proc").iterdir():
        with suppress(OSError):
            if place.name.isdecimal() and mark.encode() in (place / "cmdline").read_bytes():
                found.append(int(place.name))
    return found
