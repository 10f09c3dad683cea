"""One-time codes of people: invitations, and links to accounts on platforms; only their hashes."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import asdict

from clawdbot.domain.ports import Tx


class Kind(StrEnum):
    """What a code does for whoever brings it: see `schema/0004.sql`."""

    INVITE = "invite"
    LINK = "link"
    CLAIM = "claim"


class Code(Struct, frozen=True, kw_only=True):
    """A code that is still open; `user_id` is for whom, `made_by` who made it."""

    hash: str
    id: str
    kind: Kind
    user_id: str = ""
    made_by: str = ""
    name: str = ""
    role: str = ""
    platform: str = ""
    external: str = ""
    created_at: float
    expires_at: float


def add(tx: Tx, code: Code) -> None:
    """Keep a code."""
    tx.run("codes.add", **asdict(code))


def find(tx: Tx, kind: Kind, hashed: str, now: float) -> Code | None:
    """Find an open code by its hash."""
    return tx.one(_code, "codes.find", kind=kind, hash=hashed, now=now)


def listed(tx: Tx, kind: Kind, now: float) -> list[Code]:
    """List the open codes of a kind, oldest first."""
    return tx.all(_code, "codes.list", kind=kind, now=now)


def close(tx: Tx, kind: Kind, id_: str, state: str) -> bool:
    """Use a code up; False where somebody did."""
    return tx.run("codes.close", kind=kind, id=id_, state=state) == 1


def close_of(tx: Tx, kind: Kind, user: str, platform: str = "", external: str = "") -> None:
    """Take back the open codes of a kind: for a user, or of a platform's account."""
    tx.run("codes.close_of", kind=kind, user_id=user, platform=platform, external=external)


def given(tx: Tx, platform: str, external: str, since: float) -> tuple[int, int]:
    """Count the codes given on platforms since a time: to this account, and to all."""
    counts = tx.one(
        lambda mine, every: (int(mine), int(every)),
        "codes.given",
        platform=platform,
        external=external,
        since=since,
    )
    return counts or (0, 0)


def _code(*row: object) -> Code:
    names = Code.__struct_fields__
    return Code(**dict(zip(names, row, strict=True)))  # type: ignore[arg-type]  # as selected
