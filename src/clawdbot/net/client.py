"""HTTP requests out, the only place that makes them; of a failed one it tells whether it left.

Keeps connections, follows no redirect, keeps no cookie, reads no environment, caps what it reads.
An address may hold a key (Telegram's does): no error and no repr shows more of it than the host.

NetFailed
    HostUnknown            the name has no address, or is none
    ConnectRefused         nobody listens there, or the proxy refuses
    TlsFailed              encryption could not be trusted
    TimedOut(sent)         no connection, or no byte, in time
    Broken(sent)           cut, not HTTP, or too large
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from io import BytesIO
from typing import Self, TypedDict, Unpack
from urllib.parse import urlsplit

import aiohttp
import msgspec
from yarl import URL

from clawdbot.domain.errors import Failure, SettingsInvalid, first_line
from clawdbot.domain.settings import Net

BODY_MAX_BYTES = 16 * 1024 * 1024
_AT_ONCE_BYTES = 1 << 20  # more is sent in pieces, so that it holds nothing up

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NetFailed(Failure):
    """The network did not carry the request."""

    retry = True

    def __init__(self, message: str = "", *, sent: bool = False) -> None:
        """Tell in `sent` whether the request may have reached the server."""
        super().__init__(message)
        self.sent = sent


class HostUnknown(NetFailed):
    """The host's name is unknown."""


class ConnectRefused(NetFailed):
    """Nothing answers at the address."""


class TlsFailed(NetFailed):
    """The certificate is not trusted."""


class TimedOut(NetFailed):
    """No answer came in time."""


class Broken(NetFailed):
    """The connection broke."""


