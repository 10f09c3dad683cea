"""What we ask a model and what it streams back, in our words; codecs translate it."""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from clawdbot.domain.messages import Call, Message


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as a model sees it; `schema` is JSON Schema for an object, written."""

    name: str
    description: str
    schema: msgspec.Raw


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `route` is a route's name chosen by the user, empty for the rules to decide.

    User (id and name), channel and command choose among routes; no provider sees them. Without a
    limit of its own the route's `max_tokens` holds.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    user: str = ""
    name: str = ""
    channel: str = ""
    command: str = ""
    route: str = ""
    language: str = "en"
    max_tokens: int | None = None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request as one provider gets it: model and limits are settled."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    model: str
    max_tokens: int
    temperature: float
    language: str = "en"


class TextDelta(msgspec.Struct, frozen=True):
    """More of the answer."""

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True):
    """More of what the model thinks aloud; `signature` as the provider gave it."""

    text: str
    signature: str = ""


class CallDelta(msgspec.Struct, frozen=True):
    """One whole tool call; the id is ours only later."""

    call: Call


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What it took, last of a whole answer; `emergency` where the emergency route answered."""

    tokens_in: int
    tokens_out: int
    provider: str = ""
    model: str = ""
    route: str = ""
    first_token_s: float = 0.0
    whole_s: float = 0.0
    emergency: bool = False


class Reset(msgspec.Struct, frozen=True):
    """Forget the deltas so far: the answer starts over."""

    reason: str


Delta = TextDelta | ReasoningDelta | CallDelta | Used | Reset


class Provider(Protocol):
    """A codec for one endpoint."""

    def complete(self, ask: Ask) -> AsyncIterator[Delta]:
        """Stream one answer, ending with Used; raises a ModelFailed kind, never retries."""
