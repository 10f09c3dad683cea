"""One user for one person: an account on a platform becomes theirs by a one-time code, both ways.

A code of the panel is written to the bot (`/link CODE`), or a code of the bot (`/link`) is entered
on the panel: each time somebody who is logged in says yes. Works inside the caller's transaction.
"""

from collections.abc import Callable

from msgspec import Struct, field

from clawdbot.domain.errors import BadInput
from clawdbot.domain.inbound import Inbound
from clawdbot.domain.people import Level, User, shown
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Limits
from clawdbot.domain.text import say
from clawdbot.gateway.controls import Verdict, halt
from clawdbot.gateway.pairing import hash_code
from clawdbot.store import codes, logins, people, turns
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.codes import Code
from clawdbot.store.people import Pairing

CODE_S = 600.0
UNKNOWN = "This code is unknown or too old. Make a new one."

_COMMAND = "/link"
_HOUR_S = 3600.0

Record = Callable[[Tx, Entry], object]


class Fresh(Struct, frozen=True, kw_only=True):
    """A code about to be given, drawn before the transaction, and who puts on record."""

    id: str
    text: str
    now: float
    record: Record


class Linked(Struct, kw_only=True):
    """What became of a link: what to say, whose account it is now, what must be looked up.

    `pairing` is the stranger's whose message is held, and whom the caller admits.
    """

    text: str = ""
    user: User | None = None
    pairing: Pairing | None = None
    verdicts: list[Verdict] = field(default_factory=list)


def typed(words: str) -> str | None:
    """Read the code of `/link CODE`, empty for `/link` alone; None for other words."""
    command, _, code = words.partition(" ")
    return code.strip() if command.casefold() == _COMMAND else None


def code_of(
    kind: codes.Kind, fresh: Fresh, *, user: str = "", platform: str = "", external: str = ""
) -> Code:
    """Make the row of a fresh code."""
    return Code(
        hash=hash_code(fresh.text),
        id=fresh.id,
        kind=kind,
        user_id=user,
        made_by=user,
        platform=platform,
        external=external,
        created_at=fresh.now,
        expires_at=fresh.now + CODE_S,
    )


def answer(
    tx: Tx, inbound: Inbound, code: str, fresh: "Fresh", limits: Limits, language: str
) -> Linked:
    """Act on `/link` of a sender; `fresh` is a code to give; without a text say nothing."""
    platform, sender, now = inbound.to.channel, inbound.sender, fresh.now
    if code:
        found = codes.find(tx, codes.Kind.LINK, hash_code(code), now)
        user = people.get(tx, found.user_id) if found is not None else None
        if found is None or user is None or user.disabled_at is not None:
            return Linked(text=say(language, UNKNOWN))
        try:
            linked = link(tx, user, (platform, sender.id, shown(sender.name)), fresh.record, now)
        except BadInput as error:
            return Linked(text=say(language, str(error)))
        codes.close(tx, codes.Kind.LINK, found.id, "used")
        linked.text = say(language, "This account is now {name}'s.", name=user.name)
        return linked
    mine, every = codes.given(tx, platform, sender.id, now - _HOUR_S)
    if mine >= limits.pairings_per_sender or every >= limits.pairings_in_all:
        return Linked()
    codes.close_of(tx, codes.Kind.CLAIM, "", platform, sender.id)
    codes.add(tx, code_of(codes.Kind.CLAIM, fresh, platform=platform, external=sender.id))
    text = "Enter the code {code} in your profile on the control panel; it holds for 10 minutes."
    return Linked(text=say(language, text, code=fresh.text))


def link(tx: Tx, user: User, account: tuple[str, str, str], record: Record, now: float) -> Linked:
    """Make an account (platform, id, name) a user's; raises BadInput where it is another's to keep.

    Of another user only one who never could log in, a guest or of the same role, is taken: the
    account moves; where it was their only one, that user is disabled.
    """
    platform, external, name = account
    before = people.by_identity(tx, platform, external)
    linked = Linked(user=user, pairing=people.pairing_of(tx, platform, external, now))
    if before is not None and before.id == user.id:
        raise BadInput("This account is linked to you already.")
    if before is not None:
        free = before.disabled_at is None and not people.password(tx, before.id)
        if not free or before.role not in {Level.GUEST, user.role}:
            raise BadInput("This account is somebody else's. Ask an owner to unlink it first.")
        people.move(tx, platform, external, user.id)
        if not people.identities(tx, before.id):
            people.set_disabled(tx, before.id, now)
            logins.end_of(tx, before.id)
            linked.verdicts = [halt(tx, t, user.id, now) for t in turns.of_user(tx, before.id)]
    elif linked.pairing is None:
        people.identify(tx, user.id, platform, external, name=name, now=now)
    entry = Entry(
        at=now,
        kind=Kind.ADMIN,
        what="user.link",
        user_id=user.id,
        decision="allow",
        rule="one-time code",
        outcome=f"{user.id} {platform}",
    )
    record(tx, entry)
    return linked
