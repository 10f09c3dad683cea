"""Users, the platform accounts that are theirs, and strangers with a pairing code."""

from msgspec import Struct
from msgspec.structs import asdict

from clawdbot.domain.people import User
from clawdbot.domain.ports import Tx


class Pairing(Struct, frozen=True):
    """A stranger who was shown a code; `held` is the first message's inbox row."""

    code_hash: str
    platform: str
    external: str
    name: str
    language: str
    held: str
    created_at: float
    expires_at: float


class Identity(Struct, frozen=True):
    """A platform's account that is a user's."""

    platform: str
    external: str
    user_id: str
    name: str
    created_at: float


def by_identity(tx: Tx, platform: str, external: str) -> User | None:
    """Find the user behind a platform's account."""
    return tx.one(User, "people.by_identity", platform=platform, external=external)


def in_groups(platform: str) -> str:
    """Name a platform's accounts that are somebody's in groups only."""
    return f"{platform}.groups"


def get(tx: Tx, user: str) -> User | None:
    """Read a user."""
    return tx.one(User, "people.get", id=user)


def by_name(tx: Tx, name: str) -> User | None:
    """Find a user by name."""
    return tx.one(User, "people.by_name", name=name)


def listed(tx: Tx) -> list[User]:
    """List all users, oldest first."""
    return tx.all(User, "people.list")


def owners(tx: Tx) -> list[User]:
    """List the owners who are not disabled."""
    return tx.all(User, "people.owners")


def first_owner(tx: Tx) -> str:
    """Give the id of the owner as whom commands act; empty while there is none."""
    return next((owner.id for owner in owners(tx)), "")


def add(tx: Tx, user: User, now: float, password: str = "") -> None:
    """Add a user; `password` is an argon2 hash."""
    tx.run("people.add", password=password, created_at=now, **asdict(user))


def identify(tx: Tx, user: str, platform: str, external: str, *, name: str, now: float) -> bool:
    """Link a platform's account to a user; False where it belongs to somebody already."""
    row = {"platform": platform, "external": external, "user_id": user, "name": name}
    return tx.run("people.identify", created_at=now, **row) == 1


def password(tx: Tx, user: str) -> str:
    """Read a user's argon2 hash; empty where there is none."""
    return tx.one(str, "people.password", id=user) or ""


def set_password(tx: Tx, user: str, hashed: str) -> None:
    """Store a user's argon2 hash."""
    tx.run("people.set_password", id=user, password=hashed)


def set_profile(tx: Tx, user: User) -> None:
    """Store a user's name, language and time zone."""
    tx.run("people.set_profile", **asdict(user))


def set_role(tx: Tx, user: str, role: str) -> None:
    """Give a user a role."""
    tx.run("people.set_role", id=user, role=role)


def set_disabled(tx: Tx, user: str, at: float | None) -> None:
    """Disable a user from a time on, or let them act again."""
    tx.run("people.set_disabled", id=user, disabled_at=at)


def identities(tx: Tx, user: str = "") -> list[Identity]:
    """List a user's accounts on platforms, or everybody's."""
    return tx.all(Identity, "identities.list", user_id=user)


def move(tx: Tx, platform: str, external: str, user: str) -> bool:
    """Give a platform's account to another user; False where it is nobody's."""
    found = tx.run("identities.move", platform=platform, external=external, user_id=user)
    return found == 1


def unlink(tx: Tx, user: str, platform: str, external: str) -> bool:
    """Take a platform's account from its user; False where it is not theirs."""
    found = tx.run("identities.remove", platform=platform, external=external, user_id=user)
    return found == 1


def seen(tx: Tx) -> dict[str, float]:
    """Tell when each user was last heard of."""
    return dict(tx.all(lambda user, at: (str(user), float(at)), "people.seen"))


def secured(tx: Tx) -> dict[str, tuple[bool, bool]]:
    """Tell of each user whether they have a password, and a second factor."""
    found = tx.all(lambda *row: (str(row[0]), bool(row[1]), bool(row[2])), "people.secured")
    return {user: (password, factor) for user, password, factor in found}


def forget_ways(tx: Tx, user: str, most: int) -> int:
    """Forget a part of how a user comes in, of what they had allowed or noted, of what was due.

    Tells how many rows: `most` at most of each kind.
    """
    ways = (
        "logins.erase",
        "logins.erase_wrong",
        "codes.erase",
        "recoveries.erase",
        "factors.remove",
        "standings.erase",
        "refusals.erase",
        "refusals.unsign",
        "notes.erase",
        "timers.erase",
    )
    return sum(tx.run(query, user_id=user, most=most) for query in ways)


def erase(tx: Tx, user: str) -> None:
    """Forget a user, after all that names them."""
    tx.run("people.erase", user_id=user)


def reachable(tx: Tx, user: str, near: str = "") -> bytes | None:
    """Find the address (JSON) where a user was last spoken with in person.

    Best on the channel `near`, last on our own sockets, which reach only who looks.
    """
    return tx.one(
        lambda address, _: bytes(address), "people.reachable", user_id=user, near=f"{near}:%"
    )


def add_pairing(tx: Tx, pairing: Pairing) -> None:
    """Keep a code that a stranger was shown."""
    tx.run("pairings.add", **asdict(pairing))


def pairing_of(tx: Tx, platform: str, external: str, now: float) -> Pairing | None:
    """Find the open code of a stranger."""
    return tx.one(Pairing, "pairings.of_sender", platform=platform, external=external, now=now)


def pairings_between(
    tx: Tx, platform: str, external: str, since: float, until: float
) -> tuple[int, int]:
    """Count the codes given between two times: to this sender, and to all."""
    counts = tx.one(
        lambda mine, every: (int(mine), int(every)),
        "pairings.count",
        platform=platform,
        external=external,
        since=since,
        until=until,
    )
    return counts or (0, 0)


def find_pairing(tx: Tx, code_hash: str, now: float) -> Pairing | None:
    """Find an open code by its hash."""
    return tx.one(Pairing, "pairings.find", code_hash=code_hash, now=now)


def refused(tx: Tx, platform: str, external: str, since: float) -> bool:
    """Tell whether a stranger was refused since a time."""
    return bool(tx.one(int, "pairings.refused", platform=platform, external=external, since=since))


def open_pairings(tx: Tx, now: float) -> list[Pairing]:
    """List who waits to be let in."""
    return tx.all(Pairing, "pairings.open", now=now)


def close_pairings(tx: Tx, platform: str, external: str, state: str) -> None:
    """Use up every open code of a stranger."""
    tx.run("pairings.close", platform=platform, external=external, state=state)
