"""An endpoint's error answers as our failures: the words it gives a kind, else its status; pure."""

import re
from collections.abc import Mapping

import msgspec

from clawdbot.domain.errors import (
    ModelFailed,
    ModelKeyRejected,
    ModelLimited,
    ModelMalformed,
    ModelOverloaded,
    ModelQuotaSpent,
    ModelRejected,
    ModelTimedOut,
    ModelUnknown,
)
from clawdbot.models.limits import wait

_READ_MAX = 10_000
_SPENT = re.compile(r"insufficient.(quota|balance)|billing|credit balance|quota.exhausted")
_KINDS = (
    (re.compile(r"rate.?limit|too.many.requests"), ModelLimited),
    (re.compile(r"overloaded|unavailable"), ModelOverloaded),
    (re.compile(r"authentication|api.?key|permission"), ModelKeyRejected),
    (re.compile(r"not.?found"), ModelUnknown),
    (re.compile(r"timeout"), ModelTimedOut),
)
_STATUSES: dict[int, type[ModelFailed]] = {
    401: ModelKeyRejected,
    402: ModelQuotaSpent,
    403: ModelKeyRejected,
    404: ModelUnknown,
    405: ModelUnknown,
    408: ModelTimedOut,
    429: ModelLimited,
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An error as both protocols, and the servers like them, write it."""

    message: str | None = None
    type: object = None
    code: object = None


class _Body(Fault, frozen=True, kw_only=True):
    error: Fault | str | None = None
    detail: object = None


def of_answer(status: int, headers: Mapping[str, str], body: bytes) -> ModelFailed:
    """Make the failure that an answer other than 200 stands for."""
    try:
        found = msgspec.json.decode(body, type=_Body | list[_Body])
        whole = found[0] if isinstance(found, list) else found
    except (msgspec.DecodeError, IndexError, UnicodeError):
        # A page for people says nothing in a sentence; a line of text may.
        text = "" if body.lstrip().startswith(b"<") else body[:_READ_MAX].decode(errors="replace")
        whole = _Body(message=text)
    if whole.detail and not whole.message:
        whole = msgspec.structs.replace(whole, message=msgspec.json.encode(whole.detail).decode())
    error = whole if whole.error is None else whole.error
    kind = headers.get("content-type", "")
    return of_error(error, status, after=wait(headers), otherwise=f"HTTP {status} {kind}")


def of_error(
    error: Fault | str, status: int = 0, *, after: float | None = None, otherwise: str = ""
) -> ModelFailed:
    """Make the failure that an error stands for, also one in the middle of an answer."""
    if isinstance(error, str):
        error = Fault(message=error)
    if status in {0, 200} and isinstance(error.code, int):
        status = error.code
    message = " ".join((error.message or "").split())
    kind = _kind(f"{error.type} {error.code}", message, status)
    return kind(message or otherwise, after=after)


def _kind(words: str, message: str, status: int) -> type[ModelFailed]:
    words = words.lower()
    if _SPENT.search(f"{words} {message.lower()}"):
        return ModelQuotaSpent
    for pattern, kind in _KINDS:
        if pattern.search(words):
            return kind
    if status in _STATUSES:
        return _STATUSES[status]
    if 200 <= status < 400:
        return ModelMalformed
    if 400 <= status < 500 or "invalid" in words:
        return ModelRejected
    return ModelOverloaded
