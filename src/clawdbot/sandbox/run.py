"""The only door to processes: run a box to its end, or hold one open and talk to it.

A box starts from the main thread and dies with it, on kill -9 too.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from clawdbot.domain.errors import SandboxRefused, ToolFailed
from clawdbot.sandbox.bubblewrap import Bubblewrap
from clawdbot.sandbox.cgroup import Cgroups
from clawdbot.sandbox.landlock import Landlock
from clawdbot.sandbox.process import Child, Command, memory_file, reading, start
from clawdbot.sandbox.profile import Box, Limits
from clawdbot.sandbox.selftest import Maker, Mechanism, examine

SEARCH = "/usr/local/bin:/usr/bin:/bin"
CHANNEL = 3
_PIECE = 65_536


class Outcome(Struct, frozen=True, kw_only=True):
    """How a box ended; `timed_out` and `truncated` say that a limit ended it."""

    code: int
    out: bytes
    err: bytes
    timed_out: bool = False
    truncated: bool = False


class Process:
    """A box that runs on: `sock` is the other end of its descriptor 3, `output` what it prints."""

    def __init__(self, child: Child, sock: socket.socket, output: asyncio.StreamReader) -> None:
        self._child = child
        self.pid = child.pid
        self.sock = sock
        self.output = output

    def kill(self) -> None:
        """End it and everything that it started."""
        self._child.kill()

    async def wait(self) -> int:
        """Wait until nothing of it lives; gives its exit code."""
        return await self._child.wait()


class Sandbox:
    """Makes boxes by the best mechanism that its self-test finds good, tried at the first use.

    `folder` is its own; `makers` are the mechanisms, the best first, where not those of the host.
    """

    def __init__(self, folder: Path, makers: Sequence[Maker] | None = None) -> None:
        self._folder = folder
        self._makers: Sequence[Maker] = makers or (Bubblewrap(folder, SEARCH), Landlock(folder))
        self._testing = asyncio.Lock()
        self._found: tuple[Mechanism, ...] = ()

    @cached_property
    def _cgroups(self) -> Cgroups:
        return Cgroups()

    async def mechanisms(self) -> tuple[Mechanism, ...]:
        """Tell what each mechanism is worth on this host, the best first."""
        async with self._testing:
            if not self._found:
                self._found = await self._examine()
        return self._found

    async def run(
        self, box: Box, stdin: bytes = b"", sockets: Sequence[socket.socket] = ()
    ) -> Outcome:
        """Run a box to its end, which its limits may bring; sockets become descriptors 4, 5, ...

        Raises SandboxRefused where nothing isolates, BadInput for a bind that no box may have, and
        ToolFailed where what it is to see is not there; a program that is not there ends with 127.
        """
        return await self._run((await self._chosen()).command(box), box.limits, stdin, sockets)

    @asynccontextmanager
    async def opened(
        self, box: Box, sockets: Sequence[socket.socket] = (), *, stdio: bool = False
    ) -> AsyncIterator[Process]:
        """Hold a box open; it ends with this context. With `stdio`, `sock` is its 0 and 1 instead.

        It knows no wall clock; whoever talks to it decides how long to wait.
        """
        command = (await self._chosen()).command(box)
        ours, channel = socket.socketpair()
        out, printed = os.pipe()
        theirs = channel.detach()
        given = (
            {0: theirs, 1: os.dup(theirs), 2: printed}
            if stdio
            else {0: memory_file(b""), 1: printed, 2: os.dup(printed), CHANNEL: theirs}
        )
        with ours:
            async with reading(out) as output:
                child = await self._start(command, box.limits, given, sockets)
                try:
                    yield Process(child, ours, output)
                finally:
                    child.kill()
                    await child.wait()

    async def moves(self) -> bool:
        """Tell whether a box can see a path elsewhere than where the host has it."""
        return isinstance(await self._chosen(), Bubblewrap)

    async def _chosen(self) -> Maker:
        for maker, mechanism in zip(self._makers, await self.mechanisms(), strict=True):
            if mechanism.usable:
                return maker
        raise SandboxRefused

    async def _examine(self) -> tuple[Mechanism, ...]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        canary = self._folder / "canary"
        canary.write_text("no box can read this", encoding="ascii")

        async def run(command: Command, limits: Limits) -> bytes:
            return (await self._run(command, limits)).out

        # Side by side: whoever waits for a first box, or for the first overview, waits for all.
        found = await asyncio.gather(*(examine(maker, canary, run) for maker in self._makers))
        return tuple(found)

    async def _run(
        self,
        command: Command,
        limits: Limits,
        stdin: bytes = b"",
        sockets: Sequence[socket.socket] = (),
    ) -> Outcome:
        (out, theirs_out), (err, theirs_err) = os.pipe(), os.pipe()
        given = {0: memory_file(stdin), 1: theirs_out, 2: theirs_err}
        async with reading(out) as printed, reading(err) as complained:
            child = await self._start(command, limits, given, sockets)
            capture = _Capture(child, limits.output_bytes)
            try:
                async with asyncio.TaskGroup() as group:
                    texts = [group.create_task(capture.read(r)) for r in (printed, complained)]
                    timed_out = not await _ends_within(child, limits.wall_s)
            finally:
                code = await child.wait()
        outs, errs = (text.result() for text in texts)
        if not child.began and not timed_out and not capture.truncated:
            raise ToolFailed(_last_line(errs))
        return Outcome(
            code=code, out=outs, err=errs, timed_out=timed_out, truncated=capture.truncated
        )

    async def _start(
        self,
        command: Command,
        limits: Limits,
        given: Mapping[int, int],
        sockets: Sequence[socket.socket],
    ) -> Child:
        """Start a box; what is given it is closed here, the sockets stay their owner's."""
        with ExitStack() as stack:
            for descriptor in given.values():
                stack.callback(os.close, descriptor)
            more = {CHANNEL + 1 + n: sock.fileno() for n, sock in enumerate(sockets)}
            return await start(command, limits, {**given, **more}, self._cgroups)


class _Capture:
    """What a box prints, up to a limit for all of it; more ends the box."""

    def __init__(self, child: Child, most: int) -> None:
        self._child = child
        self._left = most or float("inf")
        self.truncated = False

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        kept = bytearray()
        while piece := await reader.read(_PIECE):
            fits = piece[: int(min(self._left, len(piece)))]
            kept += fits
            self._left -= len(fits)
            if len(fits) < len(piece):
                self.truncated = True
                self._child.kill()
        return bytes(kept)


async def _ends_within(child: Child, seconds: float) -> bool:
    """Wait for a box's end and bring it; False where it came too late."""
    try:
        async with asyncio.timeout(seconds or None):
            await child.wait()
    except TimeoutError:
        return False
    finally:
        child.kill()
    return True


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no reason was given"
