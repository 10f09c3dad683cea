"""The second factor of a log-in: set up by an app, confirmed by its first code, taken away.

Its key is told once, sealed in the store, and opened for nobody.
"""

import os
import secrets

import msgspec

from clawdbot.domain.errors import BadInput, Missing
from clawdbot.gateway.logins import Logins, hash_of
from clawdbot.gateway.route import Caller
from clawdbot.net import totp
from clawdbot.panel.qr import Drawn, drawn
from clawdbot.panel.register import Change, Register
from clawdbot.store import factors
from clawdbot.store.factors import Factor
from clawdbot.store.vault import Vault

_ISSUER = "Clawdbot"
_RECOVERIES = 10
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 12


class SetUp(msgspec.Struct, frozen=True, kw_only=True):
    """A key for an authenticator app: as text, as an address, and that as a QR code."""

    key: str
    uri: str
    qr: Drawn


class Typed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code as the app shows it."""

    code: str


class Present(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The present password."""

    password: str

    def __repr__(self) -> str:
        """Print no secret."""
        return "Present()"


class Recoveries(msgspec.Struct, frozen=True, kw_only=True):
    """Codes that stand in for the app, each for once; told this once."""

    codes: tuple[str, ...]


class Second:
    """What may be done with second factors."""

    def __init__(self, register: Register, logins: Logins, vault: Vault) -> None:
        """Work on the book of people; keys are sealed in the vault."""
        self._book = register
        self._logins = logins
        self._vault = vault

    async def begin(self, caller: Caller) -> SetUp:
        """Make a key for the caller's app; it counts once a code of it was typed."""
        key = os.urandom(totp.KEY_BYTES)

        def work(change: Change) -> SetUp:
            user = change.actor
            if factors.confirmed(change.tx, user.id) is not None:
                raise BadInput("There is a second factor already. Remove it first.")
            sealed = factors.seal(self._vault, user.id, key)
            factors.put(change.tx, Factor(user.id, sealed, 0, None))
            change.note("factor.begin", user.id)
            uri = totp.uri(key, _ISSUER, user.name)
            return SetUp(key=totp.text_of(key), uri=uri, qr=drawn(uri))

        return await self._book.change(caller, work, None)

    async def confirm(self, caller: Caller, wish: Typed) -> Recoveries:
        """Have the second factor count from now on; tell the recovery codes."""
        codes = ["".join(map(secrets.choice, [_LETTERS] * _LENGTH)) for _ in range(_RECOVERIES)]

        def work(change: Change) -> None:
            user, now = change.actor, change.now
            factor = factors.get(change.tx, user.id)
            if factor is None or factor.confirmed_at is not None:
                raise BadInput("There is no second factor to confirm. Begin anew.")
            key = factors.key_of(self._vault, factor)
            if (step := totp.step_of(wish.code, key, now, factor.step)) is None:
                raise BadInput(
                    "This code is wrong. Check the clock of your phone and try the next."
                )
            factors.put(change.tx, Factor(user.id, factor.sealed, step, now))
            factors.keep_recoveries(change.tx, user.id, [hash_of(code) for code in codes])
            change.note("factor.confirm", user.id)

        await self._book.change(caller, work, None)
        return Recoveries(codes=tuple(codes))

    async def drop(self, caller: Caller, wish: Present) -> None:
        """Remove the caller's own second factor."""
        await self._logins.confirm(caller.who, wish.password)
        await self._book.change(caller, lambda c: _remove(c, c.actor.id), None)

    async def reset(self, caller: Caller, id: str) -> None:  # noqa: A002 - the word of the path
        """Remove the second factor of a user who lost it."""
        await self._book.change(caller, lambda c: _remove(c, c.below(id).id))


def _remove(change: Change, user: str) -> None:
    if not factors.remove(change.tx, user):
        raise Missing
    change.note("factor.remove", user)
