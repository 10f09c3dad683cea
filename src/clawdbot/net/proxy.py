"""The egress proxy: CONNECT and plain HTTP for boxes and browsers, each under its own rules.

    box      descriptor 4: a byte asks, a fresh connected socket comes back (SCM_RIGHTS)
    browser  a port of its own network for each task, on which we accept

Whatever comes is judged by the guard, goes to the address that was judged, and ends with its box,
its task or its time. A plain request is the only one of its connection, its body counted: nothing
that is meant for one host reaches another.
"""

import asyncio
import re
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial

from msgspec import Struct, field
from yarl import URL

from clawdbot.domain.settings import Net
from clawdbot.net.client import NetFailed
from clawdbot.net.egress import Rules, Target
from clawdbot.net.fetch import EgressRefused, Guard

_HEAD_MOST = 32 * 1024
_LINE = re.compile(r"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.[01]")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\xa0-\xff]*)")
_HOPS = {
    "connection", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "upgrade",
}  # fmt: skip
_FAILURES = (OSError, EOFError, ValueError, NetFailed, asyncio.LimitOverrunError)

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Passage(Struct):
    """One connection: who asked for which host, what failed, bytes `moved` out and in."""

    who: str
    host: str
    failure: str = ""
    moved: list[int] = field(default_factory=lambda: [0, 0])


class Pass(Struct, frozen=True, kw_only=True, eq=False):
    """Who asks, what they may reach, and what one of their connections may take."""

    who: str
    rules: Rules
    seconds: float = 600.0
    bytes_most: int = 256 * 1024 * 1024
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(32))
    open: set[asyncio.Timeout] = field(default_factory=set)

    def close(self) -> None:
        """End every connection."""
        for limit in self.open:
            _end(limit)


class Proxy(Struct, frozen=True):
    """Carries what the guard admits, and tells every passage when it is over."""

    guard: Guard
    net: Net
    group: asyncio.TaskGroup
    told: Callable[[Passage], None]
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def box(self, passed: Pass) -> socket.socket:
        """Give what becomes a box's descriptor 4; whoever starts the box closes it afterwards."""
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        self._start(self._hand_out(ours, passed))
        return theirs

    @contextmanager
    def browser(self, way: socket.socket, passed: Pass) -> Iterator[None]:
        """Accept on a port of a browser's own network, as long as the block runs."""
        way.settimeout(0)
        accepting = self.group.create_task(self._accept(way, passed))
        try:
            yield
        finally:
            accepting.cancel()
            passed.close()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self.group.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _hand_out(self, ours: socket.socket, passed: Pass) -> None:
        """Answer every byte with a stream while there is room; all end with the box."""
        loop = asyncio.get_running_loop()
        try:
            with ours, suppress(OSError):
                while await loop.sock_recv(ours, 1):
                    await passed.room.acquire()
                    near, theirs = socket.socketpair()
                    streams = await asyncio.open_connection(sock=near, limit=_HEAD_MOST)
                    self._start(self._serve(streams, passed))
                    with theirs:
                        socket.send_fds(ours, [b"."], [theirs.fileno()])
        finally:
            passed.close()

    async def _accept(self, way: socket.socket, passed: Pass) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while await passed.room.acquire():
                near, _ = await loop.sock_accept(way)
                streams = await asyncio.open_connection(sock=near, limit=_HEAD_MOST)
                self._start(self._serve(streams, passed))

    async def _serve(self, near: _Streams, passed: Pass) -> None:
        """Serve one connection."""
        try:
            head = _Head.read(await near[0].readuntil(b"\r\n\r\n"))
            await self._pass(near, head, passed)
        except _FAILURES:
            _answer(near[1], "400 Bad Request")
        finally:
            near[1].close()
            passed.room.release()

    async def _pass(self, near: _Streams, head: "_Head", passed: Pass) -> None:
        passage, limit, begun = (
            Passage(passed.who, head.host),
            asyncio.timeout(passed.seconds),
            False,
        )
        passed.open.add(limit)

        def moved(way: int, count: int) -> None:
            passage.moved[way] += count
            if sum(passage.moved) > passed.bytes_most:
                _end(limit)
                raise EOFError

        try:
            async with limit:
                target, addresses = await self.guard.admit(head.url, passed.rules)
                async with self._far(target, addresses) as far, asyncio.TaskGroup() as group:
                    begun = True
                    (near if head.body is None else far)[1].write(head.onward(target))
                    group.create_task(_carry(near[0], far[1], partial(moved, 0), head.body))
                    group.create_task(_carry(far[0], near[1], partial(moved, 1)))
        except _FAILURES as error:
            refused = isinstance(error, EgressRefused)
            passage.failure = str(error) if refused else type(error).__name__
            if not begun:
                status = "403 Forbidden" if refused else "502 Bad Gateway"
                _answer(near[1], status, passage.failure)
        finally:
            passed.open.discard(limit)
            self.told(passage)

    @asynccontextmanager
    async def _far(self, target: Target, addresses: Sequence[str]) -> AsyncIterator[_Streams]:
        """Connect to the first address that answers, or through the settings' proxy."""
        proxy = URL(self.net.proxy)
        for host, port in [(each, target.port) for each in addresses] or [
            (proxy.host or "", proxy.port or 0)
        ]:
            with suppress(OSError):
                async with asyncio.timeout(self.net.connect_timeout_s):
                    far = await asyncio.open_connection(host, port, limit=_HEAD_MOST)
                break
        else:
            raise ConnectionError
        try:
            if not addresses:
                await self._ask(far, target)
            yield far
        finally:
            far[1].close()

    async def _ask(self, far: _Streams, target: Target) -> None:
        """Ask the settings' proxy for a tunnel; raises ConnectionError."""
        proxy = URL(self.net.proxy)
        where = f"[{target.host}]" if ":" in target.host else target.host
        login = b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
        secret = f"Proxy-Authorization: Basic {login}\r\n" if proxy.user else ""
        head = (
            f"CONNECT {where}:{target.port} HTTP/1.1\r\nHost: {where}:{target.port}\r\n{secret}\r\n"
        )
        far[1].write(head.encode())
        async with asyncio.timeout(self.net.connect_timeout_s):
            if not re.match(rb"HTTP/1\.[01] 2", await far[0].readuntil(b"\r\n\r\n")):
                raise ConnectionError


