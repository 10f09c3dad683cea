"""A conversation as every protocol can say it: one system text, two speakers in turn; pure.

Every call is answered right after, under an id that is unique in the request. What others said and
what tools gave is marked as data and cannot end its own mark.
"""

import re
from collections.abc import Sequence
from html import escape

import msgspec
from msgspec.structs import replace

from clawdbot.domain.messages import (
    Call,
    Image,
    Message,
    Part,
    Quote,
    Reasoning,
    Result,
    Role,
    Source,
    Text,
    Unreadable,
)


class Said(msgspec.Struct):
    """All that one speaker says before the other does; results come first."""

    role: Role
    results: list[Result] = msgspec.field(default_factory=list)
    thoughts: list[Reasoning] = msgspec.field(default_factory=list)
    images: list[Image] = msgspec.field(default_factory=list)
    texts: list[str] = msgspec.field(default_factory=list)
    calls: list[Call] = msgspec.field(default_factory=list)

    @property
    def text(self) -> str:
        """Join the words."""
        return "\n\n".join(self.texts)


def thread_of(messages: Sequence[Message]) -> tuple[str, list[Said]]:
    """Give the system text, and who said what."""
    system = "\n\n".join(m.text for m in messages if m.role is Role.SYSTEM)
    asked = max((n for n, m in enumerate(messages) if m.role is Role.USER), default=0)
    said: list[Said] = []
    ids: dict[str, str] = {}
    for number, message in enumerate(messages):
        if message.role is Role.SYSTEM or not any(map(_says, message.parts)):
            continue
        role = Role.USER if message.role is Role.TOOL else message.role
        if not said or said[-1].role != role:
            said.append(Said(role))
        for index, part in enumerate(message.parts):
            match part:
                case Text() | Quote() | Unreadable() if _says(part):  # nearly all
                    said[-1].texts.append(_words(part, message.role))
                case Call() if _answered(part, messages[number + 1 : number + 2]):
                    # Nine letters and digits: what the strictest server takes.
                    ids[part.id] = f"c{number:04d}{index:04d}"
                    said[-1].calls.append(replace(part, id=ids[part.id]))
                case Result() if part.call in ids:
                    failed = "yes" if part.failed else ""
                    text = as_data("result", part.text, tool=part.tool, failed=failed)
                    said[-1].results.append(replace(part, call=ids.pop(part.call), text=text))
                case Reasoning() if number > asked:
                    said[-1].thoughts.append(part)
                case Image():
                    said[-1].images.append(part)
    return system, said


def as_data(tag: str, text: str, **attributes: str) -> str:
    """Mark a text as data; attributes that are empty are left out."""
    inside = re.sub(rf"<(?=/?\s*{tag})", "&lt;", text, flags=re.IGNORECASE)
    shown = [f' {name}="{escape(" ".join(v.split()))}"' for name, v in attributes.items() if v]
    return f"<{tag}{''.join(shown)}>\n{inside}\n</{tag}>"


def arguments_of(call: Call) -> dict[str, object]:
    """Read a call's arguments; what is no object is an empty one."""
    try:
        return msgspec.json.decode(call.arguments or "{}", type=dict[str, object])
    except (msgspec.DecodeError, UnicodeError):
        return {}


def _says(part: Part) -> bool:
    """Tell a part from blanks, and from a thought, which is nothing alone."""
    return bool(part.text.strip()) if isinstance(part, Text) else not isinstance(part, Reasoning)


def _answered(call: Call, following: Sequence[Message]) -> bool:
    results = (part for m in following for part in m.parts if isinstance(part, Result))
    return any(result.call == call.id for result in results)


def _words(part: Text | Quote | Unreadable, role: Role) -> str:
    match part:
        case Text() if part.source is Source.OTHER and role is Role.USER:
            return as_data("quote", part.text)
        case Text():
            return part.text
        case Quote():
            return as_data("quote", part.text, author=part.author)
        case Unreadable():
            return f"[{part.kind}: cannot be shown to you]"
