"""An owner's recorded decisions on one kind of thing: what it was, by its hash, and that they may.

Whether the thing is still the same is for others to look at.
"""

from collections.abc import Callable

from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.store import people, plugins
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.plugins import Trusted


class Decisions:
    """The decisions on a kind."""

    def __init__(
        self, db: Db, clock: Clock, record: Callable[[Tx, Entry], object], kind: str
    ) -> None:
        self._db = db
        self._clock = clock
        self._record = record
        self._kind = kind

    async def all(self) -> dict[str, Trusted]:
        """Read every decision, by name."""
        rows = await self._db.read(lambda tx: plugins.listed(tx, self._kind))
        return {row.name: row for row in rows}

    async def trust(self, name: str, digest: str, told: bytes) -> None:
        """Keep a yes to exactly this, with what the owner was shown."""

        def work(tx: Tx) -> None:
            entry = self._entry(tx, name, "trust", digest)
            self._record(tx, entry)
            row = Trusted(
                name=name,
                hash=digest,
                manifest=told,
                publisher="",
                state="trusted",
                trusted_by=entry.user_id,
                trusted_at=entry.at,
                kind=self._kind,
            )
            plugins.put(tx, row)

        await self._db.write(work)

    async def withdraw(self, name: str) -> bool:
        """Take a yes back; False where there is none."""

        def work(tx: Tx) -> bool:
            known = plugins.remove(tx, name, self._kind)
            self._record(tx, self._entry(tx, name, "remove", ""))
            return known

        return await self._db.write(work)

    def _entry(self, tx: Tx, name: str, decision: str, digest: str) -> Entry:
        owners = people.owners(tx)
        return Entry(
            at=self._clock.now(),
            kind=Kind.ADMIN,
            what=f"{self._kind} {name}",
            user_id=owners[0].id if owners else "",
            decision=decision,
            arguments=digest,
        )