@asynccontextmanager
async def opened(guard: Guard, net: Net, told: Callable[[Passage], None]) -> AsyncIterator[Proxy]:
    """Run a proxy."""
    async with asyncio.TaskGroup() as group:
        proxy = Proxy(guard, net, group, told)
        try:
            yield proxy
        finally:
            for task in proxy.tasks:
                task.cancel()


class _Head(Struct, frozen=True):
    """What is asked: `url` as the guard reads it, `body` its bytes, None for a tunnel."""

    method: str
    url: str
    fields: tuple[tuple[str, str], ...]
    body: int | None

    @classmethod
    def read(cls, head: bytes) -> "_Head":
        """Read a request's head; raises ValueError for what could be read in two ways."""
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        line, matches = _LINE.fullmatch(first), [_FIELD.fullmatch(text) for text in lines]
        if line is None or None in matches:
            raise ValueError
        fields = tuple((found[1].lower(), found[2].strip()) for found in matches if found)
        if line[1] == "CONNECT":
            return cls("CONNECT", f"http://{line[2]}/", fields, None)
        length = _find(fields, "content-length") or "0"
        plain = line[2].startswith("http://") and length.isdecimal()
        if not plain or _find(fields, "transfer-encoding"):
            raise ValueError
        return cls(line[1], line[2], fields, int(length))

    @property
    def host(self) -> str:
        """Give what may be shown of where it goes."""
        return re.split("[/?#]", self.url.removeprefix("http://"))[0].rpartition("@")[2]

    def onward(self, target: Target) -> bytes:
        """Write what begins it: the yes to a tunnel, or the request as the server is to read it."""
        if self.body is None:
            return b"HTTP/1.1 200 Connection established\r\n\r\n"
        kept = "".join(f"{name}: {value}\r\n" for name, value in self.fields if name not in _HOPS)
        first = f"{self.method} {target.rest} HTTP/1.1\r\nhost: {target.authority}\r\n"
        return f"{first}connection: close\r\n{kept}\r\n".encode("latin-1")


def _find(fields: tuple[tuple[str, str], ...], name: str) -> str:
    """Find a field's value, empty where it is missing; raises ValueError where it stands twice."""
    [value] = [value for key, value in fields if key == name] or [""]
    return value


def _answer(writer: asyncio.StreamWriter, status: str, text: str = "") -> None:
    body = text.encode()
    fields = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"HTTP/1.1 {status}\r\n{fields}Connection: close\r\n\r\n".encode() + body)


async def _carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    moved: Callable[[int], None],
    left: int | None = None,
) -> None:
    """Carry what comes, or what is left of a request's body; hand on the end of a stream."""
    with suppress(*_FAILURES):
        while left != 0 and (piece := await reader.read(_HEAD_MOST if left is None else left)):
            moved(len(piece))
            left = None if left is None else left - len(piece)
            writer.write(piece)
            await writer.drain()
        if left is None:
            writer.write_eof()


def _end(limit: asyncio.Timeout) -> None:
    if not limit.expired():
        limit.reschedule(0)
