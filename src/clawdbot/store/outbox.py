"""What is to be delivered: one row a chunk, in order per destination."""

from enum import StrEnum

import msgspec
from msgspec.structs import asdict, replace

from clawdbot.domain.inbound import Address
from clawdbot.domain.ports import Outgoing, Tx

_ADDRESS = msgspec.json.Decoder(Address)
_OUTGOING = msgspec.json.Decoder(Outgoing)
_ALL = 1_000_000_000


class RowState(StrEnum):
    """pending -> sending -> sent | unknown | dead."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    DEAD = "dead"


class RowKind(StrEnum):
    """A stub is a placeholder to be replaced; a chunk part of an answer; a notice our own words."""

    STUB = "stub"
    CHUNK = "chunk"
    NOTICE = "notice"


class Row(msgspec.Struct, frozen=True):
    """One message for one destination; `stub_id` names the row whose shown text it replaces."""

    id: str
    destination: str
    position: int
    address: bytes
    turn_id: str
    user_id: str
    kind: str
    stub_id: str
    body: bytes
    state: str
    attempts: int
    ref: str
    not_before: float
    created_at: float

    @property
    def to(self) -> Address:
        """Read the address."""
        return _ADDRESS.decode(self.address)

    @property
    def message(self) -> Outgoing:
        """Read what is sent."""
        return _OUTGOING.decode(self.body)


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A message about to be queued; the id makes it unique (`turn:kind:index`)."""

    id: str
    to: Address
    message: Outgoing
    kind: RowKind
    user: str
    turn: str = ""
    stub: str = ""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A row's new state."""

    state: RowState
    attempts: int = 0
    ref: str = ""
    reason: str = ""
    not_before: float = 0.0
    sent_at: float | None = None


def put(tx: Tx, new: New, now: float) -> None:
    """Queue a message behind what its destination already waits for; once per id."""
    tx.run(
        "outbox.add",
        destination=new.to.key,
        address=msgspec.json.encode(new.to),
        body=msgspec.json.encode(new.message),
        created_at=now,
        **asdict(new),
    )


def get(tx: Tx, row: str) -> Row | None:
    """Read a row."""
    return tx.one(Row, "outbox.get", id=row)


def asked(tx: Tx, approval: str) -> list[Row]:
    """List the rows that put a question to people."""
    return tx.all(Row, "outbox.between", low=f"{approval}:ask:", high=f"{approval}:ask;")


def forget_asked(tx: Tx, approval: str) -> None:
    """Forget the words of a question wherever it was delivered."""
    low, high = f"{approval}:ask:", f"{approval}:ask;"
    tx.run("outbox.blank", low=low, high=high, empty=b"")


def waiting_on(tx: Tx, approval: str) -> list[Row]:
    """List what of a question is still to be sent."""
    return tx.all(Row, "outbox.waiting_between", low=f"{approval}:ask:", high=f"{approval}:ask;")


def reword(tx: Tx, row: str, message: Outgoing) -> None:
    """Have a row that waits say something else."""
    tx.run("outbox.reword", id=row, body=msgspec.json.encode(message))


def open_rows(tx: Tx, destination: str, most: int = 16) -> list[Row]:
    """List what a destination still has to get, in order."""
    return tx.all(Row, "outbox.open", destination=destination, most=most)


def destinations(tx: Tx) -> list[str]:
    """List the destinations that still have to get something."""
    return tx.all(str, "outbox.destinations")


def mark(tx: Tx, row: str, to: Mark) -> bool:
    """Change an open row's state; False where it has ended."""
    return tx.run("outbox.mark", id=row, **asdict(to)) == 1


def move(tx: Tx, unsent: Row, to: Address) -> None:
    """Have a row that was certainly not sent, and all that is to be sent there, go elsewhere.

    In order, without what they answer; what replaces a message that was shown there stays.
    """
    mark(tx, unsent.id, Mark(state=RowState.PENDING, attempts=unsent.attempts))
    for row in open_rows(tx, unsent.destination, _ALL):
        if row.stub_id and (stub := get(tx, row.stub_id)) is not None and stub.ref:
            continue
        address, body = (
            msgspec.json.encode(to),
            msgspec.json.encode(replace(row.message, reply_to="")),
        )
        tx.run("outbox.move", id=row.id, destination=to.key, address=address, body=body)


def renew(tx: Tx, row: str) -> None:
    """Send a stub anew, because the one that was shown is gone."""
    tx.run("outbox.renew", id=row)


def depth(tx: Tx) -> tuple[int, float | None]:
    """Count what waits, and tell since when."""
    found = tx.one(lambda count, since: (int(count), since), "outbox.depth")
    return found or (0, None)


def failed(tx: Tx, most: int = 50) -> list[Row]:
    """List what could not be delivered or is not known to be, newest first."""
    return tx.all(Row, "outbox.failed", most=most)
