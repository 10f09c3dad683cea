"""An owner's recorded decisions on one kind of thing: what it was, by its hash, and that they may.

A standing yes was to what ran then: it ends where something else is trusted, or nothing any more.
Whether the thing is still the same is for others to look at.
"""

from collections.abc import Callable

from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.store import people, plugins, rights
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.plugins import Trusted
from clawdbot.store.rights import Kept

# Whether a standing yes was to what is decided on.
Of = Callable[[Kept], bool]
_STANDINGS_MOST = 100_000


class Decisions:
    """The decisions on a kind; `by` is the owner who decides, the first one at the terminal."""

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

    async def trust(
        self, name: str, digest: str, told: bytes, of: Of, publisher: str = "", *, by: str = ""
    ) -> None:
        """Keep a yes to exactly this, with what the owner was shown.

        Standing yeses `of` it end where it was something else before.
        """

        def work(tx: Tx) -> None:
            entry = self.note(tx, name, "trust", digest, by=by)
            before = plugins.get(tx, name, self._kind)
            if before is not None and before.hash != digest:
                _revoke(tx, of, entry.at)
            row = Trusted(
                name=name,
                hash=digest,
                manifest=told,
                publisher=publisher,
                state="trusted",
                trusted_by=entry.user_id,
                trusted_at=entry.at,
                kind=self._kind,
            )
            plugins.put(tx, row)

        await self._db.write(work)

    async def withdraw(self, name: str, of: Of, *, by: str = "") -> bool:
        """Take a yes back, and the standing ones of it; False where there is none."""

        def work(tx: Tx) -> bool:
            known = plugins.remove(tx, name, self._kind)
            _revoke(tx, of, self.note(tx, name, "remove", by=by).at)
            return known

        return await self._db.write(work)

    def note(self, tx: Tx, name: str, decision: str, digest: str = "", *, by: str = "") -> Entry:
        """Put a decision on record."""
        entry = Entry(
            at=self._clock.now(),
            kind=Kind.ADMIN,
            what=f"{self._kind} {name}",
            user_id=by or people.first_owner(tx),
            decision=decision,
            arguments=digest,
        )
        self._record(tx, entry)
        return entry


def _revoke(tx: Tx, of: Of, now: float) -> None:
    for kept in filter(of, rights.listed(tx, _STANDINGS_MOST)):
        if not kept.never:
            rights.revoke(tx, kept.id, now)
