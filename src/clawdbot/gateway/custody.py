"""The owner's hand on secrets and the audit trail, a part of `Control`.

A secret's text goes in and never comes out. Every change is a row of the trail.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from clawdbot.domain.errors import BadInput
from clawdbot.domain.people import User
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.domain.secret import Secret
from clawdbot.gateway.route import Caller
from clawdbot.store import audit, erasure, factors, people, proof, secrets
from clawdbot.store.audit import Audit, Entry, Kind, Query, Row
from clawdbot.store.vault import Vault

# Who is named by their id alone, as nobody knows any more who it was.
ERASED = "erased person"

_UNKNOWN = "There is no secret of that name. See `clawdbot secret list`."


class Keep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret by its name: what it is to be, and all places that it may be sent to."""

    name: str
    text: str = ""
    origins: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Print no secret."""
        return f"Keep(name={self.name!r})"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A secret, as a listing shows it."""

    name: str
    origins: tuple[str, ...]
    created_at: float
    rotated_at: float | None


class Shown(Row, frozen=True, kw_only=True):
    """A row of the trail with its user's name and, where it was asked for, what is sealed.

    `erased` tells that something was, and that nobody can open it any more.
    """

    user: str
    content: str
    erased: bool


class Custody(msgspec.Struct, kw_only=True):
    """What the owner may do with secrets and the trail; `by` is whoever else of the house does."""

    db: Db
    clock: Clock
    vault: Vault
    audit: Audit
    by: str = ""

    async def who(self, caller: Caller) -> User:
        """Give who acts: at this machine the owner; raises BadInput while there is none."""
        if not caller.local:
            return caller.who
        if not (owners := await self.db.read(people.owners)):
            raise BadInput("Nobody owns this assistant yet. Run `clawdbot setup`.")
        return owners[0]

    async def secrets(self) -> list[Listed]:
        """List the secrets."""
        return [
            Listed(name=s.name, origins=s.bound, created_at=s.created_at, rotated_at=s.rotated_at)
            for s in await self.db.read(secrets.listed)
        ]

    async def keep_secret(self, wish: Keep) -> None:
        """Set a secret, in place of an earlier one of its name; raises BadInput."""
        new = secrets.New(
            id=self.clock.ulid(),
            name=wish.name,
            text=Secret(wish.text),
            origins=wish.origins,
            now=self.clock.now(),
        )
        row = secrets.seal(self.vault, new)
        await self._do("secret.set", wish.name, lambda tx: secrets.put(tx, row))

    async def rotate_secret(self, wish: Keep) -> None:
        """Give a secret a new text; without a name, seal everything under a fresh master key.

        Until all is sealed anew, the key's source holds both keys: what is sealed always opens.
        """
        if not wish.name:
            self.vault.renew()
            await self._do("secret.rotate", "", self._reseal)
            self.vault.retire()
            return
        before = await self.db.read(lambda tx: secrets.get(tx, wish.name))
        if before is None:
            raise BadInput(_UNKNOWN)
        now, fresh = self.clock.now(), self.clock.ulid()
        row = secrets.renewed(self.vault, before, fresh, Secret(wish.text), now)

        def work(tx: Tx) -> None:
            if secrets.get(tx, wish.name) != before:
                raise BadInput(_UNKNOWN)
            secrets.put(tx, row)

        await self._do("secret.rotate", wish.name, work)

    async def forget_secret(self, wish: Keep) -> None:
        """Forget a secret."""

        def work(tx: Tx) -> None:
            if not secrets.remove(tx, wish.name):
                raise BadInput(_UNKNOWN)

        await self._do("secret.remove", wish.name, work)

    async def trail(self, wish: Query) -> list[Shown]:
        """Show rows of the trail; `user` may be a name."""

        def content(tx: Tx, row: Row) -> str:
            return audit.content(tx, self.vault, row).decode(errors="replace")

        def look(tx: Tx) -> list[Shown]:
            names = {user.id: user.name for user in people.listed(tx)}
            ids = {name: id_ for id_, name in names.items()}
            names |= {each.user_id: ERASED for each in erasure.listed(tx)}
            query = msgspec.structs.replace(wish, user=ids.get(wish.user, wish.user))
            return [
                Shown(
                    *msgspec.structs.astuple(row),
                    user=names.get(row.user_id, row.user_id),
                    content=(text := content(tx, row) if wish.content else ""),
                    erased=wish.content and bool(row.payload) and not text,
                )
                for row in audit.find(tx, query)
            ]

        return await self.db.read(look)

    async def erase(self, user: str) -> None:
        """Erase what the record holds of a user's words, named or by id; the rows stay."""
        found = await self.db.read(lambda tx: people.by_name(tx, user) or people.get(tx, user))
        if found is None:
            raise BadInput("There is no user of that name. See `clawdbot user list`.")
        id_ = found.id
        await self._do("audit.erase", id_, lambda tx: audit.erase(tx, id_), Kind.ADMIN)

    async def note(self, what: str, name: str, user: str) -> None:
        """Record that a user changed something else."""
        await self._do(what, name, lambda _: None, Kind.ADMIN, user)

    async def verify(self, kept: str) -> proof.Verdict:
        """Check the whole trail; `kept` is a file of checkpoints that `audit.export` wrote."""

        def look(tx: Tx) -> proof.Verdict:
            signer = audit.signer(tx, self.vault)
            return proof.verify(tx, signer.public if signer else "", _kept(kept))

        return await self.db.read(look)

    async def _do(
        self,
        what: str,
        name: str,
        fn: Callable[[Tx], object],
        kind: Kind = Kind.SECRET,
        user: str = "",
    ) -> None:
        """Change something, with its row in the same transaction."""
        now = self.clock.now()

        def work(tx: Tx) -> None:
            fn(tx)
            entry = Entry(
                at=now,
                kind=kind,
                what=what,
                user_id=user or self.by or people.first_owner(tx),
                decision="allow",
                rule="owner",
                arguments=sha256(name.encode()).hexdigest(),
                outcome=name,
            )
            self.audit.append(tx, entry)

        await self.db.write(work)

    def _reseal(self, tx: Tx) -> None:
        secrets.reseal(tx, self.vault)
        audit.reseal(tx, self.vault)
        factors.reseal(tx, self.vault)


def _kept(path: str) -> Iterator[proof.Kept]:
    if not path:
        return
    try:
        with Path(path).open("rb") as file:
            for line in file:
                yield msgspec.json.decode(line, type=proof.Kept)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput("The file of checkpoints cannot be read.") from error
