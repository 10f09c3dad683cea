"""Log-ins: browser sessions and tokens, found by the hash of what the client holds."""

from msgspec import Struct
from msgspec.structs import asdict

from clawdbot.domain.ports import Tx

# Codes count towards what may be given in an hour.
_KEPT_S = 3600.0


class Login(Struct, frozen=True):
    """A client that proved who it is; `csrf` is what its forms must carry.

    `id` names it to people; `name` is a browser's agent or what a token is called; `scopes` (with
    spaces between) and `read_only` bound a token.
    """

    hash: str
    user_id: str
    kind: str
    csrf: str
    seen_at: float
    expires_at: float
    id: str = ""
    name: str = ""
    address: str = ""
    scopes: str = ""
    read_only: int = 0
    created_at: float = 0.0


def add(tx: Tx, login: Login) -> None:
    """Keep a log-in, begun when it was last seen."""
    tx.run("logins.add", **asdict(login))


def get(tx: Tx, hashed: str, now: float) -> Login | None:
    """Find a log-in that is still good."""
    return tx.one(Login, "logins.get", hash=hashed, now=now)


def end(tx: Tx, hashed: str) -> bool:
    """End a log-in; False where there is none."""
    return tx.run("logins.end", hash=hashed) == 1


def of_user(tx: Tx, user: str, now: float) -> list[Login]:
    """List a user's log-ins that are still good, last seen first."""
    return tx.all(Login, "logins.of_user", user_id=user, now=now)


def see(tx: Tx, hashed: str, address: str, now: float) -> None:
    """Note that a log-in was used, from where."""
    tx.run("logins.see", hash=hashed, address=address, now=now)


def end_of(tx: Tx, user: str, kind: str = "", but: str = "") -> int:
    """End a user's log-ins of a kind (empty: all) but one, by its hash; tell how many."""
    return tx.run("logins.end_of", user_id=user, kind=kind, but=but)


def end_kind(tx: Tx, kind: str) -> int:
    """End every log-in of a kind; tell how many."""
    return tx.run("logins.end_kind", kind=kind)


def expire(tx: Tx, now: float) -> int:
    """Drop log-ins that ended, and codes some time after; tell how many log-ins."""
    tx.run("codes.expire", before=now - _KEPT_S)
    return tx.run("logins.expire", now=now)
