"""What an owner trusts: a plugin's bytes by their hash, with exactly these permissions."""

from dataclasses import dataclass

from clawdbot.domain.ports import Tx
from clawdbot.store.sql import values


@dataclass(frozen=True, slots=True)
class Trusted:
    """One decision of an owner; `manifest` is what they were shown, as JSON."""

    name: str
    hash: str
    manifest: bytes
    publisher: str
    state: str
    trusted_by: str
    trusted_at: float


def put(tx: Tx, trusted: Trusted) -> None:
    """Keep a decision, instead of an earlier one."""
    tx.run("plugins.put", **values(trusted))


def get(tx: Tx, name: str) -> Trusted | None:
    """Read the decision on a plugin."""
    return tx.one(Trusted, "plugins.get", name=name)


def listed(tx: Tx) -> list[Trusted]:
    """List every decision, by name."""
    return tx.all(Trusted, "plugins.list")


def remove(tx: Tx, name: str) -> bool:
    """Take a decision back; False where there is none."""
    return tx.run("plugins.remove", name=name) == 1
