"""The book of people: one transaction for a change, its row of the audit, what must end with it.

Who acts is read as they are now, inside the write; nobody acts beyond their own role. After the
commit turns stop, sockets are cut and everybody looks who must.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TypeVar

from msgspec import Struct, field

from clawdbot.domain.errors import BadInput, Denied, Missing
from clawdbot.domain.people import Area, Level, User
from clawdbot.domain.policy import ROLES, Effect, Manifest, Role, role_of
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.domain.text import say
from clawdbot.gateway.controls import Verdict, halt
from clawdbot.gateway.inbox import Inbox
from clawdbot.gateway.openings import Openings
from clawdbot.gateway.route import Caller
from clawdbot.panel import authority
from clawdbot.store import erasure, logins, people, rights, turns
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.turns import Turn
from clawdbot.tools.plugins import declared
from clawdbot.tools.registry import Registry

R = TypeVar("R")
Record = Callable[[Tx, Entry], object]

NAME_MOST = 64


class Change(Struct, kw_only=True):
    """One change in the book by whoever acts; users are `cut` from sockets, log-ins `ended`."""

    tx: Tx
    actor: User
    now: float
    custom: Mapping[str, Role]
    manifests: Mapping[str, Manifest]
    record: Record
    cut: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def tools(self) -> dict[str, Effect]:
        """Tell the effect of every tool."""
        return {name: manifest.effect for name, manifest in self.manifests.items()}

    def person(self, who: str) -> User:
        """Find a user by id or name; raises Missing."""
        found = people.get(self.tx, who) or people.by_name(self.tx, who)
        if found is None:
            raise Missing("There is no user of that name. See `clawdbot user list`.")
        return found

    def below(self, who: str) -> User:
        """Find a user on whom the actor may act; raises Missing, Denied, BadInput."""
        user = self.person(who)
        if user.id in erasure.under_way(self.tx):
            raise BadInput("This person is being erased.")
        if not authority.may_touch(self.actor, user, self.custom, self.tools):
            raise Denied("This person's role is not below yours.")
        return user

    def gives(self, role: str) -> None:
        """Check that the actor may give a role; raises BadInput for an unknown one, or Denied."""
        if role not in ROLES and role not in self.custom:
            raise BadInput("There is no role of that name. See `clawdbot role list`.")
        if not authority.may_give(self.actor.role, role, self.custom, self.tools):
            raise Denied("This role opens more than yours.")

    def above(self, role: str) -> bool:
        """Tell whether the actor may act on whoever has a role."""
        holder = User("", "", role, "", "")
        return authority.may_touch(self.actor, holder, self.custom, self.tools)

    def covers(self, role: Role) -> bool:
        """Tell whether a role opens nothing that the actor's does not."""
        own = role_of(self.actor, self.custom)
        return self.actor.role == Level.OWNER or authority.covers(own, role, self.tools)

    def named(self, name: str, user: str = "") -> str:
        """Check a name for a user; raises BadInput where it cannot be or is another's."""
        name = name.strip()
        if not 0 < len(name) <= NAME_MOST or not name.isprintable():
            language = self.actor.language
            raise BadInput(say(language, "A name has 1 to {most} letters.", most=NAME_MOST))
        if (other := people.by_name(self.tx, name)) is not None and other.id != user:
            raise BadInput("Somebody else has this name. Choose another.")
        return name

    def halt(self, user: User) -> None:
        """End all that a user has going: turns, questions, log-ins, tokens, sockets."""
        for turn in turns.of_user(self.tx, user.id):
            self.stop(turn, user.language)
        logins.end_of(self.tx, user.id)
        self.cut.add(user.id)

    def stop(self, turn: Turn, language: str) -> None:
        """Stop a turn; whoever looks at it is told in a language."""
        verdict = halt(self.tx, turn, self.actor.id, self.now)
        verdict.notice = say(language, "Stopped.")
        self.verdicts.append(verdict)

    def note(self, what: str, whom: str = "", detail: str = "") -> None:
        """Put the change on record: who did what to whom."""
        entry = Entry(
            at=self.now,
            kind=Kind.ADMIN,
            what=what,
            user_id=self.actor.id,
            decision="allow",
            rule=f"role {self.actor.role}",
            arguments=sha256(whom.encode()).hexdigest(),
            outcome=f"{whom} {detail}".strip(),
        )
        self.record(self.tx, entry)


class Register(Struct):
    """Opens the book; `shelf` is the copy of the custom roles that running turns look at."""

    db: Db
    clock: Clock
    record: Record
    inbox: Inbox
    registry: Registry
    shelf: dict[str, Role]
    openings: Openings = field(default_factory=Openings)

    async def change(
        self, caller: Caller, fn: Callable[[Change], R], area: Area | None = Area.PEOPLE
    ) -> R:
        """Change something as the caller; raises Denied where the area is not open to them.

        Without an area it is about what is the caller's own, which no token may change.
        """
        now = self.clock.now()

        def work(tx: Tx) -> tuple[R, Change]:
            change = self._begun(tx, caller, now)
            areas = role_of(change.actor, change.custom).areas
            if (caller.token and area is None) or (area is not None and area not in areas):
                raise Denied
            return fn(change), change

        result, change = await self.db.write(work)
        for verdict in change.verdicts:
            self.inbox.look_up(verdict)
        await self.openings.cut(users=change.cut, logins=change.ended)
        return result

    async def look(self, caller: Caller, fn: Callable[[Change], R]) -> R:
        """Read something as the caller."""
        now = self.clock.now()
        return await self.db.read(lambda tx: fn(self._begun(tx, caller, now)))

    def _begun(self, tx: Tx, caller: Caller, now: float) -> Change:
        # Before the set-up whoever is at this machine acts as the owner that is yet to be.
        nobody = User("", "", Level.OWNER, "en", "UTC")
        owner = next(iter(people.owners(tx)), nobody) if caller.local else None
        actor = owner or people.get(tx, caller.who.id)
        if actor is None or actor.disabled_at is not None:
            raise Denied
        return Change(
            tx=tx,
            actor=actor,
            now=now,
            custom=rights.roles(tx),
            manifests=self._manifests(tx),
            record=self.record,
        )

    def _manifests(self, tx: Tx) -> dict[str, Manifest]:
        """Find what every tool declares, of a plugin that nobody used yet as it was trusted."""
        known = {manifest.name: manifest for manifest in declared(tx)}
        return known | {tool.manifest.name: tool.manifest for tool in self.registry.all()}
