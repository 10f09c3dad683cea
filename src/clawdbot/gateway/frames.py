"""The WebSocket protocol as values, version 1; `docs/protocol.md` is generated from here.

Text messages of one JSON object each, told apart by `type`. A client says `hello`, follows
conversations with `open`, and `send`s under a key of its own, which makes a repeated send harmless.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

VERSION = 1
FRAME_MAX_BYTES = 262_144

Key = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_.-]+$")]
Words = Annotated[str, Meta(max_length=100_000)]
Files = Annotated[tuple[Key, ...], Meta(max_length=10)]


class _Frame(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag=lambda name: name.lower(),
    forbid_unknown_fields=True,
):
    """One message."""


class Hello(_Frame, frozen=True, kw_only=True):
    """First in both directions: the protocol's version; the server names the user it speaks to."""

    version: int
    agent: Annotated[str, Meta(max_length=100)] = ""
    user: str = ""


class Open(_Frame, frozen=True, kw_only=True):
    """Follow a conversation; what was committed after event `after` is told again first."""

    conversation: Key
    after: Annotated[int, Meta(ge=0)] = 0


class Close(_Frame, frozen=True, kw_only=True):
    """Follow a conversation no longer."""

    conversation: Key


class Send(_Frame, frozen=True, kw_only=True):
    """Say something in a conversation, or send files along; `key` makes a repetition harmless.

    `attachments` are ids of files that this user uploaded (`POST /media`). `instead` names the last
    turn, which this takes the place of; `route` the model of a conversation that begins with this.
    """

    conversation: Key
    key: Key
    text: Words = ""
    attachments: Files = ()
    instead: Annotated[str, Meta(max_length=64)] = ""
    route: Annotated[str, Meta(max_length=100)] = ""

    def __post_init__(self) -> None:
        if not self.text and not self.attachments:
            raise ValueError("neither text nor attachments")


class Again(_Frame, frozen=True, kw_only=True):
    """Answer the last turn's words anew; that turn is superseded. Confirmed like a `send`."""

    conversation: Key
    key: Key
    turn: Key


class Answer(_Frame, frozen=True, kw_only=True):
    """Choose one of an approval's choices; confirmed like a `send`."""

    conversation: Key
    key: Key
    token: Annotated[str, Meta(min_length=1, max_length=64)]


class Ack(_Frame, frozen=True, kw_only=True):
    """Server: a `send` is committed, with what became of it. Client: an event was shown."""

    key: str = ""
    conversation: str = ""
    event: int = 0
    outcome: str = ""
    turn: str = ""
    notice: str = ""


class Watch(_Frame, frozen=True, kw_only=True):
    """Watch boards of the panel, no others from now on; what is not open is ignored."""

    boards: Annotated[tuple[Key, ...], Meta(max_length=8)]


class Changed(_Frame, frozen=True, kw_only=True):
    """A board's value, when the page begins to watch and whenever it has changed."""

    board: str
    data: msgspec.Raw


class Ping(_Frame, frozen=True, kw_only=True):
    """Are you there; answered with the same."""

    n: int = 0


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was sent along: `GET /media/<id>` gives it; `kind` is what its bytes say."""

    id: str
    name: str
    kind: str
    size: int


class Said(_Frame, frozen=True, kw_only=True):
    """Somebody (this user, maybe in another window) said something; event 0 until committed.

    `instead` names the turn in whose place this one stands: that is not shown any more.
    """

    conversation: str
    turn: str
    text: str
    event: int = 0
    instead: str = ""
    attachments: tuple[File, ...] = ()


class Delta(_Frame, frozen=True, kw_only=True):
    """More of an answer; (turn, attempt, seq) orders it."""

    conversation: str
    turn: str
    attempt: int
    seq: int
    text: str


class Reset(_Frame, frozen=True, kw_only=True):
    """Forget the deltas of this turn: the answer starts over."""

    conversation: str
    turn: str
    attempt: int = 0
    seq: int = 0


class Tool(_Frame, frozen=True, kw_only=True):
    """A tool is being used; `text` is what it says of how far it is."""

    conversation: str
    turn: str
    name: str
    text: str = ""


class Final(_Frame, frozen=True, kw_only=True):
    """The committed answer; `state` is done, stopped or dead, `event` resumes after it."""

    conversation: str
    turn: str
    event: int
    text: str
    html: str = ""
    state: str = "done"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to an approval; `token` is what `answer` gives back."""

    verb: str
    label: str
    token: str


class Approval(_Frame, frozen=True, kw_only=True):
    """Something waits for a yes; told again whenever its `state` changes, then without choices."""

    conversation: str
    turn: str
    id: str
    text: str
    html: str = ""
    state: str = "open"
    code: str = ""
    choices: tuple[Choice, ...] = ()


class Error(_Frame, frozen=True, kw_only=True):
    """What went wrong and what to do; `key` names the `send` it is about."""

    code: str
    text: str
    key: str = ""


FromClient = Hello | Open | Close | Send | Again | Answer | Ack | Ping | Watch
FromServer = Hello | Ack | Ping | Said | Delta | Reset | Tool | Final | Approval | Error | Changed

_DECODER: msgspec.json.Decoder[FromClient] = msgspec.json.Decoder(FromClient)


def decode(text: str | bytes) -> FromClient:
    """Read a client's frame; raises msgspec.DecodeError (ValidationError) for anything else."""
    return _DECODER.decode(text)


def encode(frame: FromServer) -> str:
    """Write a frame."""
    return msgspec.json.encode(frame).decode()


def schemas() -> dict[str, object]:
    """Describe every frame as JSON Schema (draft 2020-12), for the documents."""
    _, definitions = msgspec.json.schema_components(
        (FromClient, FromServer), ref_template="#/$defs/{name}"
    )
    return dict(sorted(definitions.items()))
