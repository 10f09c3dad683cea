"""Invitations: a link that is good once, by which somebody becomes a user or sets a new password.

The code stands in the link's fragment, which no server sees; what it gives is bounded by what its
maker may still give when it is used.
"""

import secrets
from typing import Annotated
from urllib.parse import quote

import msgspec

from clawdbot.domain.errors import BadInput, Denied, Missing
from clawdbot.domain.people import Level, User
from clawdbot.domain.ports import Tx
from clawdbot.gateway.logins import Logins, hash_of
from clawdbot.gateway.route import Caller
from clawdbot.panel import authority
from clawdbot.panel.own import check_password, check_profile
from clawdbot.panel.register import Change, Register
from clawdbot.store import codes, logins, people, rights
from clawdbot.store.audit import Entry
from clawdbot.store.audit import Kind as Told
from clawdbot.store.codes import Code, Kind

_DAY_S = 86400.0
_OPEN_MOST = 100
_NO_GOOD = "This invitation was used or is too old. Ask for a new one."


class Invite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to invite: somebody new by a name and a role, or a `user` to set a new password."""

    name: str = ""
    role: str = Level.MEMBER
    user: str = ""
    days: Annotated[int, msgspec.Meta(ge=1, le=30)] = 7


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that is open; `path` with its code is told once, where it is made."""

    id: str
    name: str
    role: str
    by: str
    expires_at: float
    path: str = ""


class Join(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What whoever was invited answers."""

    code: str
    name: str
    password: str
    language: str = "en"
    timezone: str = "UTC"

    def __repr__(self) -> str:
        """Print no secret."""
        return f"Join(name={self.name!r})"


class Invitations:
    """What may be done with invitations."""

    def __init__(self, register: Register, logins: Logins) -> None:
        """Work on the book of people; passwords are the log-ins' business."""
        self._book = register
        self._logins = logins

    async def listed(self, caller: Caller) -> list[Invitation]:
        """List the open invitations."""

        def look(change: Change) -> list[Invitation]:
            names = {user.id: user.name for user in people.listed(change.tx)}
            found = codes.listed(change.tx, Kind.INVITE, change.now)
            return [_shown(code, names.get(code.made_by, "")) for code in found]

        return await self._book.look(caller, look)

    async def make(self, caller: Caller, wish: Invite) -> Invitation:
        """Invite somebody; the link's path is told this once."""
        text, id_ = secrets.token_urlsafe(24), self._book.clock.ulid()

        def work(change: Change) -> Invitation:
            user = change.below(wish.user) if wish.user else None
            if user is None:
                change.gives(wish.role)
            if len(codes.listed(change.tx, Kind.INVITE, change.now)) >= _OPEN_MOST:
                raise BadInput("There are too many open invitations. Take one back first.")
            code = Code(
                hash=hash_of(text),
                id=id_,
                kind=Kind.INVITE,
                user_id=user.id if user is not None else "",
                made_by=change.actor.id,
                name=user.name if user is not None else change.named(wish.name),
                role=user.role if user is not None else wish.role,
                created_at=change.now,
                expires_at=change.now + wish.days * _DAY_S,
            )
            codes.add(change.tx, code)
            change.note("invitation.make", code.user_id or code.id, code.role)
            shown = _shown(code, change.actor.name)
            return msgspec.structs.replace(shown, path=f"/join#{text}/{quote(code.name, safe='')}")

        return await self._book.change(caller, work)

    async def revoke(self, caller: Caller, id: str) -> None:  # noqa: A002 - the word of the path
        """Take an invitation back."""

        def work(change: Change) -> None:
            if not codes.close(change.tx, Kind.INVITE, id, "revoked"):
                raise Missing
            change.note("invitation.revoke", id)

        await self._book.change(caller, work)

    async def join(self, wish: Join) -> User:
        """Use an invitation up; raises Denied where it is no good, BadInput for an odd answer."""
        check_profile(wish.language, wish.timezone)
        check_password(wish.password, wish.language)
        now, fresh = self._book.clock.now(), self._book.clock.ulid()
        if await self._book.db.read(lambda tx: _found(tx, wish.code, now)) is None:
            raise Denied(_NO_GOOD)
        hashed = await self._logins.hash_password(wish.password)

        def work(tx: Tx) -> User:
            code = _found(tx, wish.code, now)
            if code is None or not codes.close(tx, Kind.INVITE, code.id, "used"):
                raise Denied(_NO_GOOD)
            user = _joined(tx, code, wish, fresh, now)
            people.set_password(tx, user.id, hashed)
            self._book.record(tx, _entry(user, code, now))
            return user

        user = await self._book.db.write(work)
        await self._book.openings.cut(users={user.id})
        return user


def _found(tx: Tx, text: str, now: float) -> Code | None:
    """Find an invitation whose maker could still make it."""
    code = codes.find(tx, Kind.INVITE, hash_of(text), now)
    maker = people.get(tx, code.made_by) if code is not None else None
    if code is None or maker is None or maker.disabled_at is not None:
        return None
    custom = rights.roles(tx)
    user = people.get(tx, code.user_id) if code.user_id else None
    if code.user_id:
        good = user is not None and authority.may_touch(maker, user, custom, {})
    else:
        good = authority.may_give(maker.role, code.role, custom, {})
    return code if good else None


def _joined(tx: Tx, code: Code, wish: Join, fresh: str, now: float) -> User:
    """Make the new user, or let the old one in anew."""
    name = wish.name.strip()
    if not name or len(name) > 64 or not name.isprintable():
        raise BadInput("A name has 1 to 64 letters.")
    if (other := people.by_name(tx, name)) is not None and other.id != code.user_id:
        raise BadInput("Somebody else has this name. Choose another.")
    before = people.get(tx, code.user_id) if code.user_id else None
    user = User(
        id=before.id if before is not None else fresh,
        name=name,
        role=before.role if before is not None else code.role,
        language=wish.language,
        timezone=wish.timezone,
    )
    if before is None:
        people.add(tx, user, now)
    else:
        people.set_profile(tx, user)
        logins.end_of(tx, user.id)
    return user


def _entry(user: User, code: Code, now: float) -> Entry:
    return Entry(
        at=now,
        kind=Told.ADMIN,
        what="user.join",
        user_id=user.id,
        decision="allow",
        rule=f"invitation of {code.made_by}",
        outcome=f"{user.id} {user.role}",
    )


def _shown(code: Code, by: str) -> Invitation:
    return Invitation(id=code.id, name=code.name, role=code.role, by=by, expires_at=code.expires_at)
