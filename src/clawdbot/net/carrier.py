"""Another library's HTTP (httpx2), carried by our client: each request is judged and pinned.

No redirect is followed, no stream stands open: to a GET, which would wait for news, it says that
there is no such method. Answers are bounded.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack

import httpx2
from msgspec.structs import replace

from clawdbot.net.client import Client, NetFailed, Request, Stream
from clawdbot.net.egress import Rules
from clawdbot.net.fetch import Guard

HttpFailed = httpx2.HTTPError
_BODY_MOST = 2 * 1024 * 1024
_ANEW = {"accept-encoding", "connection", "content-length", "host", "transfer-encoding"}
_OURS = {"content-encoding", "content-length", "transfer-encoding"}


class Carrier(httpx2.AsyncBaseTransport):
    """Sends what may be sent, with `headers` of our own."""

    def __init__(
        self,
        client: Client,
        guard: Guard,
        rules: Rules,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> None:
        self._client = client
        self._guard = guard
        self._rules = rules
        self._headers = headers
        self._timeout_s = timeout_s

    def opened(self) -> httpx2.AsyncClient:
        """Give a client of that library whose every request comes here."""
        return httpx2.AsyncClient(transport=self, timeout=None, trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Carry one request; raises the library's ConnectError."""
        if request.method == "GET":
            return httpx2.Response(405)
        theirs = {name: v for name, v in request.headers.items() if name.lower() not in _ANEW}
        stack = AsyncExitStack()
        try:
            target, addresses = await self._guard.admit(str(request.url), self._rules)
            wanted = Request(
                method=request.method,
                url=target.url,
                data=await request.aread(),
                headers={**theirs, **self._headers},
                timeout_s=self._timeout_s,
            )
            stream = await self._sent(wanted, addresses, stack)
        except NetFailed as error:
            raise httpx2.ConnectError(str(error)) from error
        kept = [(name, v) for name, v in stream.headers.items() if name.lower() not in _OURS]
        return httpx2.Response(stream.status, headers=kept, stream=_Body(stream, stack))

    async def _sent(
        self, request: Request, addresses: Sequence[str], stack: AsyncExitStack
    ) -> Stream:
        """Send to the first address that answers."""
        *others, last = addresses or [""]
        for address in others:
            try:
                exchange = self._client.exchange(replace(request, address=address))
                return await stack.enter_async_context(exchange)
            except NetFailed as error:
                if error.sent:
                    raise
        return await stack.enter_async_context(
            self._client.exchange(replace(request, address=last))
        )


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: Stream, stack: AsyncExitStack) -> None:
        self._stream = stream
        self._stack = stack

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = _BODY_MOST
        try:
            async for chunk in self._stream:
                if (room := room - len(chunk)) < 0:
                    raise httpx2.ReadError("The answer is too large.")
                yield chunk
        except NetFailed as error:
            raise httpx2.ReadError(str(error)) from error

    async def aclose(self) -> None:
        """Let the connection go."""
        await self._stack.aclose()
