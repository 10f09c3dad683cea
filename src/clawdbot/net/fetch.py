"""Requests for tools: a name is resolved, judged and pinned; every redirect is judged again.

What cannot be checked is not requested. Caps time, size and redirects; what it brings is for its
caller to distrust.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import urljoin

from msgspec import Struct
from msgspec.structs import replace

from clawdbot.domain.settings import Net
from clawdbot.net.client import Client, HostUnknown, NetFailed, Request, TimedOut
from clawdbot.net.egress import Allow, Refuse, Rules, Target, is_address, judge

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_REDIRECTS = {301, 302, 303, 307, 308}


class EgressRefused(NetFailed):
    """This address may not be reached."""

    retry = False


class Caps(Struct, frozen=True, kw_only=True):
    """What a request may cost: time for all of it, bytes of its answer, redirects of a GET."""

    timeout_s: float = 20.0
    body_bytes: int = 2 * 1024 * 1024
    redirects: int = 0


class Page(Struct, frozen=True, kw_only=True):
    """What stood at the last address; not `whole` where its rest was cut."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for a name's addresses; raises HostUnknown."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
    except (OSError, UnicodeError):
        raise HostUnknown(f"{host}: The host's name is unknown.") from None
    return [str(address[0]) for *_, address in found]


class Guard:
    """Admits targets: the one way from a URL to the addresses that may be connected to."""

    def __init__(self, net: Net, resolve: Resolve = resolve) -> None:
        """Check what `resolve` finds; behind a proxy names alone, for there it resolves."""
        self._net = net
        self._resolve = resolve

    async def admit(self, url: str, rules: Rules) -> tuple[Target, Sequence[str]]:
        """Give the target and its addresses, none where the proxy is to be asked.

        Raises EgressRefused, HostUnknown.
        """
        answer = judge(url, rules)
        addresses: Sequence[str] = ()
        if isinstance(answer, Allow) and (answer.private or not self._net.proxy):
            host, port = answer.target.host, answer.target.port
            addresses = (host,) if is_address(host) else await self._resolve(host, port)
            answer = judge(url, rules, addresses)
        if isinstance(answer, Refuse):
            raise EgressRefused(answer.reason)
        return answer.target, addresses


class Fetch:
    """Requests under rules."""

    def __init__(self, client: Client, guard: Guard) -> None:
        """Send through this client what this guard admits."""
        self._client = client
        self._guard = guard

    async def send(self, request: Request, rules: Rules, caps: Caps) -> Page:
        """Send, and read the answer as far as its caps allow; raises NetFailed."""
        try:
            async with asyncio.timeout(caps.timeout_s):
                return await self._follow(request, rules, caps)
        except TimeoutError:
            raise TimedOut(f"{request.host}: No answer came in time.", sent=True) from None

    async def _follow(self, request: Request, rules: Rules, caps: Caps) -> Page:
        target, addresses = await self._guard.admit(request.url, rules)
        page = await self._ask(replace(request, url=target.url), addresses, caps)
        location = page.headers.get("location") if page.status in _REDIRECTS else None
        if not location or not caps.redirects or request.method != "GET":
            return page
        onward = replace(request, url=_joined(target.url, location))
        if not onward.url.startswith(f"{target.origin}/"):
            onward, rules = replace(onward, headers={}), replace(rules, private=())
        return await self._follow(onward, rules, replace(caps, redirects=caps.redirects - 1))

    async def _ask(self, request: Request, addresses: Sequence[str], caps: Caps) -> Page:
        *others, last = addresses or [""]
        for address in others:
            try:
                return await self._read(replace(request, address=address), caps)
            except NetFailed as error:
                if error.sent:
                    raise
        return await self._read(replace(request, address=last), caps)

    async def _read(self, request: Request, caps: Caps) -> Page:
        body, whole = bytearray(), True
        async with self._client.exchange(replace(request, timeout_s=caps.timeout_s)) as stream:
            async for chunk in stream:
                body += chunk
                if not (whole := len(body) <= caps.body_bytes):
                    break
        return Page(
            url=request.url,
            status=stream.status,
            headers=stream.headers,
            body=bytes(body[: caps.body_bytes]),
            whole=whole,
        )


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise EgressRefused("The page sends us to no address.") from None
