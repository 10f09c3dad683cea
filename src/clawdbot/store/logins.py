"""Log-ins: browser sessions and tokens, found by the hash of what the client holds."""

from dataclasses import dataclass

from clawdbot.domain.ports import Tx
from clawdbot.store.sql import values


@dataclass(frozen=True, slots=True)
class Login:
    """A client that proved who it is; `csrf` is what its forms must carry."""

    hash: str
    user_id: str
    kind: str
    csrf: str
    seen_at: float
    expires_at: float


def add(tx: Tx, login: Login) -> None:
    """Keep a log-in, begun when it was last seen."""
    tx.run("logins.add", **values(login))


def get(tx: Tx, hashed: str, now: float) -> Login | None:
    """Find a log-in that is still good."""
    return tx.one(Login, "logins.get", hash=hashed, now=now)


def end(tx: Tx, hashed: str) -> bool:
    """End a log-in; False where there is none."""
    return tx.run("logins.end", hash=hashed) == 1


def end_kind(tx: Tx, kind: str) -> int:
    """End every log-in of a kind; tell how many."""
    return tx.run("logins.end_kind", kind=kind)


def expire(tx: Tx, now: float) -> int:
    """Drop log-ins that ended; tell how many."""
    return tx.run("logins.expire", now=now)
