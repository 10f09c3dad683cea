"""The WebDriver commands that a plugin may send, and what a typed secret forbids afterwards. Pure.

A command is read strictly and written anew from what was understood: nothing that a plugin wrote
reaches the driver as it came. `clawdbot.sandbox.broker` runs what is read here.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from enum import StrEnum
from html import unescape
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from clawdbot.domain.errors import Denied

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the standard's name for a reference
USERNAME, PASSWORD = "username", "password"


class Kind(StrEnum):
    """What a command does, as far as the broker must tell it apart."""

    NEW = "new"
    END = "end"
    PLAIN = "plain"
    GO = "go"
    FIND = "find"
    FIELD = "field"  # an attribute or a property of an element
    TYPE = "type"
    SUBMIT = "submit"
    ACT = "act"  # keys and pointers, wherever they land
    SCRIPT = "script"
    COOKIE = "cookie"
    SHOW = "show"  # all of the page: its source, a picture
    OPEN = "open"
    SWITCH = "switch"
    WINDOWS = "windows"


class _Nothing(Struct, frozen=True): ...


class _Url(Struct, frozen=True):
    url: Annotated[str, Meta(max_length=8000)]


class _Find(Struct, frozen=True):
    using: Literal["css selector", "xpath", "link text", "partial link text", "tag name"]
    value: Annotated[str, Meta(max_length=4000)]


class _Text(Struct, frozen=True):
    text: str


class _Reference(Struct, frozen=True):
    element: Annotated[str, Meta(max_length=200)] = msgspec.field(name=ELEMENT)


class _Frame(Struct, frozen=True):
    id: int | _Reference | None


class _Window(Struct, frozen=True):
    handle: Annotated[str, Meta(pattern=r"\A[0-9A-F]{32}\Z")]


class _Rect(Struct, frozen=True, omit_defaults=True):
    x: int | None = None
    y: int | None = None
    width: int | None = None
    height: int | None = None


_Wait = Annotated[int, Meta(ge=0, le=300_000)]


class _Timeouts(Struct, frozen=True, omit_defaults=True):
    script: _Wait | msgspec.UnsetType = msgspec.UNSET
    pageLoad: _Wait | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - the standard's word
    implicit: _Wait | msgspec.UnsetType = msgspec.UNSET


class _Script(Struct, frozen=True):
    script: str
    args: list[object]


class _Cookie(Struct, frozen=True):
    cookie: dict[str, object]


class _Actions(Struct, frozen=True):
    actions: list[object]


class Command(Struct, frozen=True, kw_only=True):
    """A command as it was understood; `path` is what follows the session's."""

    kind: Kind
    method: str
    path: str = ""
    element: str = ""
    name: str = ""
    body: Struct = _Nothing()

    @property
    def text(self) -> str:
        """Give the words of a body that has but one: an address, a selector, keys, a handle."""
        match self.body:
            case _Url(url=text) | _Text(text=text) | _Window(handle=text) | _Find(value=text):
                return text
        return ""


class Frame(Struct, frozen=True, forbid_unknown_fields=True):
    """What arrives on a plugin's line: a WebDriver request."""

    method: Literal["GET", "POST", "DELETE"]
    path: Annotated[str, Meta(max_length=400)]
    body: msgspec.Raw = msgspec.Raw(b"{}")


class Secretly(Struct, frozen=True):
    """A field of a secret that is to be typed, and the keys to press after it."""

    secret: str
    field: str
    keys: str


