"""The command line as a person has it: real processes, a service that runs, a pseudo-terminal.

Whatever is started here ends with its `with` block.
"""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fakes import forked
from tests.patience import PATIENCE_S

SETTINGS = """\
gateway: {port: 0}
providers: {model: {protocol: scripted, script: SCRIPT}}
model_routing: {default: {provider: model}}
"""
SCRIPT = """\
- {when: slow, say: "one two three four five six seven eight nine ten", pause_s: 20}
- {when: colour, say: "a\\e[31mb"}
- {when: facts, calls: [{tool: NoSuchTool}], then: "It says: {result}"}
"""

# Whoever has a terminal of their own is interrupted by its Ctrl-C.
_OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
_ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][A-Z0-9]|[=>78])|\r")


def scripted(home: Path) -> None:
    """Write settings into a home folder: a free port, a model that plays a script."""
    script = home / "script.yaml"
    script.write_text(SCRIPT)
    (home / "clawdbot.yaml").write_text(SETTINGS.replace("SCRIPT", str(script)))


def hurried(home: Path) -> None:
    """Have the model of the next life play without pauses."""
    script = home / "script.yaml"
    script.write_text(re.sub(r", pause_s: \d+", "", script.read_text()))


def ended(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    """Send a signal and tell how the process ended."""
    process.send_signal(number)
    return process.wait(PATIENCE_S)


@contextlib.contextmanager
def running(environ: dict[str, str], *args: str) -> Iterator[subprocess.Popen[str]]:
    """Run `clawdbot start` in the foreground; its first line has been read."""
    with started(environ, "start", "--no-browser", *args) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert "Clawdbot runs." in first, process.communicate()
        yield process


@contextlib.contextmanager
def started(environ: dict[str, str], *args: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command; it is killed at the latest with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "clawdbot", *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def fed(
    environ: dict[str, str], text: str, *args: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end with a text on standard input.

    It is forked; a setting for the interpreter needs one of its own.
    """
    if {name for name in environ if name.startswith("PYTHON")} == {"PYTHONPATH"}:
        return forked.run(args, environ, folder or Path.cwd(), text, PATIENCE_S)
    return whole(environ, text, *args, folder=folder)


def whole(
    environ: dict[str, str], text: str, *args: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-m", "clawdbot", *args],
        capture_output=True,
        check=False,
        cwd=folder,
        env=environ,
        input=text,
        text=True,
        timeout=PATIENCE_S,
    )


class Screen:
    """What a program in a pseudo-terminal has shown, and its keyboard."""

    def __init__(self, file: int, process: subprocess.Popen[bytes]) -> None:
        """Look at the terminal's other end."""
        self.process = process
        self._file = file
        self._raw = b""
        self._waited = 0

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._file, keys.encode())

    def wait_for(self, text: str) -> str:
        """Wait until a text is shown after the last one waited for; return what stands before."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self._news:
            assert self._read(deadline), f"{text!r} is not in {self._news!r}"
        before = self._news.partition(text)[0]
        self._waited += len(before) + len(text)
        return before

    @property
    def _news(self) -> str:
        return _ESCAPES.sub(b"", self._raw).decode(errors="replace")[self._waited :]

    def interrupt(self, every_s: float = 0.5) -> int:
        """Press Ctrl-C until the program ends: just before it waits for a key, one may be lost."""
        for _ in range(round(PATIENCE_S / every_s)):
            self.type("\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(every_s)
        return self.end()

    def end(self) -> int:
        """Wait for the program's end and tell how it ended."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE_S)

    def _read(self, deadline: float) -> bool:
        """Read what is shown next; False at the end, or where nothing comes in time."""
        ready, _, _ = select.select([self._file], [], [], max(0, deadline - time.monotonic()))
        try:
            data = os.read(self._file, 65536) if ready else b""
        except OSError:  # Linux: the other end is closed
            data = b""
        self._raw += data
        return bool(data)


@contextlib.contextmanager
def shown(environ: dict[str, str], *args: str) -> Iterator[Screen]:
    """Run a command in a pseudo-terminal of 100 columns."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-c", _OWN_TERMINAL, sys.executable, "-m", "clawdbot", *args],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environ | {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            yield Screen(ours, process)
        finally:
            process.kill()
            os.close(ours)
