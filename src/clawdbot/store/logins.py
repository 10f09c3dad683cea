"""Log-ins: browser sessions and tokens, by the hash of what the client holds; wrong tries."""

from msgspec import Struct
from msgspec.structs import asdict

from clawdbot.domain.ports import Tx

# Codes count towards what may be given in an hour.
_KEPT_S = 3600.0
_WRONG_KEPT_S = 86400.0
_WRONG_MOST = 10_000


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


class Wrong(Struct, frozen=True):
    """The wrong tries of a name or an address, and when the last was."""

    key: str
    tries: int
    tried_at: float


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
    """Drop log-ins that ended, codes and wrong tries some time after; tell how many log-ins."""
    tx.run("codes.expire", before=now - _KEPT_S)
    tx.run("logins.expire_wrong", before=now - _WRONG_KEPT_S, now=now)
    return tx.run("logins.expire", now=now)


def count_wrong(tx: Tx, key: str, user: str, now: float) -> None:
    """Count a wrong try, as a user or as nobody, against a name or an address.

    Beyond a number the oldest go: a flood does not grow the table.
    """
    tx.run("logins.count_wrong", key=key, user_id=user, now=now)
    tx.run("logins.trim_wrong", most=_WRONG_MOST)


def wrong(tx: Tx, key: str) -> Wrong | None:
    """Read the wrong tries of a name or an address."""
    return tx.one(Wrong, "logins.wrong", key=key)


def all_wrong(tx: Tx) -> list[Wrong]:
    """List the wrong tries, latest first."""
    return tx.all(Wrong, "logins.all_wrong")


def forgive(tx: Tx, key: str) -> bool:
    """Forget the wrong tries of a name or an address; False where there are none."""
    return tx.run("logins.forgive", key=key) == 1
