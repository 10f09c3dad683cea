"""Letting strangers in: a code that they see, an owner who approves it, their message kept.

A stranger's own message never pairs. Works inside the caller's transaction.
"""

import hashlib

from msgspec import Struct
from msgspec.structs import replace

from clawdbot.domain.errors import BadInput
from clawdbot.domain.inbound import Inbound
from clawdbot.domain.people import Level, User, shown
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Limits
from clawdbot.domain.text import language_of
from clawdbot.store import people
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.people import Pairing

_HOUR_S = 3600.0
_REFUSED_S = 30 * 86400.0
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 8


class Welcome(Struct, frozen=True, kw_only=True):
    """Who was let in, and the stranger they were."""

    user: User
    pairing: Pairing


class Asked(Struct, frozen=True, kw_only=True):
    """Who lets a stranger in by the hash of a code, and where they said so.

    By nobody: it is on record already, as a link.
    """

    code: str
    by: User | None = None
    where: str = ""


def entry(welcome: Welcome, by: User, where: str, now: float, *, new: bool) -> Entry:
    """Tell for the record who let whom in, and from where."""
    user, platform = welcome.user, welcome.pairing.platform
    return Entry(
        at=now,
        kind=Kind.ADMIN,
        what="user.admit" if new else "user.link",
        user_id=by.id,
        decision="allow",
        rule=f"role {by.role}",
        arguments=hashlib.sha256(user.id.encode()).hexdigest(),
        outcome=f"{user.id} {user.role}, {platform}, by {where}",
    )


def make_code(random: str) -> str:
    """Make a code of eight letters and digits that are hard to confuse from a random text."""
    digest = hashlib.sha256(random.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:CODE_LENGTH])


def hash_code(code: str) -> str:
    """Hash a code for keeping, however it was typed."""
    typed = code.strip().upper().replace("-", "").replace(" ", "")
    return hashlib.sha256(f"pairing:{typed}".encode()).hexdigest()


def knock(
    tx: Tx, inbound: Inbound, code: str, row: str, limits: Limits, *, now: float
) -> str | None:
    """Give a stranger a code and name the inbox row that is held for it: the first that came.

    A later message gets a new code in place of the last; None where there were too many, or where
    the stranger was refused: who was told no hears nothing more.
    """
    platform, sender = inbound.to.channel, inbound.sender
    if people.refused(tx, platform, sender.id, now - _REFUSED_S):
        return None
    mine, every = people.pairings_between(tx, platform, sender.id, now - _HOUR_S, now)
    if mine >= limits.pairings_per_sender or every >= limits.pairings_in_all:
        return None
    earlier = people.pairing_of(tx, platform, sender.id, now)
    held = earlier.held if earlier is not None else row
    people.close_pairings(tx, platform, sender.id, "replaced")
    people.add_pairing(
        tx,
        Pairing(
            code_hash=hash_code(code),
            platform=platform,
            external=sender.id,
            name=shown(sender.name),
            language=language_of(sender.language),
            held=held,
            created_at=now,
            expires_at=now + limits.pairing_s,
        ),
    )
    return held


def admit(tx: Tx, code_hash: str, user: User | None, newcomer: User, *, now: float) -> Welcome:
    """Use a code up: link its stranger to `user`, or to `newcomer` under the stranger's name.

    Who was a guest in a group stays the same user. Raises BadInput where the code is unknown or
    too old.
    """
    pairing = _found(tx, code_hash, now)
    if user is None:
        user = _promoted(tx, pairing, newcomer.role)
    if user is None:
        user = User(
            id=newcomer.id,
            name=pairing.name or pairing.external,
            role=newcomer.role,
            language=pairing.language,
            timezone=newcomer.timezone,
        )
        people.add(tx, user, now)
    people.identify(tx, user.id, pairing.platform, pairing.external, name=pairing.name, now=now)
    people.close_pairings(tx, pairing.platform, pairing.external, "used")
    return Welcome(user=user, pairing=pairing)


def refuse(tx: Tx, code_hash: str, *, now: float) -> Pairing:
    """Use a code up without letting its stranger in; raises BadInput as `admit` does."""
    pairing = _found(tx, code_hash, now)
    people.close_pairings(tx, pairing.platform, pairing.external, "refused")
    return pairing


def _promoted(tx: Tx, pairing: Pairing, role: str) -> User | None:
    guest = people.by_identity(tx, people.in_groups(pairing.platform), pairing.external)
    if guest is None or guest.disabled_at is not None or guest.role != Level.GUEST:
        return None
    people.set_role(tx, guest.id, role)
    return replace(guest, role=role)


def _found(tx: Tx, code_hash: str, now: float) -> Pairing:
    pairing = people.find_pairing(tx, code_hash, now)
    if pairing is None:
        message = "This pairing code is unknown or too old. Let the person write again."
        raise BadInput(message)
    return pairing
