"""The interpreter for Python in a box: ours, without what is installed beside it."""

import sys
from importlib.util import find_spec
from pathlib import Path

from clawdbot.sandbox.profile import Bind

_EXECUTABLE = Path(getattr(sys, "_base_executable", sys.executable)).resolve()

# Isolated, without site-packages and byte code: it starts in 10 ms and imports only itself.
PYTHON = (str(_EXECUTABLE), "-I", "-S", "-B")
PYTHON_BINDS = (Bind(host=sys.base_prefix),)


def selenium() -> tuple[str, ...]:
    """Name the folder that Selenium is installed in, for browser tasks; none where it is not."""
    found = find_spec("selenium")
    return (str(Path(found.origin).parents[1]),) if found and found.origin else ()
