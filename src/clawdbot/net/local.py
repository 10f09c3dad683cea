"""The service's Unix socket from the side of a command: requests, and a WebSocket.

Raises NotRunning where nobody listens; a failure that the service tells is raised here as its own
class. Knows neither what is asked nor what is said.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self, TypeVar

import aiohttp
import msgspec

from clawdbot.domain.errors import Denied, Failure, NotRunning

T = TypeVar("T")

ANSWER_S = 120.0  # the service may be asking a model
_HEARTBEAT_S = 20.0
_MESSAGE_MAX_BYTES = 16 * 1024 * 1024


class Socket:
    """An open WebSocket of text messages; iterating ends with the connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        """Send a message; raises NotRunning where the connection is gone."""
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise NotRunning from error

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield messages as they come."""
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            yield message.data


class Local:
    """What a command has of the service, in its user's language, while its `async with` runs."""

    def __init__(self, socket: str, language: str = "en") -> None:
        self._path, self._language = socket, language

    async def __aenter__(self) -> Self:
        """Get ready; connects with the first request."""
        self._session = aiohttp.ClientSession(
            "http://local",
            headers={"Accept-Language": self._language},
            connector=aiohttp.UnixConnector(self._path),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ANSWER_S),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._session.close()

    async def call(
        self, method: str, path: str, kind: type[T], value: object = None, seconds: float = ANSWER_S
    ) -> T:
        """Ask, and read the answer; raises NotRunning, or what the service raised."""
        body = None if value is None else msgspec.json.encode(value)
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.request(method, path, data=body, timeout=limit) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unreached(error) from error
        if answer.status != 200:
            raise _told(answer.headers.get("X-Failure", ""), content.decode(errors="replace"))
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:
            message = "The service is of another version. Run `clawdbot restart`."
            raise Failure(message) from error

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncIterator[Socket]:
        """Open a WebSocket; raises NotRunning, or what the service raised."""
        try:
            socket = await self._session.ws_connect(
                path, heartbeat=_HEARTBEAT_S, max_msg_size=_MESSAGE_MAX_BYTES
            )
        except aiohttp.WSServerHandshakeError as error:
            name = error.headers.get("X-Failure", "") if error.headers else ""
            raise _told(name, "") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unreached(error) from error
        try:
            yield Socket(socket)
        finally:
            await socket.close()


def _unreached(error: Exception) -> Failure:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, PermissionError
    ):
        return Denied("This assistant belongs to another user of this machine.")
    return NotRunning()


def _told(name: str, text: str) -> Failure:
    return _kinds(Failure).get(name, Failure)(text)


def _kinds(kind: type[Failure]) -> dict[str, type[Failure]]:
    found = {kind.__name__: kind}
    for below in kind.__subclasses__():
        found |= _kinds(below)
    return found
