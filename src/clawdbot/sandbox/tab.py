"""What one task has of the browser: a context that no other task sees, and a driver's session.

Commands go to the driver by HTTP; what they must not decide is asked of Chromium itself.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec

from clawdbot.domain.errors import ToolFailed
from clawdbot.sandbox.profile import WORK

Values = Mapping[str, object]
Tell = Callable[[str, str, Values], Awaitable[msgspec.Raw]]

_PIECE = 1 << 16
_COMMAND_S = 310.0  # the driver itself waits 300 for a page
_ANSWER_MOST = 64 << 20
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d{1,9})\r\n", re.IGNORECASE)


class Refused(ToolFailed):
    """The browser could not do this."""

    def __init__(self, message: str, error: str = "unknown error") -> None:
        super().__init__(message)
        self.error = error


class _Driven(msgspec.Struct, frozen=True):
    value: object = None


class Failed(msgspec.Struct, frozen=True):
    """What driver and browser say of a failure."""

    message: str
    error: str = "unknown error"


class Tab:
    """What one task has of the browser: a context that no other sees, and a driver's session."""

    def __init__(self, tell: Tell, context: str, line: socket.socket) -> None:
        self.context = context
        self.session = ""
        self._tell = tell
        self._line = line
        self._turn = asyncio.Lock()
        self._broken = False

    async def begin(self, port: int) -> None:
        """Begin a session in the browser on this port; what it is like is our choice."""
        handle = await self.open()
        options = {"debuggerAddress": f"127.0.0.1:{port}"}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options}
        made = await self.ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self.session = msgspec.convert(made, _Session).sessionId
        await self.ask("POST", "window", {"handle": handle})

    async def end(self, line: socket.socket) -> None:
        """Close the context, then the session, on a fresh line: a command may be under way."""
        await self.tell("Target.disposeBrowserContext", browserContextId=self.context)
        if self.session:
            await _http(line, "DELETE", f"/session/{self.session}", {})

    async def ask(self, method: str, path: str, body: object = None) -> object:
        """Have the driver run a command of this session; raises Refused with what it says."""
        at = f"/session/{self.session}/{path}".rstrip("/") if self.session else "/session"
        async with self._turn, asyncio.timeout(_COMMAND_S):
            if self._broken:
                raise Refused("The browser is still at an earlier command.")
            self._broken = True  # until the answer is whole
            status, data = await _http(self._line, method, at, {} if body is None else body)
            self._broken = False
        if status != 200:
            failed = msgspec.json.decode(data, type=_Driven).value
            known = msgspec.convert(failed, Failed)
            raise Refused(known.message.partition("\n")[0], known.error)
        return msgspec.json.decode(data, type=_Driven).value

    async def tell(self, method: str, session: str = "", **values: object) -> msgspec.Raw:
        """Ask Chromium itself, over its debugging pipe; raises Refused with what it says."""
        return await self._tell(method, session, values)

    async def open(self) -> str:
        """Open a window in this context; gives its handle."""
        raw = await self.tell(
            "Target.createTarget", url="about:blank", browserContextId=self.context
        )
        return msgspec.json.decode(raw, type=_Opened).targetId

    async def save(self, folder: str) -> None:
        """Let files be saved into a folder of the box's working folder, or (empty) not at all."""
        where = {"behavior": "allow", "downloadPath": f"{WORK}/{folder}"}
        how = where if folder else {"behavior": "deny"}
        await self.tell("Browser.setDownloadBehavior", browserContextId=self.context, **how)

    @asynccontextmanager
    async def attached(self, target: str) -> AsyncIterator[str]:
        """Speak with a page or a frame of its own process, by the id of what is given."""
        raw = await self.tell("Target.attachToTarget", targetId=target, flatten=True)
        session = msgspec.json.decode(raw, type=_Attached).sessionId
        try:
            yield session
        finally:
            with suppress(Refused):
                await self.tell("Target.detachFromTarget", sessionId=session)

    async def targets(self, *kinds: str) -> list[str]:
        """List this context's windows (`page`), or its frames in processes of their own."""
        found = msgspec.json.decode(await self.tell("Target.getTargets"), type=_Targets)
        mine = (each for each in found.targetInfos if each.browserContextId == self.context)
        return [each.targetId for each in mine if each.type in kinds]


class _Opened(msgspec.Struct):
    targetId: str  # noqa: N815


class _Attached(msgspec.Struct):
    sessionId: str  # noqa: N815


class _Target(msgspec.Struct):
    targetId: str  # noqa: N815
    type: str
    browserContextId: str = ""  # noqa: N815


class _Targets(msgspec.Struct):
    targetInfos: list[_Target]  # noqa: N815


class _Session(msgspec.Struct):
    sessionId: str  # noqa: N815


async def _http(line: socket.socket, method: str, path: str, body: object) -> tuple[int, bytes]:
    """Say one request to the driver and read its answer; raises Refused where it has ended."""
    loop = asyncio.get_running_loop()
    data = msgspec.json.encode(body) if method == "POST" else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    buffer = bytearray()
    try:
        await loop.sock_sendall(line, f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            buffer += await _some(line)
        length = _LENGTH.search(bytes(buffer[: end + 2]))
        if length is None or int(length[1]) > _ANSWER_MOST:
            raise Refused("The browser's answer is too large.")
        while len(buffer) < end + 4 + int(length[1]):
            buffer += await _some(line)
    except OSError as error:
        raise Refused("The browser has ended.") from error
    return int(buffer[9:12]), bytes(buffer[end + 4 :])


async def _some(line: socket.socket) -> bytes:
    if data := await asyncio.get_running_loop().sock_recv(line, _PIECE):
        return data
    raise Refused("The browser has ended.")
