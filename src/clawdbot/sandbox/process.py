"""A box as the host sees it: spawned, limited before its program runs, ended whole.

spawn -> the mechanism tells the id of the box's first process on STATUS, and waits
      -> that process gets its limits, and a byte on GO lets it finish the box
      -> it sleeps: now it is bound to die with us, and a line on GATE lets the program begin

Were we killed between the two, the gate would find the pipe closed, and the box would end.
"""

import asyncio
import fcntl
import json
import os
import resource
import signal
import struct
import termios
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

from msgspec import Struct, field

from clawdbot.sandbox.cgroup import Cgroups
from clawdbot.sandbox.profile import Limits

STATUS = 60
GO = 61
GATE = 9  # the other name of GO's pipe; shells know one digit
_ABOVE = 100  # our own ends stand above every number that a child knows them by
_SETUP_S = 10.0
_LOOK_S = 0.0005
_PIECE = 65_536
_DESCRIPTORS = Path("/proc/self/fd")
_PROCESSES = Path("/proc")
_MB = 1_048_576


class Command(Struct, frozen=True, kw_only=True):
    """What a mechanism starts: its arguments, and what it finds at which descriptor.

    `alone` says that its processes are not counted with the user's others.
    """

    argv: list[str]
    files: Mapping[int, bytes] = field(default_factory=dict)
    alone: bool = True


class Child:
    """A box; `pid` is its first process, whose end is the end of everything in it."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.began = False
        self._parent = pid  # of the box, our own child
        self._code = 0
        self._groups = ExitStack()
        self._status = status
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._watches = [os.pidfd_open(pid)]
        self._loop.add_reader(self._watches[0], self._left)

    async def admit(self, limits: Limits, others: int, go: int, cgroups: Cgroups) -> None:
        """Limit the box and let its program begin; ends a box that could not be made."""
        try:
            async with asyncio.timeout(_SETUP_S):
                told = await self._told()
            if told:
                self.pid = json.loads(told)["child-pid"]
                self._watches.append(os.pidfd_open(self.pid))
                for group in self._groups.enter_context(cgroups.made(limits)):
                    group.write_text(str(self.pid), encoding="ascii")
                _limit(self.pid, limits, others)
                os.write(go, b"1")
                async with asyncio.timeout(_SETUP_S):
                    while _unread(go) or (state := _state(self.pid)) not in "SZ":  # noqa: ASYNC110
                        await asyncio.sleep(_LOOK_S)
                self.began = state == "S"
                os.write(go, b"\n")
        except OSError:  # it is no more, or has not come far in time
            self.began = False
            self.kill()

    def kill(self) -> None:
        """End everything in the box; harmless where it has ended."""
        if self._watches:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._watches[-1], signal.SIGKILL)

    async def wait(self) -> int:
        """Wait until nothing of the box lives; gives the program's exit code."""
        return await asyncio.shield(self._ended)

    async def _told(self) -> bytes:
        """Wait for the mechanism's line; nothing where it ended before."""
        while not (line := os.pread(self._status, _PIECE, 0)).endswith(b"\n"):
            if self._ended.done():
                return b""
            await asyncio.sleep(_LOOK_S)
        return line

    def _left(self) -> None:
        """Go on when our child has ended; it may do so a little before the box's first process."""
        self._loop.remove_reader(self._watches[0])
        _, self._code = os.waitpid(self._parent, 0)
        self._loop.add_reader(self._watches[-1], self._end)

    def _end(self) -> None:
        self._loop.remove_reader(self._watches[-1])
        with suppress(ChildProcessError):  # where we are a container's first process it is ours
            os.waitpid(self.pid, os.WNOHANG)
        for descriptor in self._watches:
            os.close(descriptor)
        self._watches.clear()
        self._groups.close()
        self._ended.set_result(os.waitstatus_to_exitcode(self._code))


async def start(
    command: Command, limits: Limits, inherited: Mapping[int, int], cgroups: Cgroups
) -> Child:
    """Start a box whose program inherits these descriptors, each under its number."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a box dies with the thread that spawned it: use the main thread")
    with ExitStack() as ours:
        wait, go = os.pipe()
        # A file: where we are no more, bubblewrap would give up in the middle for a closed pipe.
        status = os.memfd_create("status")
        for descriptor in (go, status):
            ours.callback(os.close, descriptor)
        with ExitStack() as theirs:
            passed = {STATUS: os.dup(status), GO: wait, GATE: wait}
            passed |= {n: memory_file(content) for n, content in command.files.items()}
            for descriptor in set(passed.values()):
                theirs.callback(os.close, descriptor)
            child = Child(_spawn(command.argv, {**inherited, **passed}), status)
        await child.admit(limits, 0 if command.alone else _others(), go, cgroups)
    return child


def memory_file(content: bytes) -> int:
    """Open a file in memory that holds these bytes, at its beginning."""
    descriptor = os.memfd_create("box")
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@asynccontextmanager
async def reading(descriptor: int) -> AsyncIterator[asyncio.StreamReader]:
    """Read a pipe without blocking; closes it."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        yield reader
    finally:
        transport.close()


def _spawn(argv: list[str], passed: Mapping[int, int]) -> int:
    """Start a program in a session of its own: no environment, no descriptor but these."""
    actions: list[tuple[int, int] | tuple[int, int, int]] = []
    with ExitStack() as copies:
        for number, descriptor in passed.items():
            copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
            copies.callback(os.close, copy)
            actions.append((os.POSIX_SPAWN_DUP2, copy, number))
        # Whoever started us may have left some open that a child would get.
        actions += [(os.POSIX_SPAWN_CLOSE, strange) for strange in _inheritable() - passed.keys()]
        return os.posix_spawn(argv[0], argv, {}, file_actions=actions, setsid=True)


def _inheritable() -> set[int]:
    found = set()
    for entry in _DESCRIPTORS.iterdir():
        with suppress(OSError):  # the listing's own is closed by now
            if os.get_inheritable(int(entry.name)):
                found.add(int(entry.name))
    return found


def _unread(pipe: int) -> int:
    """Count the bytes in a pipe that nobody has read yet."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


def _state(pid: int) -> str:
    """Tell what the kernel says that a process does: R, S, D, Z ..."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]


def _others() -> int:
    """Count the user's processes and threads, which the kernel counts with a box's."""
    count = 0
    for place in _PROCESSES.iterdir():
        with suppress(OSError):
            if place.name.isdecimal() and place.stat().st_uid == os.getuid():
                count += len(list((place / "task").iterdir()))
    return count


def _limit(pid: int, limits: Limits, others: int) -> None:
    for what, most in {
        resource.RLIMIT_AS: limits.memory_mb * _MB,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_FSIZE: limits.file_mb * _MB,
        resource.RLIMIT_NOFILE: limits.files,
        resource.RLIMIT_NPROC: limits.processes and limits.processes + others,
    }.items():
        if most:
            resource.prlimit(pid, what, (most, most))
    resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
