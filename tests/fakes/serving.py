"""What the stand-in servers share: a port on loopback, the log, the faults, the control side.

Knows no protocol: a server gives its routes, its control commands and its form of an error.
"""

import asyncio
import contextlib
import signal
import sys
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Self

import msgspec
from aiohttp import web

from tests.fakes.control import ClearFaults, LogView, LookLog, Order, Release, SetFault, Watched
from tests.fakes.faults import CUT, Changes, Fault, Faults, Json, RequestLog

ROOT = Path(__file__).resolve().parents[2]
GRACE_S = 0.05
START_S = 20.0
MAX_BODY = 64 * 1024 * 1024


class Cut(web.Response):
    """The answer of a request whose connection was cut."""


class Served(Watched):
    """A server on a loopback port while its `async with` block runs."""

    stops_when_left = False

    def __init__(self, *, port: int = 0) -> None:
        """Prepare to listen on `port`; 0 takes a free one."""
        self.port = port
        self.changes = Changes()
        self.requests = RequestLog(self.changes)
        self.faults = Faults(self.changes)

    @property
    def url(self) -> str:
        """The address without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/_control/do", self._control)
        self.add_routes(app)
        app.router.add_route("*", "/{unknown:.*}", self._unknown)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=GRACE_S,
            handler_cancellation=self.stops_when_left,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and let go what is held."""
        self.faults.clear()
        await self._runner.cleanup()

    @abstractmethod
    def add_routes(self, app: web.Application) -> None:
        """Add the protocol's routes."""

    @abstractmethod
    async def control(self, body: bytes) -> bytes:
        """Carry out one encoded control command."""

    async def look_log(self, look: LookLog) -> LogView:
        """Return the log once it is newer than `look.after`."""
        version = await self.changes.wait(look.after, look.timeout_s)
        entries = self.requests.since(look.since)
        return LogView(version=version, entries=entries, held=self.faults.held)

    async def tell(self, order: Order) -> None:
        """Carry out an order about faults."""
        match order:
            case SetFault():
                self.faults.add(order.fault)
            case ClearFaults():
                self.faults.clear()
            case Release():
                self.faults.release()

    async def control_common(self, command: Order | LookLog) -> bytes:
        """Carry out a control command that every server knows."""
        if isinstance(command, LookLog):
            return msgspec.json.encode(await self.look_log(command))
        await self.tell(command)
        return b"null"

    @abstractmethod
    def refusal(self, request: web.Request, fault: Fault) -> web.Response:
        """Give a fault's status the protocol's form."""

    async def exchange(
        self,
        request: web.Request,
        method: str,
        body: Json,
        act: Callable[[], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Log one request, have its faults, and otherwise `act`."""
        entry = self.requests.open(method, body, dict(request.headers))
        status = CUT
        try:
            response = await self._with_faults(request, method, body, act)
            status = CUT if isinstance(response, Cut) else response.status
            return response
        finally:
            self.requests.close(entry, status)

    async def _with_faults(
        self,
        request: web.Request,
        method: str,
        body: Json,
        act: Callable[[], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        if self.faults.is_down():
            return cut(request)
        fault = await self.faults.take(method, body, "before")
        if fault is None:
            response = await act()
            fault = await self.faults.take(method, body, "after")
            if fault is None:
                return response
        return cut(request) if fault.kind == "drop" else self.refusal(request, fault)

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        async def answer() -> web.Response:
            return self.refusal(request, Fault(kind="status", status=404))

        return await self.exchange(request, request.path, None, answer)

    async def _control(self, request: web.Request) -> web.Response:
        try:
            answer = await self.control(await request.read())
        except (msgspec.DecodeError, LookupError, ValueError) as error:
            return web.Response(status=400, text=f"{type(error).__name__}: {error}")
        return web.Response(body=answer, content_type="application/json")


def cut(request: web.Request) -> Cut:
    """Cut the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return Cut(status=502)


async def serve_until_stopped(server: Served, *, until_eof: bool = False) -> None:
    """Run `server` until a signal (or the end of stdin); its port is the first line printed."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), stopped.set)
    async with server:
        sys.stdout.write(msgspec.json.encode({"port": server.port}).decode() + "\n")
        sys.stdout.flush()
        await stopped.wait()


class Spawned:
    """A stand-in server in its own process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        """Hold the process that listens on `port`."""
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def spawned(module: str, *arguments: str) -> AsyncIterator[Spawned]:
    """Run `python -m module` and kill it at the end of the block; it never outlives us."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", module, "--until-eof", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT)
    try:
        if process.stdout is None:
            raise RuntimeError(module)
        async with asyncio.timeout(START_S):
            first = await process.stdout.readline()
        port = msgspec.json.decode(first, type=dict[str, int])["port"]
        yield Spawned(process, port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
