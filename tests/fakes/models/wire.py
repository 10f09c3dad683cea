"""What a model protocol is to the stand-in server: requests in, frames out."""

from typing import Protocol

import msgspec

from tests.fakes.models.script import Ask, Plan


class Invalid(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The request is refused with a status, words and the protocol's code."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        """Hold what is answered."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


class Frames(msgspec.Struct, frozen=True):
    """A streamed answer: what comes before, with and after its tokens; and two ways to spoil it."""

    start: bytes
    tokens: list[bytes]
    end: bytes
    error: bytes
    malformed: bytes


class Wire(Protocol):
    """One protocol."""

    def key(self, headers: "Headers") -> str:
        """Return the key the client showed."""

    def read(self, body: bytes, headers: "Headers") -> Ask:
        """Check a request as strictly as the real one; raise Invalid."""

    def whole(self, ask: Ask, plan: Plan) -> bytes:
        """Return an answer that is not streamed."""

    def frames(self, ask: Ask, plan: Plan) -> Frames:
        """Return a streamed answer."""

    def error(self, status: int, message: str, code: str) -> bytes:
        """Return an error's body."""

    def quota(self, limit: int, remaining: int) -> dict[str, str]:
        """Return the rate-limit headers."""

    def models(self, names: list[str], owner: str) -> bytes:
        """Return the list of models."""


class Headers(Protocol):
    """Request headers."""

    def get(self, name: str, default: str) -> str:
        """Return a header."""
