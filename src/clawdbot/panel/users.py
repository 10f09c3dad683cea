"""Who is who: users with what is theirs, their roles, and strangers who knock.

The last owner stays one. Every change is a row of the audit, in its own transaction.
"""

import msgspec
from msgspec.structs import replace

from clawdbot.conversation.answer import notice
from clawdbot.domain.errors import BadInput, Denied, Missing
from clawdbot.domain.people import Level, User
from clawdbot.domain.text import say
from clawdbot.gateway.controls import Verdict, refused
from clawdbot.gateway.pairing import Asked, hash_code
from clawdbot.gateway.pairing import refuse as refuse_pairing
from clawdbot.gateway.route import Caller
from clawdbot.panel import authority
from clawdbot.panel.register import Change, Register
from clawdbot.store import inbox, logins, people
from clawdbot.store.people import Pairing


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account on a platform that is somebody's."""

    platform: str
    external: str
    name: str
    created_at: float


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A user with what is theirs; `below` tells whether the reader may act on them.

    `seen_at` is 0 where nobody ever heard of them.
    """

    id: str
    name: str
    role: str
    language: str
    timezone: str
    disabled: bool
    seen_at: float
    password: bool
    totp: bool
    below: bool
    accounts: tuple[Account, ...]


class Alter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change about a user; what is left out stays."""

    name: str | None = None
    role: str | None = None
    disabled: bool | None = None


