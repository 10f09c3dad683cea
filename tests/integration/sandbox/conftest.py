"""A sandbox of the real mechanisms, and Python in its boxes."""

from pathlib import Path

import pytest

from clawdbot.sandbox.profile import Bind, Box, Limits
from clawdbot.sandbox.python import PYTHON, PYTHON_BINDS
from clawdbot.sandbox.run import Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox")


def python(code: str, *binds: Bind, limits: Limits | None = None) -> Box:
    return Box(argv=(*PYTHON, "-c", code), binds=(*PYTHON_BINDS, *binds), limits=limits or Limits())
