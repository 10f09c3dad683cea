"""A person is forgotten: begun in one transaction, carried out in pieces, a tombstone at the end.

From `begin` on nobody acts as them, and it goes on after any crash: every piece may be done again.
What others wrote in the same conversations stays. `Ledger` is the list outside the database.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from clawdbot.domain.ports import Outgoing, Tx
from clawdbot.domain.text import say
from clawdbot.store import audit, conversations, outbox, people, rights, search
from clawdbot.store.conversations import Conversation

_OF_TURN = (
    "erasure.approvals",
    "erasure.waits",
    "erasure.steps",
    "erasure.turn",
)
# What an account on a platform leads to goes before the account.
_OF_USER = (
    ("erasure.timers", "erasure.pairings", "erasure.codes"),
    ("erasure.identities",),
)
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Erased(msgspec.Struct, frozen=True):
    """Who was erased and when; `finished_at` is None while something of them may be left."""

    user_id: str
    erased_at: float
    finished_at: float | None


class Counts(msgspec.Struct, frozen=True):
    """How much of a person there is."""

    conversations: int
    turns: int
    deliveries: int
    messages: int
    approvals: int
    files: int
    notes: int
    reminders: int
    usage: int
    accounts: int
    logins: int


class Gone(msgspec.Struct, frozen=True):
    """A turn that is to be forgotten."""

    id: str
    conversation_id: str
    session_id: str
    position: int


def begin(tx: Tx, user: str, now: float) -> None:
    """Lock a user out for good, by as few rows whatever they own."""
    tx.run("erasure.begin", user_id=user, now=now)
    people.set_disabled(tx, user, now)
    people.set_password(tx, user, "")
    audit.erase(tx, user)


def listed(tx: Tx) -> list[Erased]:
    """List who was erased, or is."""
    return tx.all(Erased, "erasure.list")


def under_way(tx: Tx) -> list[str]:
    """Name whose erasure is not finished."""
    return [each.user_id for each in listed(tx) if each.finished_at is None]


def counts(tx: Tx, user: str) -> Counts:
    """Count what there is of a user."""
    return tx.one(Counts, "erasure.counts", user_id=user) or Counts(*(0,) * 11)


def turns(tx: Tx, user: str, after: str, most: int) -> list[Gone]:
    """Find a user's turns, in groups too, from behind one on."""
    return tx.all(Gone, "erasure.turns", user_id=user, after=after, most=most)


def lanes(tx: Tx, user: str, after: str, most: int) -> list[Conversation]:
    """Find the conversations that a user began, from behind one on."""
    return tx.all(Conversation, "erasure.lanes", user_id=user, after=after, most=most)


def rows(tx: Tx, user: str, after: str, most: int) -> list[str]:
    """Find what was to be delivered to a user, from behind a row on."""
    return tx.all(str, "erasure.outbox", user_id=user, after=after, most=most)


def deliveries(tx: Tx, user: str, after: str, most: int) -> list[str]:
    """Find what came from a user, and what nobody knows who sent, from behind a row on."""
    return tx.all(str, "erasure.inbox", user_id=user, after=after, most=most)


def forget_turns(tx: Tx, user: str, gone: list[Gone]) -> None:
    """Forget turns with all that names them; who still runs one is fenced."""
    for session in dict.fromkeys(turn.session_id for turn in gone):
        tx.run("erasure.summaries", id=session)
    for turn in gone:
        for approval in rights.of_turn(tx, turn.id):
            _take_back(tx, approval.id)
        tx.run("erasure.inbox_turn", id=turn.id, empty=b"")
        tx.run(
            "erasure.transcript",
            conversation_id=turn.conversation_id,
            position=turn.position,
            user_id=user,
        )
        for query in _OF_TURN:
            tx.run(query, id=turn.id)


def forget_lanes(tx: Tx, user: str, gone: list[Conversation], now: float) -> None:
    """Forget a user's own conversations; one that others share is left to them, without a name."""
    for lane in gone:
        if not lane.scope.startswith("direct:") and not lane.scope.endswith(f":{user}"):
            tx.run("erasure.unowned", id=lane.id)
            continue
        if lane.scope.startswith("direct:"):
            tx.run("erasure.outbox_strange", destination=lane.to.key)
        conversations.drop(tx, lane.id, now)


def forget_rows(tx: Tx, gone: list[str]) -> None:
    """Forget what was to be delivered."""
    for row in gone:
        tx.run("erasure.outbox_row", id=row)


def forget_deliveries(tx: Tx, gone: list[str]) -> None:
    """Forget what came; its key stays, so that it is not taken for new."""
    for row in gone:
        tx.run("erasure.inbox_row", id=row, empty=b"")


def forget_usage(tx: Tx, user: str, most: int) -> int:
    """Forget a part of what a user used; tell how many rows."""
    return tx.run("erasure.usage", user_id=user, most=most)


def forget_words(tx: Tx, user: str, most: int) -> int:
    """Find a part of what a user said no more; tell how many turns. See `search.merge`."""
    return search.forget_some(tx, user, most)


def close(tx: Tx, user: str, most: int) -> bool:
    """Forget a part of what is left, or, where nothing is, the user; True if there is more."""
    for queries in _OF_USER:
        if sum(tx.run(query, user_id=user, most=most) for query in queries):
            return True
    people.erase(tx, user)
    audit.erase(tx, user)  # a turn that ended late may have made a new key
    return False


def finish(tx: Tx, user: str, now: float) -> None:
    """Leave the tombstone."""
    tx.run("erasure.finish", user_id=user, now=now)


class Ledger:
    """Who was erased, a line each, beside the database: what is restored must not have them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def users(self) -> list[str]:
        """Read their ids; raises OSError."""
        if not self._path.exists():
            return []
        lines = self._path.read_text("utf-8", "replace").splitlines()
        return [words[0] for line in lines if (words := line.split())]

    def add(self, user: str, at: float) -> None:
        """Append a user, on the disk for good, unless they are listed; raises OSError."""
        if user in self.users():
            return
        line = f"{user} {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}\n"
        fd = os.open(self._path, _APPEND, 0o600)
        try:
            # In front, too: a line that was cut short stays alone.
            os.write(fd, line.encode() if os.fstat(fd).st_size == 0 else f"\n{line}".encode())
            os.fsync(fd)
        finally:
            os.close(fd)


def _take_back(tx: Tx, approval: str) -> None:
    """Forget the words of a question wherever it was put; what waits says only that it is over."""
    for row in outbox.waiting_on(tx, approval):
        user = people.get(tx, row.user_id)
        text = say(user.language if user is not None else "en", "This question was taken back.")
        outbox.reword(tx, row.id, Outgoing(text=text))
    outbox.forget_asked(tx, approval)
