"""What a model stand-in is told to answer: rules, replies and their faults. Pure."""

import re
from typing import Literal

import msgspec

from tests.fakes.faults import JsonObject

DEFAULT_TOKENS = 42
_PIECE = re.compile(r"\s*\S{1,6}|\s+")

Failing = Literal[
    "",
    "hang",
    "stall",
    "die",
    "truncate",
    "error_event",
    "malformed_json",
    "malformed_sse",
    "garbage",
    "slow",
    "content_type",
]


class Call(msgspec.Struct, frozen=True):
    """A tool call; `raw` replaces the arguments' JSON, however broken."""

    name: str
    arguments: JsonObject = {}
    raw: str | None = None

    @property
    def encoded(self) -> str:
        """The arguments as the model writes them."""
        return msgspec.json.encode(self.arguments).decode() if self.raw is None else self.raw


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer: `{user}` in the text is the last user text; without text it is default tokens.

    `status` other than 200 is an error answer. `failing` spoils a 200: hang (no byte), and at token
    `at_token`: stall, die (cut), truncate (a clean end too early), error_event, malformed_json,
    malformed_sse; garbage, content_type (an HTML page) and slow (byte by byte) spoil the whole.
    """

    text: str | None = None
    reasoning: str = ""
    calls: list[Call] = []
    first_ms: float | None = None
    token_ms: float | None = None
    status: int = 200
    message: str = ""
    retry_after: float | None = None
    failing: Failing = ""
    at_token: int = 0
    stop: str = ""


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When to give a reply: `contains` and `pattern` look at the last user text.

    `last` is who spoke last; `skip` matching requests pass, the next `times` match (0: all).
    """

    reply: Reply
    contains: str = ""
    pattern: str = ""
    last: Literal["any", "user", "tool"] = "any"
    model: str = ""
    skip: int = 0
    times: int = 0


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What the server needs to know of a request, whatever its protocol."""

    model: str
    stream: bool
    with_usage: bool
    user_text: str
    last: Literal["user", "tool", "assistant"]
    max_tokens: int | None
    prompt_tokens: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A reply made ready: the pieces to stream, in order."""

    number: int
    tokens: list[str]
    reasoning: list[str]
    calls: list[Call]
    stop: str

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.tokens)

    @property
    def completion_tokens(self) -> int:
        """How many tokens were made."""
        called = sum(len(pieces(call.encoded)) + 1 for call in self.calls)
        return len(self.tokens) + len(self.reasoning) + called


class Script:
    """The rules in order; the first that matches decides."""

    def __init__(self, rules: list[Rule]) -> None:
        """Begin with `rules`."""
        self._rules = [_Counted(rule) for rule in rules]

    def add(self, rules: list[Rule]) -> None:
        """Add rules behind the others."""
        self._rules += [_Counted(rule) for rule in rules]

    def clear(self) -> None:
        """Forget every rule."""
        self._rules.clear()

    def reply(self, ask: Ask) -> Reply:
        """Return the reply to a request; each match is counted."""
        for counted in self._rules:
            if counted.matches(ask):
                return counted.rule.reply
        return Reply()


def plan(ask: Ask, reply: Reply, number: int, count: int) -> Plan:
    """Make a reply ready, cut to the request's `max_tokens`."""
    if reply.text is not None:
        tokens = pieces(reply.text.replace("{user}", ask.user_text))
    elif reply.calls:
        tokens = []
    else:
        tokens = [f"word{index} " for index in range(1, count)] + [f"word{count}."]
    stop = reply.stop or ("calls" if reply.calls else "end")
    if ask.max_tokens is not None and len(tokens) > ask.max_tokens:
        tokens, stop = tokens[: ask.max_tokens], "length"
    return Plan(
        number=number,
        tokens=tokens,
        reasoning=pieces(reply.reasoning),
        calls=reply.calls,
        stop=stop,
    )


def pieces(text: str) -> list[str]:
    """Cut a text into token-like pieces."""
    return _PIECE.findall(text)


class _Counted:
    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._seen = 0

    def matches(self, ask: Ask) -> bool:
        rule = self.rule
        if rule.last not in ("any", ask.last) or rule.contains not in ask.user_text:
            return False
        if rule.model not in ("", ask.model) or not re.search(rule.pattern, ask.user_text):
            return False
        if rule.times and self._seen >= rule.skip + rule.times:
            return False
        self._seen += 1
        return self._seen > rule.skip