_ID = r"(?P<element>f\.[0-9A-F]{32}\.d\.[0-9A-F]{32}\.e\.[0-9]{1,9})"
_NAME = r"(?P<name>[A-Za-z][A-Za-z0-9_-]{0,63})"
_TABLE: tuple[tuple[str, str, Kind, type[Struct]], ...] = (
    ("DELETE", "", Kind.END, _Nothing),
    ("GET", "timeouts", Kind.PLAIN, _Nothing),
    ("POST", "timeouts", Kind.PLAIN, _Timeouts),
    ("POST", "url", Kind.GO, _Url),
    ("GET", "url|title", Kind.PLAIN, _Nothing),
    ("POST", "back|forward|refresh", Kind.PLAIN, _Nothing),
    ("GET", "window", Kind.PLAIN, _Nothing),
    ("DELETE", "window", Kind.PLAIN, _Nothing),
    ("POST", "window", Kind.SWITCH, _Window),
    ("GET", "window/handles", Kind.WINDOWS, _Nothing),
    ("POST", "window/new", Kind.OPEN, _Nothing),
    ("GET", "window/rect", Kind.PLAIN, _Nothing),
    ("POST", "window/rect", Kind.PLAIN, _Rect),
    ("POST", "window/(?:maximize|minimize|fullscreen)", Kind.PLAIN, _Nothing),
    ("POST", "frame", Kind.PLAIN, _Frame),
    ("POST", "frame/parent", Kind.PLAIN, _Nothing),
    ("GET", "element/active", Kind.PLAIN, _Nothing),
    ("POST", "elements?", Kind.FIND, _Find),
    ("POST", f"(?:element|shadow)/{_ID}/elements?", Kind.FIND, _Find),
    ("GET", f"element/{_ID}/(?:text|name|rect|enabled|selected|displayed)", Kind.PLAIN, _Nothing),
    ("GET", f"element/{_ID}/(?:shadow|computedrole|computedlabel)", Kind.PLAIN, _Nothing),
    ("GET", f"element/{_ID}/(?:attribute|property)/{_NAME}", Kind.FIELD, _Nothing),
    ("GET", f"element/{_ID}/css/{_NAME}", Kind.PLAIN, _Nothing),
    ("POST", f"element/{_ID}/(?:click|clear)", Kind.PLAIN, _Nothing),
    ("POST", f"element/{_ID}/value", Kind.TYPE, _Text),
    ("POST", f"element/{_ID}/submit", Kind.SUBMIT, _Nothing),
    ("POST", "execute/(?:sync|async)", Kind.SCRIPT, _Script),
    ("POST", "actions", Kind.ACT, _Actions),
    ("DELETE", "actions", Kind.PLAIN, _Nothing),
    ("POST", "alert/(?:accept|dismiss)", Kind.PLAIN, _Nothing),
    ("GET", "alert/text", Kind.PLAIN, _Nothing),
    ("POST", "alert/text", Kind.PLAIN, _Text),
    ("GET", f"cookie(?:/{_NAME})?", Kind.COOKIE, _Nothing),
    ("POST", "cookie", Kind.COOKIE, _Cookie),
    ("DELETE", f"cookie(?:/{_NAME})?", Kind.COOKIE, _Nothing),
    ("GET", "source", Kind.SHOW, _Nothing),
    ("GET", f"(?:element/{_ID}/)?screenshot", Kind.SHOW, _Nothing),
)
_SESSION = re.compile(r"/session/([0-9a-f]{32})(?:/(.+))?")
_PLACE = re.compile(r"https?://.+", re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(
    r"secret://([A-Za-z0-9][A-Za-z0-9_-]{0,63})#([A-Za-z0-9_-]{1,64})([\ue000-\ue05d]*)"
)
# Keys that copy, paste and cut, or that begin to: Control, Alt, Meta, Insert, left and right.
_CLIPBOARD = re.compile("[\ue009\ue00a\ue03d\ue016\ue051\ue052\ue053\ue05c]")
_HARMLESS = {
    *(
        "action",
        "alt",
        "checked",
        "class",
        "className",
        "disabled",
        "dir",
        "for",
        "href",
        "htmlFor",
    ),
    *("id", "innerText", "lang", "method", "multiple", "name", "placeholder", "readOnly", "rel"),
    *("required", "role", "selected", "src", "tagName", "target", "textContent", "title", "type"),
}
_OTHER_ATTRIBUTES = re.compile(r"@(?![a-z])|attribute|value|\\", re.IGNORECASE)
_QUOTED = re.compile(rb"%([0-9A-Fa-f]{2})")
_SHORTEST = 4  # a shorter text is found everywhere


def read(frame: Frame, session: str) -> Command:
    """Read a command of a session; raises Denied for whatever is not on the list."""
    if frame.method == "POST" and frame.path == "/session":
        return Command(kind=Kind.NEW, method="POST")
    found = _SESSION.fullmatch(frame.path)
    if found and found[1] == session:
        for method, form, kind, body in _TABLE:
            if method == frame.method and (match := re.fullmatch(form, found[2] or "")):
                return Command(
                    kind=kind,
                    method=method,
                    path=found[2] or "",
                    element=match.groupdict().get("element") or "",
                    name=match.groupdict().get("name") or "",
                    body=_body(frame.body, body),
                )
    raise Denied("This command is not on the list of WebDriver commands.")


def check(command: Command, *, typed: bool, shown: bool) -> None:
    """Raise Denied for what a page could not be asked, or no more: once a secret was `typed`.

    It is `shown` as long as a document is open into which it was typed.
    """
    if command.kind is Kind.GO and not _PLACE.fullmatch(command.text):
        raise Denied("Only http and https addresses can be opened.")
    if not typed:
        return
    if command.kind in {Kind.SCRIPT, Kind.COOKIE}:
        raise Denied("Once a secret was typed no script runs, and no cookie is read.")
    if command.kind in {Kind.TYPE, Kind.ACT} and _CLIPBOARD.search(_keys(command)):
        raise Denied("Once a secret was typed nothing is copied.")
    if shown and command.kind in {Kind.SHOW, Kind.ACT}:
        raise Denied("The page has a secret in it: it is not shown.")
    if command.kind is Kind.FIELD and command.name not in _HARMLESS and command.name[:5] != "aria-":
        raise Denied("Once a secret was typed no value is read back.")
    if command.kind is Kind.FIND and _OTHER_ATTRIBUTES.search(command.text):
        raise Denied("Once a secret was typed nothing is looked for by its value.")


def secretly(text: str) -> Secretly | None:
    """Read what is typed: a secret's token and keys after it, or None for ordinary words.

    Raises Denied for a token among other words.
    """
    if found := _TOKEN.fullmatch(text):
        return Secretly(found[1], found[2], found[3])
    if "secret://" in text:
        raise Denied("A secret is typed alone, with nothing but keys after it.")
    return None


def tokens(name: str, text: str) -> dict[str, str]:
    """Give what a plugin gets in place of a secret: for each of its fields a token."""
    return {field: f"secret://{name}#{field}" for field in fields(text)}


def fields(text: str) -> dict[str, str]:
    """Read a secret: JSON (`{"username": "ann", "password": "..."}`), or else just a password."""
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        return {PASSWORD: text}


def shows(answer: object, secrets: Iterable[str]) -> bool:
    """Tell whether an answer holds one of the texts, in any of the usual spellings."""
    told = "\n".join(_strings(answer))
    readings = (told, _unquoted(told), _unquoted(told.replace("+", " ")), unescape(told))
    for text in secrets:
        spelled = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
        spelled.add(b64encode(text.encode(errors="surrogatepass")).decode().rstrip("="))
        if len(text) >= _SHORTEST and any(s in each for s in spelled for each in readings):
            return True
    return False


def _unquoted(text: str) -> str:
    data = text.encode(errors="surrogatepass")
    plain = _QUOTED.sub(lambda found: bytes.fromhex(found[1].decode()), data)
    return plain.decode(errors="replace")


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _strings(each)
        case dict():
            yield from map(str, value)
            yield from _strings(list(value.values()))


def _body(raw: msgspec.Raw, kind: type[Struct]) -> Struct:
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Denied("The command's body is not what the standard says.") from error


def _keys(command: Command) -> str:
    match command.body:
        case _Actions(actions=actions):
            return json.dumps(actions, ensure_ascii=False)
    return command.text
