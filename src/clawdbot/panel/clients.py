"""How people come in: browsers that are logged in, tokens of programs, who is locked out.

A token's text is shown once, where it is made; only its hash is kept.
"""

import secrets
from typing import Annotated, Literal

import msgspec

from clawdbot.domain.errors import BadInput, Missing
from clawdbot.domain.people import Area
from clawdbot.domain.policy import role_of
from clawdbot.gateway.logins import CHAT, TOKEN, Locked, Logins, hash_of
from clawdbot.gateway.route import Caller
from clawdbot.panel.register import NAME_MOST, Change, Register
from clawdbot.store import logins
from clawdbot.store.logins import Login

_DAY_S = 86400.0
_TOKENS_MOST = 50

Scope = Literal[
    "chat", "overview", "channels", "people", "models", "plugins", "audit", "logs", "settings"
]


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A browser (`name` is its agent) or a token; `here` is the one that asks."""

    id: str
    kind: str
    name: str
    address: str
    since: float
    seen_at: float
    expires_at: float
    here: bool
    scopes: tuple[str, ...]
    read_only: bool


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made; it opens areas, and by `chat` conversations and what is one's own."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MOST)]
    scopes: frozenset[Scope]
    read_only: bool = False
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token, this once in full."""

    id: str
    token: str
    expires_at: float


class Clients:
    """What may be asked about log-ins and tokens, and done with them."""

    def __init__(self, register: Register, logins: Logins) -> None:
        """Work on the book of people and on the log-ins."""
        self._book = register
        self._logins = logins

    async def mine(self, caller: Caller) -> list[Client]:
        """List the browsers that are logged in as the caller, and their tokens."""
        return await self._book.look(caller, lambda c: _clients(c, c.actor.id, caller.login))

    async def end(self, caller: Caller, client: str) -> None:
        """Log one of the caller's browsers out, or take a token back."""
        await self._book.change(caller, lambda c: _end(c, c.actor.id, client), None)

    async def end_others(self, caller: Caller) -> None:
        """Log all of the caller's other browsers out; tokens stay."""

        def work(change: Change) -> None:
            mine = _rows(change, change.actor.id)
            change.ended |= {
                row.hash for row in mine if row.kind == "browser" and row.hash != caller.login
            }
            logins.end_of(change.tx, change.actor.id, "browser", caller.login)
            change.note("login.end_others", change.actor.id)

        await self._book.change(caller, work, None)

    async def of(self, caller: Caller, id: str) -> list[Client]:  # noqa: A002
        """List the browsers and tokens of a user."""
        return await self._book.look(caller, lambda c: _clients(c, c.below(id).id, caller.login))

    async def end_of(self, caller: Caller, id: str, client: str) -> None:  # noqa: A002
        """Log a user's browser out, or take a token of theirs back."""
        await self._book.change(caller, lambda c: _end(c, c.below(id).id, client))

    async def end_all(self, caller: Caller, id: str) -> None:  # noqa: A002
        """Log all of a user's browsers out and take their tokens back."""

        def work(change: Change) -> None:
            user = change.below(id)
            logins.end_of(change.tx, user.id)
            change.cut.add(user.id)
            change.note("login.end_all", user.id)

        await self._book.change(caller, work)

    async def make_token(self, caller: Caller, wish: NewToken) -> Token:
        """Make a token for a program that acts as the caller; its text is told this once."""
        text, id_ = TOKEN + secrets.token_urlsafe(32), self._book.clock.ulid()

        def work(change: Change) -> Token:
            tx, actor, now = change.tx, change.actor, change.now
            own = role_of(actor, change.custom).areas
            if not wish.scopes or not {Area(s) for s in wish.scopes - {CHAT}} <= own:
                raise BadInput("A token opens at least one thing, and nothing that is not yours.")
            if sum(row.kind == "token" for row in _rows(change, actor.id)) >= _TOKENS_MOST:
                raise BadInput("There are too many tokens. Take one back first.")
            row = Login(
                hash=hash_of(text),
                user_id=actor.id,
                kind="token",
                csrf="",
                seen_at=now,
                expires_at=now + wish.days * _DAY_S,
                id=id_,
                name=wish.name,
                scopes=" ".join(sorted(wish.scopes)),
                read_only=int(wish.read_only),
            )
            logins.add(tx, row)
            change.note("token.make", actor.id, row.id)
            return Token(id=row.id, token=text, expires_at=row.expires_at)

        return await self._book.change(caller, work, None)

    async def locked(self) -> list[Locked]:
        """List the names and addresses that wait after failed log-ins."""
        return await self._logins.locked()

    async def lift(self, caller: Caller, key: str) -> None:
        """Let a name or an address try again at once."""

        def work(change: Change) -> None:
            if not logins.forgive(change.tx, key):
                raise Missing
            change.note("login.lift")

        await self._book.change(caller, work)


def _rows(change: Change, user: str) -> list[Login]:
    return logins.of_user(change.tx, user, change.now)


def _clients(change: Change, user: str, here: str) -> list[Client]:
    return [
        Client(
            id=row.id,
            kind=row.kind,
            name=row.name,
            address=row.address,
            since=row.created_at,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
            here=row.hash == here,
            scopes=tuple(row.scopes.split()),
            read_only=bool(row.read_only),
        )
        for row in _rows(change, user)
    ]


def _end(change: Change, user: str, client: str) -> None:
    row = next((row for row in _rows(change, user) if row.id == client), None)
    if row is None or not client:
        raise Missing
    logins.end(change.tx, row.hash)
    change.ended.add(row.hash)
    change.note("login.end", user, client)
