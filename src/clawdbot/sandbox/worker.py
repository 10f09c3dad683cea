"""Warm workers: one boxed process per plugin and user, which answers in frames.

Whatever a worker sends is somebody else's: it is read strictly and bounded, and a worker that
breaks the protocol, takes too long or says too much ends with its box; the next call meets another.
"""

import asyncio
import socket
from base64 import b64encode
from binascii import Error as BadBase64
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

import msgspec

from clawdbot import plugins
from clawdbot.domain.errors import PluginFailed
from clawdbot.plugins import frames
from clawdbot.sandbox.profile import FILES_MOST, Bind, Box, Limits
from clawdbot.sandbox.python import PYTHON, PYTHON_BINDS
from clawdbot.sandbox.run import CHANNEL, Process, Sandbox

_LOAD_S = 15.0
_GRACE_S = 0.5
_SAID_MOST = 2000
_PIECE = 1 << 16
_API = Path(plugins.__file__).resolve().parent
# A worker lives long: its calls have their own clock.
_LIMITS = Limits(wall_s=0, cpu_s=0)


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker runs: the main module of a folder, and what it may see and reach beside.

    `functions` are what an owner trusted, as the worker tells them; one that registers others does
    not serve.
    """

    main: str
    folder: str
    more: tuple[str, ...] = ()
    binds: tuple[Bind, ...] = ()
    hosts: tuple[str, ...] = ()
    browser: bool = False
    functions: bytes = b""

    def box(self, lines: Iterable[str] = ()) -> Box:
        """Give its box: the interpreter, our interface, the plugin, what it was granted.

        `lines` name the sockets that it inherits, from descriptor 4 on.
        """
        folders = (self.folder, *self.more)
        named = [f"--{name}={CHANNEL + 1 + at}" for at, name in enumerate(lines)]
        return Box(
            argv=(*PYTHON, "-X", "utf8", str(_API / "inside.py"), *named, self.main, *folders),
            binds=(*PYTHON_BINDS, *map(Bind, (str(_API), *folders)), *self.binds),
            limits=_LIMITS,
        )


Line = socket.socket


class Printed(msgspec.Struct, frozen=True, tag_field="is", tag="printed"):
    """A plugin printed, or failed with a trace."""

    text: str


class Progress(msgspec.Struct, frozen=True, tag_field="is", tag="progress"):
    """A plugin tells how far it is."""

    text: str
    share: float | None = None


class _Manifest(msgspec.Struct, frozen=True, tag_field="is", tag="manifest"):
    functions: msgspec.Raw


class _Broken(msgspec.Struct, frozen=True, tag_field="is", tag="broken"):
    error: str
    text: str
    trace: str = ""


class _File(msgspec.Struct, frozen=True, tag_field="is", tag="file"):
    name: str
    data: bytes


class _Done(msgspec.Struct, frozen=True, tag_field="is", tag="done"):
    id: int
    value: object


class _Failed(msgspec.Struct, frozen=True, tag_field="is", tag="failed"):
    id: int | None
    error: str
    text: str
    trace: str = ""


_Frame = Printed | Progress | _Manifest | _Broken | _File | _Done | _Failed
_DECODER: msgspec.json.Decoder[_Frame] = msgspec.json.Decoder(_Frame)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One call: the function, its arguments, the files that it is given, how long it may take.

    `hosts` and `secrets` are for its browser.
    """

    name: str
    arguments: Mapping[str, object]
    files: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    timeout_s: float = 30.0
    hosts: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, all of it tainted: the value as JSON, and the files."""

    value: object
    files: Mapping[str, bytes]


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """The sockets of a worker by their names (`net`, `browser`), and what goes with each call."""

    lines: Mapping[str, Line] = msgspec.field(default_factory=dict)
    call: Callable[[Order], AbstractAsyncContextManager[None]] = lambda _: nullcontext()


Lines = Callable[[Program], AbstractAsyncContextManager[Around]]  # for as long as a worker lives
Heard = Callable[[Printed | Progress], None]


class Worker:
    """A process that has loaded a plugin; one call at a time."""

    def __init__(self, process: Process, around: Around) -> None:
        self.around = around
        self.calls = 0
        self.idle = True  # nothing of a call is on its way
        self.functions = b""
        self._process = process
        self._buffer = bytearray()
        process.sock.setblocking(False)  # noqa: FBT003 - positional only

    async def load(self, heard: Heard) -> None:
        """Wait for what the plugin registers; raises PluginFailed where it cannot be loaded."""
        try:
            async with asyncio.timeout(_LOAD_S):
                frame = await self._next(heard)
        except TimeoutError as error:
            raise PluginFailed("The plugin took too long to load.") from error
        if isinstance(frame, _Broken):
            heard(Printed(frame.trace))
            raise PluginFailed(f"The plugin cannot be loaded: {frame.error}: {frame.text}")
        if not isinstance(frame, _Manifest):
            raise _strange()
        self.functions = bytes(frame.functions)

    async def call(self, order: Order, heard: Heard) -> Answer:
        """Call a function; raises PluginFailed with what it says, or how it broke off."""
        self.calls += 1
        self.idle = False
        for name, data in order.files.items():
            for at in range(0, max(len(data), 1), frames.PIECE):
                piece = b64encode(data[at : at + frames.PIECE]).decode()
                await self._send({"do": "file", "name": name, "data": piece})
        call = {"do": "call", "id": self.calls, "name": order.name, "arguments": order.arguments}
        await self._send(call)
        files: dict[str, bytes] = {}
        while True:
            match await self._next(heard):
                case _File(name=name, data=data):
                    files[name] = files.get(name, b"") + data
                    if sum(map(len, files.values())) > FILES_MOST:
                        raise PluginFailed("The plugin gives back more than 16 MiB of files.")
                case _Done(id=self.calls, value=value):
                    self.idle = True
                    return Answer(value=value, files=files)
                case _Failed(id=self.calls) as failed:
                    raise self._failure(failed, heard)
                case _Done() | _Failed():
                    pass  # of a call that was given up
                case _:
                    raise _strange()

    async def quiet(self) -> bool:
        """Cancel the call that runs; False where the worker does not end it soon."""
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._send({"do": "cancel"})
                while not self.idle:
                    frame = await self._next(lambda _: None)
                    self.idle = isinstance(frame, _Done | _Failed) and frame.id == self.calls
        except (TimeoutError, PluginFailed):
            return False
        return True

    def _failure(self, failed: _Failed, heard: Heard) -> PluginFailed:
        if not failed.trace:
            self.idle = True  # it was expected, and the worker goes on
            return PluginFailed(failed.text)
        heard(Printed(failed.trace))
        return PluginFailed(f"{failed.error}: {failed.text}")

    async def _send(self, frame: Mapping[str, object]) -> None:
        try:
            data = frames.framed(msgspec.json.encode(frame))
        except frames.OversizedError as error:
            raise PluginFailed("The arguments are larger than 1 MiB.") from error
        try:
            await asyncio.get_running_loop().sock_sendall(self._process.sock, data)
        except OSError as error:
            raise PluginFailed("The plugin ended in the middle of its work.") from error

    async def _next(self, heard: Heard) -> _Frame:
        """Wait for the next frame that is not said aside."""
        for _ in range(_SAID_MOST):
            frame = await self._receive()
            if not isinstance(frame, Printed | Progress):
                return frame
            heard(frame)
        raise PluginFailed("The plugin says too much and was stopped.")

    async def _receive(self) -> _Frame:
        """Wait for a frame; one that is cut short by a cancellation stays whole."""
        try:
            await self._fill(frames.HEAD)
            end = frames.HEAD + frames.length(bytes(self._buffer[: frames.HEAD]))
            await self._fill(end)
            body = bytes(self._buffer[frames.HEAD : end])
            del self._buffer[:end]
            return _DECODER.decode(body)
        except (
            frames.OversizedError,
            msgspec.DecodeError,
            UnicodeError,
            BadBase64,
            RecursionError,
        ) as error:
            raise _strange() from error

    async def _fill(self, size: int) -> None:
        loop = asyncio.get_running_loop()
        while len(self._buffer) < size:
            try:
                data = await loop.sock_recv(self._process.sock, _PIECE)
            except OSError:
                data = b""
            if not data:
                raise PluginFailed("The plugin ended in the middle of its work.")
            self._buffer += data


class _Slot(msgspec.Struct):
    """The place of one worker; what waits here waits for its turn."""

    lock: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    stack: AsyncExitStack = msgspec.field(default_factory=AsyncExitStack)
    worker: Worker | None = None
    busy: bool = False
    used: float = 0.0

    async def close(self) -> None:
        self.worker = None
        await self.stack.aclose()


class Pool:
    """The warm workers: at most `most`, each for `calls` calls, or `idle_s` without one."""

    def __init__(
        self,
        sandbox: Sandbox,
        lines: Lines | None = None,
        *,
        most: int = 8,
        calls: int = 500,
        idle_s: float = 300.0,
    ) -> None:
        self._sandbox = sandbox
        self._lines = lines or _none
        self._most = most
        self._calls = calls
        self._idle_s = idle_s
        self._room = asyncio.Semaphore(most)
        self._slots: dict[tuple[str, ...], _Slot] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Pool"]:
        """End idle workers as long as this lasts, and every worker with it."""
        async with asyncio.TaskGroup() as group:
            sweeping = group.create_task(self._sweep())
            try:
                yield self
            finally:
                sweeping.cancel()
                for slot in self._slots.values():
                    await slot.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._idle_s / 2)
            late = asyncio.get_running_loop().time() - self._idle_s
            for key, slot in list(self._slots.items()):
                if slot.used < late and not slot.lock.locked():
                    del self._slots[key]
                    await slot.close()

    async def functions(self, program: Program, heard: Heard) -> bytes:
        """Tell what a plugin registers, as JSON, in a box of its own that ends with this."""
        async with AsyncExitStack() as stack:
            return (await self._started(program, stack, heard)).functions

    async def call(
        self, key: tuple[str, ...], program: Program, order: Order, heard: Heard
    ) -> Answer:
        """Call a function in the worker of a key (bytes, rights, user); raises PluginFailed."""
        slot = self._slots.setdefault(key, _Slot())
        async with slot.lock, self._room:
            slot.busy = True
            try:
                worker = await self._warm(slot, program, heard)
                return await self._asked(worker, order, heard)
            finally:
                slot.busy, slot.used = False, asyncio.get_running_loop().time()
                if slot.worker and not (slot.worker.idle and slot.worker.calls < self._calls):
                    await slot.close()

    @staticmethod
    async def _asked(worker: Worker, order: Order, heard: Heard) -> Answer:
        try:
            async with asyncio.timeout(order.timeout_s), worker.around.call(order):
                return await worker.call(order, heard)
        except TimeoutError as error:
            raise PluginFailed("The plugin did not answer in time and was stopped.") from error
        except asyncio.CancelledError:
            await worker.quiet()
            raise

    async def _warm(self, slot: _Slot, program: Program, heard: Heard) -> Worker:
        if slot.worker is not None:
            return slot.worker
        warm = [each for each in self._slots.values() if each.worker is not None]
        if len(warm) >= self._most:
            # One at least is idle: there are as many places in the room, and one of them is ours.
            idle = (each for each in warm if not each.busy)
            await min(idle, key=lambda each: each.used).close()
        slot.stack = AsyncExitStack()
        try:
            slot.worker = await self._started(program, slot.stack, heard)
        finally:
            if slot.worker is None:
                await slot.close()
        return slot.worker

    async def _started(self, program: Program, stack: AsyncExitStack, heard: Heard) -> Worker:
        around = await stack.enter_async_context(self._lines(program))
        box = self._sandbox.opened(program.box(around.lines), tuple(around.lines.values()))
        worker = Worker(await stack.enter_async_context(box), around)
        await worker.load(heard)
        if program.functions and worker.functions != program.functions:
            raise PluginFailed("The plugin registers other functions than its owner trusted.")
        return worker


def _strange() -> PluginFailed:
    return PluginFailed("The plugin did not keep to the protocol and was stopped.")


@asynccontextmanager
async def _none(_: Program) -> AsyncIterator[Around]:
    """Lead nowhere."""
    yield Around()
