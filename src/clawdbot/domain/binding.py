"""What the requester's own words of this turn name, as typed values; only these bind targets.

A value binds by equality after normalising, never as a part of another: "send it to ann@a.example"
binds `ann@a.example` and no other address. Pure.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum

import msgspec

from clawdbot.domain.messages import Message, Source, Text


class SinkKind(StrEnum):
    """The type of a target."""

    URL = "url"
    HOST = "host"
    EMAIL = "email"
    PATH = "path"
    AMOUNT = "amount"
    NAME = "name"
    COMMAND = "command"


class Sink(msgspec.Struct, frozen=True):
    """An argument that names where an effect goes, and what kind of value it is."""

    argument: str
    kind: SinkKind


# Repetitions are bounded and begin where no word goes on: hostile text costs its length, no more.
_URL = re.compile(r"https?://[^\s<>\"'“”「」（）()，。；]{1,2000}", re.IGNORECASE)
_BARE = re.compile(
    r"(?<![\w@./:-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?::\d{1,5})?(?:/[^\s<>\"'“”「」（）()，。；]{0,2000})?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?![\w-])")
_HOST = re.compile(
    r"(?<![\w@./-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?![\w-]|\.\w)", re.IGNORECASE
)
_PATH = re.compile(
    r"(?<![\w:/.~-])(?:~?/|\.{1,2}/)?[\w.-]{1,255}(?:/[\w.-]{1,255}){0,32}/?(?![\w/-])"
)
_AMOUNT = re.compile(r"(?<![\w.,-])-?\d{1,15}(?:[.,]\d{1,6})?(?![\w]|[.,]\d)")
_QUOTED = re.compile(
    r"\"([^\"\n]{1,500})\"|(?<!\w)'([^'\n]{1,500})'(?!\w)|“([^”\n]{1,500})”"
    r"|「([^」\n]{1,500})」|`([^`]{1,2000})`"
)
_CODE = re.compile(r"```\w{0,20}\n([^`]{1,4000}?)\n?```|`([^`\n]{1,2000})`")
_NUMBERED = re.compile(
    r"(?<![\w-])(?=[A-Z_-]{0,63}\d)[A-Z0-9][A-Z0-9_-]{3,63}(?![\w-])", re.IGNORECASE
)
# A name before the host (`user@`) is no part of this: such an address binds nothing.
_SPLIT = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>[^\s/?#@:\\]+)(?P<port>:\d{1,5})?(?P<path>/[^?#]*)?"
    r"(?P<query>\?[^#]*)?(?:#.*)?",
    re.IGNORECASE | re.DOTALL,
)
_READ_MOST = 50_000
_TRAILING = ".,;:!?、。，！？；：)]}"


class Given:
    """The values in the requester's own words; each kind is read when it is first asked for."""

    __slots__ = ("_found", "_text")

    def __init__(self, text: str = "") -> None:
        """Read values from the requester's own words of this turn."""
        self._text = unicodedata.normalize("NFC", text)[:_READ_MOST]
        self._found: dict[SinkKind, frozenset[str]] = {}

    def names(self, kind: SinkKind, value: str) -> bool:
        """Tell whether the words name exactly this value."""
        if kind not in self._found:
            read = (_normal(kind, value) for value in _read(kind, self._text))
            self._found[kind] = frozenset(filter(None, read))
        normal = _normal(kind, unicodedata.normalize("NFC", value))
        return bool(normal) and normal in self._found[kind]


def given(words: Iterable[Message]) -> Given:
    """Read the requester's own, untainted words of a turn."""
    parts = (part for message in words for part in message.parts)
    own = (p.text for p in parts if isinstance(p, Text) and p.source is Source.OWN and not p.taint)
    return Given("\n".join(own))


def bound(sink: Sink, arguments: Mapping[str, object], words: Given) -> bool:
    """Tell whether a target was named by the words; one that is left out aims at nothing."""
    value = arguments.get(sink.argument)
    if value is None or value == "":
        return True
    if isinstance(value, str | int | float):
        return words.names(sink.kind, str(value))
    if isinstance(value, list | tuple):
        joined = [" ".join(map(str, value))] if sink.kind is SinkKind.COMMAND else value
        return all(words.names(sink.kind, str(one)) for one in joined)
    return False


def _read(kind: SinkKind, text: str) -> list[str]:
    match kind:
        case SinkKind.URL:
            found = (each.rstrip(_TRAILING) for each in (*_URL.findall(text), *_BARE.findall(text)))
            # `see a.example/x` names it under either scheme.
            return [w for one in found for w in (one, f"http://{one}", f"https://{one}")]
        case SinkKind.HOST:
            urls = (_SPLIT.fullmatch(found.rstrip(_TRAILING)) for found in _URL.findall(text))
            return [*_HOST.findall(text), *(found["host"] for found in urls if found)]
        case SinkKind.EMAIL:
            return _EMAIL.findall(text)
        case SinkKind.PATH:
            return [found.rstrip(_TRAILING) for found in _PATH.findall(text)] + _quoted(text)
        case SinkKind.AMOUNT:
            return _AMOUNT.findall(text)
        case SinkKind.NAME:
            return [*_quoted(text), *_NUMBERED.findall(text)]
        case SinkKind.COMMAND:
            return [block or inline for block, inline in _CODE.findall(text)]


def _quoted(text: str) -> list[str]:
    return ["".join(groups) for groups in _QUOTED.findall(text)]


def _normal(kind: SinkKind, value: str) -> str:
    match kind:
        case SinkKind.URL:
            return _url(value)
        case SinkKind.HOST:
            return value.lower().rstrip(".")
        case SinkKind.EMAIL:
            return value.casefold()
        case SinkKind.PATH:
            return _path(value)
        case SinkKind.AMOUNT:
            return _amount(value)
        case SinkKind.NAME | SinkKind.COMMAND:
            return " ".join(value.split())


def _url(value: str) -> str:
    if not (found := _SPLIT.fullmatch(value)):
        return ""
    host = found["host"].lower().rstrip(".")
    where = f"{(found['scheme'] or '').lower()}://{host}{found['port'] or ''}"
    return f"{where}{found['path'] or '/'}{found['query'] or ''}" if host else ""


def _amount(value: str) -> str:
    try:
        return str(Decimal(value.replace(",", ".")).normalize())
    except InvalidOperation:
        return ""


def _path(value: str) -> str:
    steps = value.split("/")
    return "" if ".." in steps else "/".join(s for i, s in enumerate(steps) if i == 0 or s)
