"""Second factors of log-ins, sealed, and the codes for whoever lost theirs, hashed."""

from msgspec import Struct

from clawdbot.domain.ports import Tx
from clawdbot.store.vault import Vault


class Factor(Struct, frozen=True):
    """A user's second factor; `step` is the last that was used, unconfirmed it counts for none."""

    user_id: str
    sealed: bytes
    step: int
    confirmed_at: float | None


def seal(vault: Vault, user: str, key: bytes) -> bytes:
    """Seal a key for its user."""
    return vault.seal(_row(user), key)


def key_of(vault: Vault, factor: Factor) -> bytes:
    """Open a factor's key; raises SealBroken."""
    return vault.open(_row(factor.user_id), factor.sealed)


def get(tx: Tx, user: str) -> Factor | None:
    """Read a user's second factor."""
    return tx.one(Factor, "factors.get", user_id=user)


def confirmed(tx: Tx, user: str) -> Factor | None:
    """Read a user's second factor where it counts."""
    found = get(tx, user)
    return found if found is not None and found.confirmed_at is not None else None


def put(tx: Tx, factor: Factor) -> None:
    """Keep a user's second factor, in place of an earlier one."""
    tx.run(
        "factors.put",
        user_id=factor.user_id,
        sealed=factor.sealed,
        step=factor.step,
        confirmed_at=factor.confirmed_at,
    )


def keep_recoveries(tx: Tx, user: str, hashes: list[str]) -> None:
    """Keep fresh recovery codes in place of the earlier ones."""
    tx.run("recoveries.erase", user_id=user)
    for hashed in hashes:
        tx.run("recoveries.add", hash=hashed, user_id=user)


def recover(tx: Tx, user: str, hashed: str) -> bool:
    """Use a recovery code up; False where there is none."""
    return tx.run("recoveries.use", hash=hashed, user_id=user) == 1


def remove(tx: Tx, user: str) -> bool:
    """Forget a user's second factor; False where there is none."""
    tx.run("recoveries.erase", user_id=user)
    return tx.run("factors.remove", user_id=user) == 1


def reseal(tx: Tx, vault: Vault) -> None:
    """Seal all keys under the newest master key."""
    for factor in tx.all(Factor, "factors.list"):
        fresh = seal(vault, factor.user_id, key_of(vault, factor))
        put(tx, Factor(factor.user_id, fresh, factor.step, factor.confirmed_at))


def _row(user: str) -> str:
    return f"factors {user}"
