"""Is the audit trail as it was written? Names the first row or checkpoint that is not.

Reads page by page, in one snapshot. What it cannot see is told in docs/adr/0011: rows behind the
last checkpoint, where both were taken away, are missed only by checkpoints kept off this machine.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from clawdbot.domain.ports import Tx
from clawdbot.store import audit
from clawdbot.store.audit import Checkpoint, Row

_PAGE = 500


class Fault(StrEnum):
    """What is wrong, in words for a user."""

    ALTERED = "this row was changed, or moved from its place"
    REMOVED = "the row at this place was removed"
    INSERTED = "this row does not follow from the one before it"
    TRUNCATED = "a checkpoint names this row, and it is not there any more"
    REWRITTEN = "this row is not the one that a checkpoint names"
    FORGED = "this checkpoint does not bear this assistant's signature"
    UNLINKED = "this checkpoint does not follow from the one before it"
    UNKNOWN = "this checkpoint was kept elsewhere, and is not here"


class Bad(msgspec.Struct, frozen=True, kw_only=True):
    """The first fault: where in which chain; `checkpoint` is its number, 0 where a row is bad."""

    fault: Fault
    chain: str
    place: int
    checkpoint: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked; `bare` rows came after the last checkpoint of their chain."""

    rows: int
    checkpoints: int
    bare: int
    bad: Bad | None = None


class Kept(msgspec.Struct, frozen=True):
    """What of a checkpoint kept elsewhere (a line of `audit.export`) is compared."""

    number: int
    chain: str
    place: int
    signature: str


def verify(tx: Tx, public: str, kept: Iterable[Kept] = ()) -> Verdict:
    """Check every row and checkpoint; `public` is the signer's key, empty where there is none."""
    rows = bare = count = 0
    bad: Bad | None = None
    for chain in tx.all(str, "audit.chains"):
        place, bad = _chain(tx, chain)
        rows += place
        bare += place - (tx.one(_number, "checkpoints.covered", chain=chain) or 0)
        if bad:
            break
    else:
        count, bad = _checkpoints(tx, public)
    if bad is None:
        bad = next((_lost(each) for each in kept if not _here(tx, each)), None)
    return Verdict(rows=rows, checkpoints=count, bare=max(bare, 0), bad=bad)


def _chain(tx: Tx, chain: str) -> tuple[int, Bad | None]:
    """Check a chain; tell how many rows are good, and the first that is not."""
    place, previous = 0, ""
    for row in _rows(tx, chain):
        if fault := _fault(row, place + 1, previous):
            return place, Bad(fault=fault, chain=chain, place=place + 1)
        place, previous = row.place, row.hash
    return place, None


def _fault(row: Row, place: int, previous: str) -> Fault | None:
    try:
        whole = audit.hash_of(row) == row.hash
    except TypeError:  # SQLite keeps whatever is written into a column
        whole = False
    if not whole:
        return Fault.ALTERED
    if row.place != place:
        return Fault.REMOVED
    return None if row.previous == previous else Fault.INSERTED


def _checkpoints(tx: Tx, public: str) -> tuple[int, Bad | None]:
    """Check the line of signatures, and that each row which they name is what it was."""
    number, previous = 0, ""
    check = _Check(public)
    for each in _line(tx):
        root = tx.one(str, "audit.root", chain=each.chain, place=each.place)
        fault = None
        if not check(each):
            fault = Fault.FORGED
        elif (each.number, each.previous) != (number + 1, previous):
            fault = Fault.UNLINKED
        elif root != each.root:
            fault = Fault.TRUNCATED if root is None else Fault.REWRITTEN
        if fault:
            bad = Bad(fault=fault, chain=each.chain, place=each.place, checkpoint=each.number)
            return number, bad
        number, previous = each.number, audit.link_of(each)
    return number, None


class _Check:
    """Checks signatures with one key; the library is loaded with the first."""

    def __init__(self, public: str) -> None:
        self._public = public

    def __call__(self, checkpoint: Checkpoint) -> bool:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - slow
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

        if not self._public or checkpoint.key != self._public:
            return False
        key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(self._public))
        try:
            key.verify(bytes.fromhex(checkpoint.signature), audit.signed_text(checkpoint))
        except (InvalidSignature, ValueError):
            return False
        return True


def _lost(kept: Kept) -> Bad:
    return Bad(fault=Fault.UNKNOWN, chain=kept.chain, place=kept.place, checkpoint=kept.number)


def _here(tx: Tx, kept: Kept) -> bool:
    found = tx.one(Checkpoint, "checkpoints.get", number=kept.number)
    return found is not None and found.signature == kept.signature


def _rows(tx: Tx, chain: str) -> Iterator[Row]:
    after = -(2**62)
    while page := tx.all(Row, "audit.page", chain=chain, after=after, most=_PAGE):
        yield from page
        after = page[-1].place


def _line(tx: Tx) -> Iterator[Checkpoint]:
    after = -(2**62)
    while page := tx.all(Checkpoint, "checkpoints.page", after=after, most=_PAGE):
        yield from page
        after = page[-1].number


def _number(value: object) -> int:
    return int(str(value or 0))
