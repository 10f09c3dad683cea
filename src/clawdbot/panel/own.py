"""What is everybody's own: profile, password, linked accounts. No token changes any of it."""

from zoneinfo import available_timezones

import msgspec
from msgspec.structs import replace

from clawdbot.domain.errors import BadInput
from clawdbot.domain.text import LANGUAGES, say
from clawdbot.gateway import linking
from clawdbot.gateway.linking import CODE_S, UNKNOWN, Fresh, code_of, link
from clawdbot.gateway.logins import PASSWORD_MIN, Logins
from clawdbot.gateway.pairing import Asked, hash_code, make_code
from clawdbot.gateway.route import Caller
from clawdbot.panel.register import Change, Register
from clawdbot.panel.users import Person, persons, unlink
from clawdbot.store import codes, logins, people
from clawdbot.store.codes import Kind


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a user wants to be spoken to; what is left out stays."""

    name: str | None = None
    language: str | None = None
    timezone: str | None = None


class Passwords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The present password and the new one."""

    present: str
    new: str

    def __repr__(self) -> str:
        """Print no secret."""
        return "Passwords()"


class LinkCode(msgspec.Struct, frozen=True, kw_only=True):
    """What to write to the bot from the account that is to be linked."""

    words: str
    expires_at: float


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code that the bot gave for `/link`."""

    code: str


class Own:
    """What may be asked about oneself, and done with it."""

    def __init__(self, register: Register, logins: Logins) -> None:
        """Work on the book of people; passwords are the log-ins' business."""
        self._book = register
        self._logins = logins

    async def me(self, caller: Caller) -> Person:
        """Show who asks."""
        return await self._book.look(caller, lambda c: persons(c, [c.actor])[0])

    async def profile(self, caller: Caller, wish: Profile) -> Person:
        """Change one's name, language or time zone."""

        def work(change: Change) -> Person:
            was = change.actor
            check_profile(wish.language or was.language, wish.timezone or was.timezone)
            user = replace(
                was,
                name=was.name if wish.name is None else change.named(wish.name, was.id),
                language=wish.language or was.language,
                timezone=wish.timezone or was.timezone,
            )
            people.set_profile(change.tx, user)
            change.note("user.profile", user.id)
            return persons(change, [user])[0]

        return await self._book.change(caller, work, None)

    async def password(self, caller: Caller, wish: Passwords) -> None:
        """Change one's password; every browser logs in anew, this one too."""
        user = caller.who
        check_password(wish.new, user.language)
        await self._logins.confirm(user, wish.present)
        hashed = await self._logins.hash_password(wish.new)

        def work(change: Change) -> None:
            people.set_password(change.tx, user.id, hashed)
            logins.end_of(change.tx, user.id, "browser")
            change.cut.add(user.id)
            change.note("user.password", user.id)

        await self._book.change(caller, work, None)

    async def link_code(self, caller: Caller) -> LinkCode:
        """Make the code by which an account on a platform becomes one's own."""
        fresh = self._fresh()

        def work(change: Change) -> None:
            codes.close_of(change.tx, Kind.LINK, change.actor.id)
            codes.add(change.tx, code_of(Kind.LINK, fresh, user=change.actor.id))
            change.note("user.link_code", change.actor.id)

        await self._book.change(caller, work, None)
        return LinkCode(words=f"/link {fresh.text}", expires_at=fresh.now + CODE_S)

    async def claim(self, caller: Caller, wish: Claim) -> Person:
        """Link the account to which the bot gave a code, and answer what it had written."""
        step = self._book.inbox.admitting()

        def work(change: Change) -> Person:
            tx, user = change.tx, change.actor
            found = codes.find(tx, Kind.CLAIM, hash_code(wish.code), change.now)
            if found is None:
                raise BadInput(UNKNOWN)
            account = (found.platform, found.external, found.name)
            linked = link(tx, user, account, change.record, change.now)
            change.verdicts += linked.verdicts
            if linked.pairing is not None:
                asked = Asked(code=linked.pairing.code_hash)
                change.verdicts.append(step(tx, asked, user, user.role)[1])
            codes.close(tx, Kind.CLAIM, found.id, "used")
            return persons(change, [user])[0]

        return await self._book.change(caller, work, None)

    async def unlink(self, caller: Caller, platform: str, external: str) -> None:
        """Give an account on a platform up."""

        def work(change: Change) -> None:
            unlink(change, change.actor, platform, external)

        await self._book.change(caller, work, None)

    def _fresh(self) -> Fresh:
        clock, record = self._book.clock, self._book.record
        text = make_code(clock.ulid())
        return linking.Fresh(id=clock.ulid(), text=text, now=clock.now(), record=record)


def check_password(password: str, language: str) -> None:
    """Check a new password; raises BadInput."""
    if len(password) < PASSWORD_MIN:
        message = "A password has at least {least} characters."
        raise BadInput(say(language, message, least=PASSWORD_MIN))


def check_profile(language: str, timezone: str) -> None:
    """Check a language and a time zone; raises BadInput."""
    if language not in LANGUAGES:
        raise BadInput("There is no such language.")
    if timezone not in available_timezones():
        raise BadInput(say(language, "There is no time zone {name}.", name=timezone))
