"""What people, models and tools say to each other, as lists of typed parts.

Every part carries where it came from (`source`), whether it may be trusted as the requester's own
words (`taint`), and whether others must not learn of it (`private`). Knows no platform and no
provider.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec


class Source(StrEnum):
    """Where a part came from."""

    OWN = "own"
    OTHER = "other"
    FIXED = "fixed"
    MODEL = "model"
    TOOL = "tool"
    MEMORY = "memory"


class Role(StrEnum):
    """Who speaks a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class _Part(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    source: Source
    taint: bool = False
    private: bool = False


class Text(_Part, frozen=True, kw_only=True, tag="text", omit_defaults=True):
    """Plain words."""

    text: str


class Quote(_Part, frozen=True, kw_only=True, tag="quote", omit_defaults=True):
    """Somebody else's words that the message carries along: a reply's target, a forward."""

    author: str
    text: str


class Image(_Part, frozen=True, kw_only=True, tag="image", omit_defaults=True):
    """A picture, inline."""

    media_type: str
    data: bytes
    name: str = ""

    @property
    def line(self) -> "Unreadable":
        """Give what stands for it where it cannot be shown."""
        return Unreadable(kind=f"picture {self.name}", source=self.source, taint=self.taint)


class Attachment(_Part, frozen=True, kw_only=True, tag="attachment", omit_defaults=True):
    """A file, picture or voice note that was sent along: where it is kept, what its bytes say."""

    id: str
    name: str = ""
    kind: str = ""
    size: int = 0

    @property
    def line(self) -> "Unreadable":
        """Give what stands for it where it cannot be shown."""
        what = f"file {self.name} ({self.kind}, {self.size} bytes)"
        return Unreadable(kind=what, source=self.source, taint=self.taint)


class Unreadable(_Part, frozen=True, kw_only=True, tag="unreadable", omit_defaults=True):
    """Content of a kind that we cannot read, by the platform's word for it (`voice`)."""

    kind: str


class Reasoning(_Part, frozen=True, kw_only=True, tag="reasoning", omit_defaults=True):
    """What a model thought aloud, apart from its answer; `signature` as the provider gave it."""

    text: str
    signature: str = ""


class Call(_Part, frozen=True, kw_only=True, tag="call", omit_defaults=True):
    """A model's wish to use a tool; `id` is ours (step, index), `provider_id` may repeat."""

    id: str
    tool: str
    arguments: str
    provider_id: str = ""


class Result(_Part, frozen=True, kw_only=True, tag="result", omit_defaults=True):
    """What a tool answered to the call with the same id."""

    call: str
    tool: str
    text: str
    failed: bool = False
    provider_id: str = ""


_TELLING = (Text, Attachment)
Part = Text | Quote | Image | Attachment | Unreadable | Reasoning | Call | Result


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing said, as its parts in order."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """Join the plain words of the message."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def calls(self) -> tuple[Call, ...]:
        """List the tool calls of the message."""
        return tuple(part for part in self.parts if isinstance(part, Call))

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """List what was sent along."""
        return tuple(part for part in self.parts if isinstance(part, Attachment))


def told(parts: Iterable[Part]) -> str:
    """Join plain words, and the names of what was sent along."""
    texts = (p.text if isinstance(p, Text) else p.name for p in parts if isinstance(p, _TELLING))
    return "\n".join(texts)


def own(text: str) -> Message:
    """Make a message of the requester's own words."""
    return Message(role=Role.USER, parts=(Text(text=text, source=Source.OWN),))


def fixed(text: str, role: Role = Role.ASSISTANT) -> Message:
    """Make a message of one of our own fixed texts."""
    return Message(role=role, parts=(Text(text=text, source=Source.FIXED),))


def kinds(messages: Iterable[Message]) -> set[type[Part]]:
    """Tell which kinds of parts there are."""
    return {type(part) for message in messages for part in message.parts}


def picture_bytes(messages: Sequence[Message]) -> int:
    """Sum up the sizes of pictures, whose tokens no length of a request tells."""
    if Image not in kinds(messages):
        return 0
    parts = (part for message in messages for part in message.parts)
    return sum(len(part.data) for part in parts if isinstance(part, Image))


def unseen(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Put a line in place of each picture."""
    return tuple(
        msgspec.structs.replace(
            message, parts=tuple(p.line if isinstance(p, Image) else p for p in message.parts)
        )
        for message in messages
    )


def private(messages: Iterable[Message]) -> bool:
    """Tell whether any part holds what others must not learn of, or was made from such."""
    return any(part.private for message in messages for part in message.parts)


def tainted(messages: Iterable[Message]) -> bool:
    """Tell whether any part comes from other than the requester or our fixed texts."""
    return any(part.taint for message in messages for part in message.parts)
