"""A model endpoint over HTTP: asks in a codec's words, streams what comes, names what fails.

Knows no protocol and no route, never retries a failure. No failure shows a key.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from clawdbot.domain.errors import (
    ModelFailed,
    ModelHostUnknown,
    ModelMalformed,
    ModelOverloaded,
    ModelRefused,
    ModelRejected,
    ModelTimedOut,
    ModelUnknown,
    ModelUnset,
    ModelUntrusted,
)
from clawdbot.domain.messages import picture_bytes, unseen
from clawdbot.domain.settings import Provider
from clawdbot.models.answer import Answer
from clawdbot.models.failures import of_answer
from clawdbot.models.limits import Quota, quotas
from clawdbot.models.request import Ask, Delta, Used
from clawdbot.models.sse import Parser
from clawdbot.net.client import (
    Client,
    ConnectRefused,
    HostUnknown,
    NetFailed,
    Stream,
    TimedOut,
    TlsFailed,
)

_OK = 200
_EVENTS = "text/event-stream"
_DRAIN_S = 0.2
_SECRET_LEAST = 4
_TEXT_MAX = 300
_KINDS: dict[type[NetFailed], type[ModelFailed]] = {
    HostUnknown: ModelHostUnknown,
    ConnectRefused: ModelRefused,
    TlsFailed: ModelUntrusted,
    TimedOut: ModelTimedOut,
}
_NO_CHAT = re.compile(
    r"embed|whisper|tts|dall-e|image|audio|speech|moderation|rerank|transcri|realtime|sora|bge-"
    r"|davinci|babbage",
    re.IGNORECASE,
)


class Codec(Protocol):
    """The words of a protocol: `path` follows the base, `optional` may be left out of a request."""

    path: str
    optional: tuple[str, ...]

    def base(self, path: str) -> str:
        """Complete the path of an endpoint's address."""

    def headers(self, key: str) -> dict[str, str]:
        """Show the key, where there is one."""

    def body(self, ask: Ask, without: Collection[str]) -> dict[str, object]:
        """Write a request, leaving out what the endpoint refuses."""

    def read(self, events: Sequence[bytes], answer: Answer) -> None:
        """Take in events, up to the last; raises a ModelFailed kind or msgspec.DecodeError."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint told of itself last; `listed` says that its own list chose the model."""

    model: str = ""
    listed: bool = False
    version: str = ""
    headers: Mapping[str, str] = {}

    @property
    def quota(self) -> tuple[Quota, ...]:
        """Read what is left, from the last answer's headers."""
        return quotas(self.headers)


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model] | None = None