class Options(TypedDict, total=False):
    """What a request may have: `json` (any value) or `data` (bytes) as its body."""

    json: object
    data: bytes
    headers: Mapping[str, str]
    timeout_s: float


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `timeout_s` is for the `whole` answer, or else from each piece to the next.

    A checked `address` is where it goes, whatever the name means by then.
    """

    method: str
    url: str
    json: object = None
    data: bytes = b""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    timeout_s: float = 30.0
    whole: bool = False
    address: str = ""

    @property
    def host(self) -> str:
        """Name the host, all of the address that may be shown."""
        return _host(self.url)

    def __repr__(self) -> str:
        """Show no secret: address, headers and body may hold some."""
        return f"Request({self.method} {self.host})"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer; header names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream:
    """An answer whose body is still coming, to be iterated over as it comes, decompressed.

    Header names in any case; its iteration raises NetFailed. It is no generator: whoever stops
    reading leaves nothing that the event loop must close.
    """

    def __init__(self, answer: aiohttp.ClientResponse, host: str) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self._content = answer.content
        self._host = host
        self._room = BODY_MAX_BYTES

    @property
    def whole(self) -> bool:
        """Tell whether all of the body has come, read or not."""
        return self._content.is_eof()

    def __aiter__(self) -> Self:
        """Go on where reading stopped."""
        return self

    async def __anext__(self) -> bytes:
        """Wait for more of the body."""
        if chunk := await self._next():
            return chunk
        raise StopAsyncIteration

    async def read(self) -> bytes:
        """Give the whole body; raises NetFailed."""
        body = bytearray()
        while chunk := await self._next():
            body += chunk
        return bytes(body)

    async def _next(self) -> bytes:
        """Wait for more of the body; empty at its end."""
        try:
            chunk = await self._content.readany()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _failed(error, self._host) from None
        self._room -= len(chunk)
        if self._room < 0:
            raise Broken(f"{self._host}: The answer is too large.", sent=True)
        return chunk


class Client:
    """A pool of connections, open while its `async with` block runs."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._trusted: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        """Open the pool; raises SettingsInvalid where the private CA cannot be read."""
        if self._net.ca_file:
            self._trust()  # a wrong setting is told at the start
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "clawdbot", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._session.close()

    async def request(self, method: str, url: str, **options: Unpack[Options]) -> Response:
        """Send, and read the answer whole within `timeout_s`; raises NetFailed."""
        async with self.exchange(Request(method=method, url=url, whole=True, **options)) as stream:
            body = await stream.read()
        return Response(status=stream.status, headers=stream.headers, body=body)

    def stream(
        self, method: str, url: str, **options: Unpack[Options]
    ) -> AbstractAsyncContextManager[Stream]:
        """Send, and read the answer while it comes; raises NetFailed."""
        return self.exchange(Request(method=method, url=url, **options))

    def exchange(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        """Send one request when it is entered: every request of the program passes here."""
        return _Exchange(self._send, request)

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        body, headers = request.data, request.headers
        if request.json is not None:
            body = msgspec.json.encode(request.json)
            headers = {"Content-Type": "application/json", **headers}
        host, url = request.host, request.url
        if request.address:
            headers = {**headers, "Host": URL(url).raw_authority}
            url = str(URL(url).with_host(request.address))
        direct = request.address or host in _LOOPBACK
        plain = url.startswith("http://") and not self._net.proxy.startswith("https://")
        try:
            return await self._session.request(
                request.method,
                url,
                data=BytesIO(body) if len(body) > _AT_ONCE_BYTES else body or None,
                headers=headers,
                allow_redirects=False,
                proxy=None if direct else self._net.proxy or None,
                server_hostname=host if request.address else None,
                ssl=True if plain else self._trust(),
                timeout=_timeout(
                    self._net.connect_timeout_s, request.timeout_s, whole=request.whole
                ),
            )
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:
            raise _failed(error, host) from None  # the library's texts show the whole address

    def _trust(self) -> ssl.SSLContext:
        """Read whom to trust, once, before the first encrypted connection: 30 ms."""
        if self._trusted is None:
            self._trusted = _context(self._net.ca_file)
        return self._trusted


class _Exchange(AbstractAsyncContextManager[Stream]):
    """One request and its answer; a generator in its place would cost each request more."""

    def __init__(
        self, send: Callable[[Request], Awaitable[aiohttp.ClientResponse]], request: Request
    ) -> None:
        self._send = send
        self._request = request

    async def __aenter__(self) -> Stream:
        self._answer = await self._send(self._request)
        return Stream(self._answer, self._request.host)

    async def __aexit__(self, *_: object) -> None:
        self._answer.release()


def authorities(ca_file: str) -> tuple[bytes, ...]:
    """Read the settings' private authorities, as DER; raises SettingsInvalid."""
    if not ca_file:
        return ()
    only = _context(ca_file, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return tuple(only.get_ca_certs(binary_form=True))


@lru_cache(maxsize=64)
def _timeout(connect_s: float, timeout_s: float, *, whole: bool) -> aiohttp.ClientTimeout:
    # Only one phase can pass before the request leaves, and it has its own limit: whatever
    # else times out may have arrived.
    if whole:
        return aiohttp.ClientTimeout(total=connect_s + timeout_s, connect=connect_s)
    return aiohttp.ClientTimeout(connect=connect_s, sock_read=timeout_s)


@lru_cache(maxsize=64)
def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _context(ca_file: str, context: ssl.SSLContext | None = None) -> ssl.SSLContext:
    context = context or ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
    except OSError as error:
        raise SettingsInvalid(f"net.ca_file: {ca_file}: {error.strerror or error}") from error
    return context


def _failed(error: Exception, host: str) -> NetFailed:
    kind: type[NetFailed] = Broken
    sent = False
    match error:
        case (
            aiohttp.ClientConnectorDNSError()
            | aiohttp.InvalidURL()
            | aiohttp.NonHttpUrlClientError()
            | UnicodeError()  # a name that cannot be encoded
        ):
            kind = HostUnknown
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
            kind = TlsFailed
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            kind, host = ConnectRefused, "net.proxy"
        case aiohttp.ClientConnectorError():
            kind = ConnectRefused
        case aiohttp.ConnectionTimeoutError():
            kind = TimedOut
        case TimeoutError():
            kind, sent = TimedOut, True
        case _:
            sent = True
    return kind(f"{host}: {first_line(kind)}", sent=sent)