class Admit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As whom a stranger is let in: newly in a role, or as a user (by id or name)."""

    role: str = Level.MEMBER
    user: str = ""


class Knock(msgspec.Struct, frozen=True, kw_only=True):
    """A stranger who waits; `id` stands for the code that only they saw."""

    id: str
    name: str
    platform: str
    expires_at: float


class Users:
    """What may be asked about users, and done with them."""

    def __init__(self, register: Register) -> None:
        """Work on the book of people."""
        self._book = register

    async def listed(self, caller: Caller) -> list[Person]:
        """List all users, oldest first."""
        return await self._book.look(caller, lambda c: persons(c, people.listed(c.tx)))

    async def shown(self, caller: Caller, id: str) -> Person:  # noqa: A002 - the word of the path
        """Show a user."""
        return await self._book.look(caller, lambda c: persons(c, [c.person(id)])[0])

    async def alter(self, caller: Caller, id: str, wish: Alter) -> Person:  # noqa: A002
        """Rename a user, give them a role, disable them or let them act again."""

        def work(change: Change) -> Person:
            user = change.below(id)
            if wish.name is not None and wish.name.strip() != user.name:
                user = replace(user, name=change.named(wish.name, user.id))
                people.set_profile(change.tx, user)
                change.note("user.rename", user.id)
            if wish.role is not None and wish.role != user.role:
                user = _promoted(change, user, wish.role)
            if wish.disabled is not None and wish.disabled != (user.disabled_at is not None):
                user = _switched(change, user, off=wish.disabled)
            return persons(change, [user])[0]

        return await self._book.change(caller, work)

    async def unlink(self, caller: Caller, id: str, platform: str, external: str) -> None:  # noqa: A002
        """Take an account on a platform from a user."""

        def work(change: Change) -> None:
            unlink(change, change.below(id), platform, external)

        await self._book.change(caller, work)

    async def knocking(self) -> list[Knock]:
        """List the strangers who wait to be let in."""
        now = self._book.clock.now()
        found = await self._book.db.read(lambda tx: people.open_pairings(tx, now))
        return [_knock(pairing) for pairing in found]

    async def admit(self, caller: Caller, id: str, wish: Admit) -> Person:  # noqa: A002
        """Let a stranger in by code or id, and answer what they had written."""
        step = self._book.inbox.admitting()

        def work(change: Change) -> Person:
            user = change.person(wish.user) if wish.user else None
            if user is None and wish.role == Level.OWNER:
                raise BadInput("Nobody becomes an owner by a code.")
            if user is None:
                change.gives(wish.role)
            elif user.id != change.actor.id and change.actor.role != Level.OWNER:
                raise Denied("Only an owner may link an account to somebody else.")
            where = "terminal" if caller.local else "web"
            asked = Asked(code=_hashed(change, id), by=change.actor, where=where)
            admitted, verdict = step(change.tx, asked, user, wish.role)
            change.verdicts.append(verdict)
            return persons(change, [admitted])[0]

        return await self._book.change(caller, work)

    async def refuse(self, caller: Caller, id: str) -> Knock:  # noqa: A002
        """Send a stranger away, and tell them once."""

        def work(change: Change) -> Knock:
            pairing = refuse_pairing(change.tx, _hashed(change, id), now=change.now)
            if (held := inbox.get(change.tx, pairing.held)) is not None:
                text = say(pairing.language, "The owner of this assistant does not let you in.")
                to = held.inbound.to
                notice(change.tx, f"{pairing.held}:refused", to, "", text, now=change.now)
                change.verdicts.append(_to(to.key))
            change.note("knock.refuse", pairing.platform)
            return _knock(pairing)

        return await self._book.change(caller, work)


def persons(change: Change, users: list[User]) -> list[Person]:
    """Show users with what is theirs, as the actor may see them."""
    seen, secured = people.seen(change.tx), people.secured(change.tx)
    accounts: dict[str, list[Account]] = {}
    for each in people.identities(change.tx, users[0].id if len(users) == 1 else ""):
        account = msgspec.convert(each, Account, from_attributes=True)
        accounts.setdefault(each.user_id, []).append(account)
    return [
        Person(
            id=user.id,
            name=user.name,
            role=user.role,
            language=user.language,
            timezone=user.timezone,
            disabled=user.disabled_at is not None,
            seen_at=seen.get(user.id, 0.0),
            password=secured.get(user.id, (False, False))[0],
            totp=secured.get(user.id, (False, False))[1],
            below=authority.may_touch(change.actor, user, change.custom, change.tools),
            accounts=tuple(accounts.get(user.id, ())),
        )
        for user in users
    ]


def unlink(change: Change, user: User, platform: str, external: str) -> None:
    """Take an account on a platform from its user; raises Missing where it is not theirs."""
    if not people.unlink(change.tx, user.id, platform, external):
        raise Missing
    change.note("user.unlink", user.id, platform)


def leaves_an_owner(change: Change, user: User) -> None:
    """Check that somebody else is an owner too, if this user is one; raises BadInput."""
    others = (owner for owner in people.owners(change.tx) if owner.id != user.id)
    if user.role == Level.OWNER and user.disabled_at is None and not any(others):
        raise BadInput("This is the last owner. Make somebody else an owner first.")


def _promoted(change: Change, user: User, role: str) -> User:
    """Give a user a role: their browsers log in anew; where it opens less, all they do ends."""
    change.gives(role)
    leaves_an_owner(change, user)
    then = replace(user, role=role)
    people.set_role(change.tx, user.id, role)
    if authority.may_give(role, user.role, change.custom, change.tools):
        logins.end_of(change.tx, user.id, "browser")
        change.cut.add(user.id)
    else:
        change.halt(user)
    change.note("user.role", user.id, f"{user.role} -> {role}")
    return then


def _switched(change: Change, user: User, *, off: bool) -> User:
    at = change.now if off else None
    if off:
        leaves_an_owner(change, user)
        change.halt(user)
    people.set_disabled(change.tx, user.id, at)
    change.note("user.disable" if off else "user.enable", user.id)
    return replace(user, disabled_at=at)


def _hashed(change: Change, code: str) -> str:
    """Give the id of a code, which stands for it."""
    return code if people.find_pairing(change.tx, code, change.now) else hash_code(code)


def _to(destination: str) -> Verdict:
    verdict = refused("told")
    verdict.deliver.append(destination)
    return verdict


def _knock(pairing: Pairing) -> Knock:
    return Knock(
        id=pairing.code_hash,
        name=pairing.name,
        platform=pairing.platform,
        expires_at=pairing.expires_at,
    )