class Endpoint:
    """One endpoint, as its provider's settings have it."""

    def __init__(self, settings: Provider, codec: Codec, client: Client) -> None:
        self._settings = settings
        self._codec = codec
        self._client = client
        self._first = ""
        self._refused: dict[str, set[str]] = {}
        self.told = Told()

    async def complete(self, ask: Ask) -> AsyncGenerator[Delta, None]:
        """Stream one answer, ending with Used; raises a ModelFailed kind."""
        model, listed = await self.model(ask.model), not (ask.model or self._settings.model)
        answer, parser = Answer(model=model), Parser()
        with self._failures():
            async with AsyncExitStack() as stack:
                stream, size = await self._begin(msgspec.structs.replace(ask, model=model), stack)
                self.told = Told(model=model, listed=listed, headers=stream.headers)
                async for chunk in stream:
                    self._codec.read(parser.feed(chunk), answer)
                    for delta in answer.news():
                        yield delta
                    if answer.done:
                        await _drain(stream)
                        break
                else:
                    self._codec.read(parser.close(), answer)
                version = " ".join(filter(None, (answer.model, answer.version)))
                self.told = msgspec.structs.replace(self.told, version=version)
                for delta in (*answer.news(), *answer.end()):
                    yield _estimated(delta, size) if isinstance(delta, Used) else delta

    async def model(self, wish: str = "") -> str:
        """Settle which model answers; where none is named the first for chats that is offered."""
        named = wish or self._settings.model
        if not named and not self._first:
            names = await self.models()
            chat = (name for name in names if not _NO_CHAT.search(name))
            self._first = next(chat, names[0] if names else "")
            if not names:
                raise ModelUnknown(f"{self._host}: /models is empty")
        return named or self._first

    async def models(self) -> list[str]:
        """List the models that the endpoint offers; raises a ModelFailed kind."""
        with self._failures():
            url, limit_s = self._url("/models"), self._settings.timeout_s
            headers = self._headers()
            answer = await self._client.request("GET", url, headers=headers, timeout_s=limit_s)
            if answer.status != _OK:
                raise of_answer(answer.status, answer.headers, answer.body)
            return names_of(answer.body)

    async def _begin(self, ask: Ask, stack: AsyncExitStack) -> tuple[Stream, int]:
        """Ask, again without a word or pictures that it refuses; give the stream, our size."""
        without = self._refused.setdefault(ask.model, set())
        while True:
            body = msgspec.json.encode(self._codec.body(ask, without))
            stream = await stack.enter_async_context(
                self._client.stream(
                    "POST",
                    self._url(self._codec.path),
                    data=body,
                    headers=self._headers() | {"Content-Type": "application/json"},
                    timeout_s=self._settings.timeout_s,
                )
            )
            kind = stream.headers.get("content-type", _EVENTS)
            if stream.status == _OK and kind.startswith(_EVENTS):
                return stream, len(body) - 4 * picture_bytes(ask.messages) // 3
            failure = of_answer(stream.status, stream.headers, await stream.read())
            refused = {w for w in self._codec.optional if w in str(failure)} - without
            blind = "image" in str(failure).lower() and picture_bytes(ask.messages) > 0
            if not (refused or blind) or not isinstance(failure, ModelRejected):
                raise failure
            without |= refused
            ask = msgspec.structs.replace(ask, messages=unseen(ask.messages)) if blind else ask

    def _url(self, path: str) -> str:
        address = urlsplit(self._settings.url)
        if not address.hostname:
            if not self._settings.url:
                raise ModelUnset("It has no address yet: give one with `clawdbot setup`.")
            raise ModelUnset(f"url={self._settings.url!r}")
        base = self._codec.base(address.path.rstrip("/"))
        return address._replace(path=base + path).geturl()

    def _headers(self) -> dict[str, str]:
        return self._codec.headers(self._settings.auth.reveal())

    @property
    def _host(self) -> str:
        return urlsplit(self._settings.url).hostname or self._settings.protocol

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except NetFailed as error:
            raise _KINDS.get(type(error), ModelOverloaded)(str(error)) from error
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ModelMalformed(f"{self._host}: {error}") from error
        except ModelFailed as error:
            if isinstance(error, ModelUnknown):
                self._first = ""
            # Not `from error`: its words are the endpoint's, which may have shown our key.
            text = self._masked(f"{self._host}: {error}")[:_TEXT_MAX]
            raise type(error)(text, after=error.after) from None

    def _masked(self, text: str) -> str:
        key = self._settings.auth.reveal()
        return text.replace(key, "****") if len(key) >= _SECRET_LEAST else text


def names_of(body: bytes) -> list[str]:
    """Read a list of models; raises msgspec.DecodeError."""
    found = msgspec.json.decode(body, type=_Models | list[_Model])
    data = found if isinstance(found, list) else found.data
    return [model.id for model in data or ()]


def _estimated(used: Used, size: int) -> Used:
    """Fill in what the endpoint did not count: about four bytes a token."""
    return msgspec.structs.replace(used, tokens_in=used.tokens_in or size // 4)


async def _drain(stream: Stream) -> None:
    """Read to the end, for then the connection is kept; but some servers never end."""
    if stream.whole:
        return
    with suppress(TimeoutError, NetFailed):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in stream:
                pass
