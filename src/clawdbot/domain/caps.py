"""What a channel can do, as data: the only thing the core asks of a platform."""

from enum import StrEnum

from msgspec import Struct


class Unit(StrEnum):
    """In what a platform counts the length of a text."""

    UTF16 = "utf16"
    CODEPOINT = "codepoint"
    BYTE = "byte"


class Streaming(StrEnum):
    """How shown text can be replaced while it grows."""

    EDIT = "edit"
    SOCKET = "socket"
    NONE = "none"


class Pace(Struct, frozen=True, kw_only=True):
    """Send limits as token buckets (refill a second, size): for all, one chat, one group."""

    per_s: float
    burst: int
    chat_per_s: float
    chat_burst: int
    group_per_s: float
    group_burst: int


class Caps(Struct, frozen=True, kw_only=True):
    """A channel's abilities; `pace` is None where the platform sets none, times are seconds."""

    text_max: int
    unit: Unit
    stream: Streaming = Streaming.NONE
    buttons: bool = False
    typing_every_s: float | None = None
    edit_every_s: float = 1.0
    idempotent_send: bool = False
    pace: Pace | None = None
