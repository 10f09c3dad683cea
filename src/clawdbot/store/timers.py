"""Timers: what is due, when, and who fires it."""

from msgspec import Struct
from msgspec.structs import asdict

from clawdbot.domain.ports import Tx


class Timer(Struct, frozen=True):
    """Something that is due: `kind` says who fires it, `subject` for what."""

    id: str
    kind: str
    subject: str
    user_id: str
    body: bytes
    due_at: float


def add(tx: Tx, timer: Timer, now: float) -> None:
    """Set a timer."""
    tx.run("timers.add", created_at=now, **asdict(timer))


def due(tx: Tx, kind: str, now: float, most: int = 100) -> list[Timer]:
    """List what is due of a kind."""
    return tx.all(Timer, "timers.due", kind=kind, now=now, most=most)


def next_due(tx: Tx, kind: str) -> float | None:
    """Tell when the next timer of a kind is due."""
    return tx.one(lambda at: None if at is None else float(at), "timers.next", kind=kind)


def end(tx: Tx, timer: str, state: str) -> bool:
    """Use a timer up; False where somebody did."""
    return tx.run("timers.end", id=timer, state=state) == 1


def drop(tx: Tx, kind: str, subject: str) -> None:
    """Use up the timers of a subject that needs them no longer."""
    tx.run("timers.drop", kind=kind, subject=subject)


def of_user(tx: Tx, user: str, kind: str) -> list[Timer]:
    """List a user's waiting timers of a kind."""
    return tx.all(Timer, "timers.of_user", user_id=user, kind=kind)
