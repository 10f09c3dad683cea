"""This process and others: the background, signals, a new program in place, the browser.

A process is told to end only after it was seen to hold the lock that names it.
"""

import asyncio
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import msgspec

from clawdbot.domain.errors import Denied

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_START_S = 90.0
_LOOK_EVERY_S = 0.05
_PROC = Path("/proc")


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    """A process in the background: what it told when it was ready, or how it ended before."""

    pid: int
    told: bytes
    code: int


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """Where a service listens; `setup_code` is empty once there is an owner."""

    port: int
    address: str
    setup_code: str

    @property
    def link(self) -> str:
        """Give the address to open: the set-up link while nobody owns the assistant."""
        return f"{self.address}/setup#{self.setup_code}" if self.setup_code else self.address


@contextmanager
def ending(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` at the first signal to end; the next one ends the process at once."""

    def first() -> None:
        for number in _ENDS:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        act()

    with _handled(_ENDS, first):
        yield


@contextmanager
def interrupting(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` at every Ctrl-C."""
    with _handled([signal.SIGINT], act):
        yield


def uninterrupted() -> None:
    """Hear no Ctrl-C from now on: the process ends, and closes what is open first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def launch(arguments: Sequence[str], output: Path) -> Launched:
    """Start ourselves in the background and wait until it is ready, has ended, or takes too long.

    Ready is what it writes to the descriptor that `--ready` names; `output` takes what it prints.
    """
    ours, theirs = os.pipe()
    output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    output.touch(0o600)
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*_ourselves(), *arguments, "--ready", str(theirs)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            pass_fds=[theirs],
            start_new_session=True,
            cwd="/",
        )
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        heard, _, _ = select.select([pipe], [], [], _START_S)
        told = pipe.read() if heard else b""
    code = process.wait() if heard and not told else 0
    return Launched(pid=process.pid, told=told, code=code)


def again(arguments: Sequence[str]) -> NoReturn:
    """Become a fresh `clawdbot`: the same process id and terminal, new code and settings."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = [*_ourselves(), *arguments]
    os.execv(command[0], command)  # noqa: S606 - there is never a shell


def holder(lock: Path) -> int | None:
    """Name the process that holds a lock file (0 where it has not said yet), None if nobody."""
    if not lock.exists():
        return None
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read().strip() or 0)
    return None


def end(pid: int, lock: Path) -> None:
    """Tell the holder of a lock to end; raises Denied where the process does not have it open."""
    if not _has_open(pid, lock):
        raise Denied("The process that uses this data folder is not ours to stop.")
    os.kill(pid, signal.SIGTERM)


async def until(met: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Wait for another process until a condition is met; False where it takes too long."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await met():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(_LOOK_EVERY_S)
    return True


def browse(address: str) -> None:
    """Show an address in the desktop's browser, without waiting for it."""
    program = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if program is None:
        return

    def show() -> None:
        # In a session of its own and without our terminal, which a text browser would take over.
        subprocess.run(
            [program, address],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    threading.Thread(target=show, daemon=True).start()


@contextmanager
def _handled(numbers: Iterable[signal.Signals], act: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _ourselves() -> list[str]:
    # -P: a module in the working folder is never ours.
    return [sys.executable, "-P", "-m", "clawdbot"]


def _has_open(pid: int, file: Path) -> bool:
    if not _PROC.is_dir():
        return pid > 0  # macOS: that the lock is held by whom it names is all that can be known
    wanted = file.stat()

    def same(link: Path) -> bool:
        try:
            return os.path.samestat(link.stat(), wanted)
        except OSError:
            return False

    try:
        return any(map(same, (_PROC / str(pid) / "fd").iterdir()))
    except OSError:
        return False
