"""Roles: the named levels and custom ones, and why somebody may do a thing or not.

What is told is the policy's own answer with its trace, never a second computation.
"""

import re
from collections import Counter

import msgspec

from clawdbot.domain.errors import BadInput, Denied, Missing
from clawdbot.domain.people import Area, User
from clawdbot.domain.policy import (
    ROLES,
    Ask,
    Context,
    Decision,
    Effect,
    Manifest,
    Role,
    Wish,
    decide,
    role_of,
)
from clawdbot.domain.standing import Standing
from clawdbot.gateway.route import Caller
from clawdbot.panel.reasons import outcome, reason
from clawdbot.panel.register import Change, Register
from clawdbot.store import people, rights

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_HOUR_S = 3600.0
# A target that nobody named.
_SOMETHING = "\N{HORIZONTAL ELLIPSIS}"


class RoleWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a custom role opens; see `Role`."""

    effects: frozenset[Effect] = frozenset()
    asks: frozenset[Effect] = frozenset()
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    areas: frozenset[Area] = frozenset()


class RoleShown(msgspec.Struct, frozen=True, kw_only=True):
    """A role; `users` have it, `mine` tells whether the reader may give it."""

    name: str
    built_in: bool
    effects: tuple[Effect, ...]
    asks: tuple[Effect, ...]
    allowed: tuple[str, ...]
    denied: tuple[str, ...]
    areas: tuple[Area, ...]
    users: int
    mine: bool


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy answers (`allow`, `ask`, `deny`), by which rule; the same in words.

    `admin` tells that only an admin's yes helps.
    """

    answer: str
    rule: str
    reason: str
    trace: tuple[str, ...]
    admin: bool


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A tool in a turn where all words are the user's own, and where some came from others."""

    tool: str
    effect: Effect
    clean: Said
    tainted: Said


class Which(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tool to explain; empty: all."""

    tool: str = ""


class Roles:
    """What may be asked about roles, and done with them."""

    def __init__(self, register: Register) -> None:
        """Work on the book of people."""
        self._book = register

    async def listed(self, caller: Caller) -> list[RoleShown]:
        """List all roles, the named levels first."""

        def look(change: Change) -> list[RoleShown]:
            count = Counter(user.role for user in people.listed(change.tx))
            known = {**ROLES, **change.custom}
            return [_shown(change, name, role, count[name]) for name, role in known.items()]

        return await self._book.look(caller, look)

    async def put(self, caller: Caller, name: str, wish: RoleWish) -> None:
        """Make a role, or change what it opens for all who have it."""
        role = Role(
            effects=wish.effects,
            asks=wish.asks - wish.effects,
            allowed=wish.allowed,
            denied=wish.denied,
            areas=wish.areas,
        )

        def work(change: Change) -> set[str]:
            _check(change, name, role)
            rights.put_role(change.tx, name, role, change.now)
            change.note("role.put", name)
            return {user.id for user in people.listed(change.tx) if user.role == name}

        holders = await self._book.change(caller, work)
        await self._shelve()
        await self._book.openings.close(holders)

    async def remove(self, caller: Caller, name: str) -> None:
        """Remove a custom role that nobody has."""

        def work(change: Change) -> None:
            if name not in change.custom:
                raise Missing("There is no role of that name. See `clawdbot role list`.")
            if not change.above(name):
                raise Denied("This role is not below yours.")
            if not rights.remove_role(change.tx, name):
                raise BadInput("Somebody has this role. Give them another one first.")
            change.note("role.remove", name)

        await self._book.change(caller, work)
        await self._shelve()

    async def rights(self, caller: Caller, name: str, which: Which) -> list[Explained]:
        """Explain what a role may, tool by tool."""

        def look(change: Change) -> list[Explained]:
            if name not in ROLES and name not in change.custom:
                raise Missing("There is no role of that name. See `clawdbot role list`.")
            return self._explained(change, User("", "", name, "en", "UTC"), which)

        return await self._book.look(caller, look)

    async def rights_of(self, caller: Caller, id: str, which: Which) -> list[Explained]:  # noqa: A002
        """Explain what a user may, tool by tool, with what they were allowed in advance."""
        return await self._book.look(caller, lambda c: self._explained(c, c.person(id), which))

    async def mine(self, caller: Caller, which: Which) -> list[Explained]:
        """Explain what the caller may, tool by tool."""
        return await self._book.look(caller, lambda c: self._explained(c, c.actor, which))

    def _explained(self, change: Change, user: User, which: Which) -> list[Explained]:
        tx, now = change.tx, change.now
        standing = rights.standing(tx, user.id, "", now) if user.id else ()
        refused = rights.refused(tx, user.id, now)
        found = [m for m in change.manifests.values() if which.tool in {"", m.name}]
        if not found:
            raise Missing("There is no tool of that name.")
        return [self._told(change, user, manifest, standing, refused) for manifest in found]

    def _told(
        self,
        change: Change,
        user: User,
        manifest: Manifest,
        standing: tuple[Standing, ...],
        refused: tuple[Standing, ...],
    ) -> Explained:
        since = change.now - _HOUR_S
        counted = bool(manifest.per_hour and user.id)
        recent = rights.calls(change.tx, user.id, manifest.name, since) if counted else 0
        arguments = {sink.argument: _SOMETHING for sink in manifest.sinks}
        wish = Wish(manifest=manifest, arguments=arguments)

        def weighed(*, tainted: bool) -> Said:
            context = Context(
                user=user,
                role=role_of(user, change.custom),
                tainted=tainted,
                standing=standing,
                refused=refused,
                recent=recent,
            )
            return _said(decide(context, wish), change.actor.language)

        return Explained(
            tool=manifest.name,
            effect=manifest.effect,
            clean=weighed(tainted=False),
            tainted=weighed(tainted=True),
        )

    async def _shelve(self) -> None:
        fresh = await self._book.db.read(rights.roles)
        self._book.shelf.clear()
        self._book.shelf.update(fresh)


def _check(change: Change, name: str, role: Role) -> None:
    """Check a role that is to be kept; raises BadInput or Denied."""
    if not _NAME.fullmatch(name) or name in ROLES:
        raise BadInput("A role's name has up to 32 of a-z, 0-9 and -, and is not a named level's.")
    if unknown := sorted((role.allowed | role.denied) - set(change.tools)):
        raise BadInput(f"{unknown[0]}: There is no tool of that name.")
    if not change.covers(role):
        raise Denied("This role opens more than yours.")
    if name in change.custom and not change.above(name):
        raise Denied("This role is not below yours.")


def _shown(change: Change, name: str, role: Role, users: int) -> RoleShown:
    try:
        change.gives(name)
        mine = True
    except Denied:
        mine = False
    return RoleShown(
        name=name,
        built_in=name in ROLES,
        effects=tuple(each for each in Effect if each in role.effects),
        asks=tuple(each for each in Effect if each in role.asks),
        allowed=tuple(sorted(role.allowed)),
        denied=tuple(sorted(role.denied)),
        areas=tuple(each for each in Area if each in role.areas),
        users=users,
        mine=mine,
    )


def _said(decision: Decision, language: str) -> Said:
    return Said(
        answer=outcome(decision),
        rule=decision.rule,
        reason=reason(decision.rule, language),
        trace=tuple(reason(line, language) for line in decision.trace),
        admin=isinstance(decision, Ask) and decision.admin,
    )
