"""Turns: the row that decides order, ownership and progress."""

from enum import StrEnum

import msgspec
from msgspec.structs import asdict

from clawdbot.domain.inbound import Address
from clawdbot.domain.ports import Tx

_ADDRESS = msgspec.json.Decoder(Address)
_ALL = 1_000_000_000


class TurnState(StrEnum):
    """ready -> running -> (parked -> ready ->) done | stopped | dead."""

    READY = "ready"
    RUNNING = "running"
    PARKED = "parked"
    DONE = "done"
    STOPPED = "stopped"
    DEAD = "dead"


class Turn(msgspec.Struct, frozen=True):
    """One turn; `token` is the right to write it, `body` its recorded state."""

    id: str
    conversation_id: str
    session_id: str
    position: int
    user_id: str
    address: bytes
    reply_to: str
    state: str
    stop: str
    attempts: int
    steps: int
    steps_seen: int
    node: str
    token: str
    version: int
    body: bytes
    created_at: float
    claimed_at: float | None = None

    @property
    def to(self) -> Address:
        """Read where the answer goes."""
        return _ADDRESS.decode(self.address)


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A turn about to be queued; with a token it is claimed at once, for a node."""

    id: str
    conversation: str
    session: str
    position: int
    user: str
    to: Address
    reply_to: str
    now: float
    node: str = ""
    token: str = ""


def add(tx: Tx, new: New) -> Turn:
    """Queue a turn."""
    claimed = bool(new.token)
    turn = Turn(
        id=new.id,
        conversation_id=new.conversation,
        session_id=new.session,
        position=new.position,
        user_id=new.user,
        address=msgspec.json.encode(new.to),
        reply_to=new.reply_to,
        state=TurnState.RUNNING if claimed else TurnState.READY,
        stop="",
        attempts=int(claimed),
        steps=0,
        steps_seen=0 if claimed else -1,
        node=new.node,
        token=new.token,
        version=0,
        body=b"",
        created_at=new.now,
        claimed_at=new.now if claimed else None,
    )
    tx.run("turns.add", **asdict(turn))
    return turn


def get(tx: Tx, turn: str) -> Turn | None:
    """Read a turn."""
    return tx.one(Turn, "turns.get", id=turn)


def head(tx: Tx, conversation: str) -> Turn | None:
    """Find the earliest unfinished, unparked turn of a conversation."""
    return tx.one(Turn, "turns.head", conversation_id=conversation)


def to_stop(tx: Tx, conversation: str) -> Turn | None:
    """Find the turn that a /stop means: the one at the head, else the last that waits for a yes."""
    last = tx.one(Turn, "turns.parked", conversation_id=conversation)
    return head(tx, conversation) or last


def front(tx: Tx, turn: str) -> Turn | None:
    """Find the head of the conversation that a turn belongs to: often the turn itself."""
    return tx.one(Turn, "turns.front", id=turn)


def last(tx: Tx, conversation: str) -> Turn | None:
    """Find the last turn of a conversation, whatever became of it."""
    return tx.one(Turn, "turns.last", conversation_id=conversation)


def unclaimed(tx: Tx, conversation: str, user: str) -> Turn | None:
    """Find the user's last turn of a conversation that nobody claimed yet."""
    return tx.one(Turn, "turns.unclaimed", conversation_id=conversation, user_id=user)


def unfinished(tx: Tx, conversation: str) -> list[Turn]:
    """List the unfinished turns of a conversation, in order."""
    return tx.all(Turn, "turns.unfinished", conversation_id=conversation)


def of_user(tx: Tx, user: str, most: int = _ALL) -> list[Turn]:
    """List a user's unfinished turns that nobody stopped yet, oldest first."""
    return tx.all(Turn, "turns.of_user", user_id=user, most=most)


def waiting(tx: Tx, conversation: str) -> int:
    """Count the unfinished turns of a conversation."""
    return tx.one(int, "turns.waiting", conversation_id=conversation) or 0


def stop(tx: Tx, turn: str, by: str) -> bool:
    """Mark a turn to stop; False where it has ended."""
    return tx.run("turns.stop", id=turn, stop=by) == 1


def close(tx: Tx, turn: str, state: TurnState, now: float) -> bool:
    """End a turn that nobody runs; False where somebody does."""
    return tx.run("turns.close", id=turn, state=state, now=now) == 1


def ready(tx: Tx, most: int = 1000) -> list[str]:
    """List the ids of ready turns whose turn it is."""
    return tx.all(str, "turns.ready", most=most)


def dead(tx: Tx, most: int = 50) -> list[Turn]:
    """List dead-lettered turns, newest first."""
    return tx.all(Turn, "turns.dead", most=most)


def counts(tx: Tx) -> dict[str, int]:
    """Count the turns by what they are doing."""
    return dict(tx.all(lambda state, count: (str(state), int(count)), "turns.counts"))


def oldest(tx: Tx) -> float | None:
    """Tell since when the oldest unfinished turn waits."""
    return tx.one(lambda at: None if at is None else float(at), "turns.oldest")
