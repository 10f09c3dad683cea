"""Notes: what a user asked us to keep."""

from msgspec import Struct
from msgspec.structs import asdict

from clawdbot.domain.ports import Tx


class Note(Struct, frozen=True):
    """One note, with where its words came from."""

    id: str
    body: str
    source: str
    taint: int
    at: float


def add(tx: Tx, user: str, note: Note) -> None:
    """Keep a note."""
    tx.run("notes.add", user_id=user, **asdict(note))


def listed(tx: Tx, user: str, most: int = 50) -> list[Note]:
    """List a user's notes, newest first."""
    return tx.all(Note, "notes.list", user_id=user, most=most)


def remove(tx: Tx, user: str, note: str) -> bool:
    """Forget a note; False where the user has no such note."""
    return tx.run("notes.remove", id=note, user_id=user) == 1
