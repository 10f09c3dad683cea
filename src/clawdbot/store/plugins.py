"""What an owner trusts, by its hash: a plugin, a skill, what a tool server says of itself."""

from msgspec import Struct
from msgspec.structs import asdict

from clawdbot.domain.ports import Tx

PLUGIN, SKILL, SERVER = "plugin", "skill", "server"


class Trusted(Struct, frozen=True):
    """One decision of an owner; `manifest` is what they were shown, as JSON."""

    name: str
    hash: str
    manifest: bytes
    publisher: str
    state: str
    trusted_by: str
    trusted_at: float
    kind: str = PLUGIN


def put(tx: Tx, trusted: Trusted) -> None:
    """Keep a decision, instead of an earlier one."""
    tx.run("plugins.put", **asdict(trusted))


def get(tx: Tx, name: str, kind: str = PLUGIN) -> Trusted | None:
    """Read the decision on one of a kind."""
    return tx.one(Trusted, "plugins.get", name=name, kind=kind)


def listed(tx: Tx, kind: str = PLUGIN) -> list[Trusted]:
    """List every decision of a kind, by name."""
    return tx.all(Trusted, "plugins.list", kind=kind)


def remove(tx: Tx, name: str, kind: str = PLUGIN) -> bool:
    """Take a decision back; False where there is none."""
    return tx.run("plugins.remove", name=name, kind=kind) == 1
