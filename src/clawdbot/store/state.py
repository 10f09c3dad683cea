"""Facts about the store itself."""

from clawdbot.domain.ports import Tx


def epoch(tx: Tx, fresh: str) -> str:
    """Read the epoch that every token carries; `fresh` begins it in a new store."""
    found = tx.one(str, "meta.get", key="epoch")
    if found is not None:
        return found
    tx.run("meta.set", key="epoch", value=fresh)
    return fresh
