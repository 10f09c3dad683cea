"""A request and an answer as plain values: a channel owns its webhook without a framework."""

from msgspec import Struct, field


class HttpRequest(Struct, frozen=True, kw_only=True):
    """What came in: header names in lower case, the body as raw bytes (size already capped)."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class HttpReply(Struct, frozen=True, kw_only=True):
    """What goes back."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
