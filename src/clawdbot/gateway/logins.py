"""Log-ins of people: passwords, second factors, browsers, tokens, the one-time set-up link.

What the client holds is random; the store keeps its hash. Verifying a password is slow on purpose,
so few run at once; a name or address that fails too often waits, also over a restart.
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec.structs import replace

from clawdbot.domain.errors import Denied, Failure, StoreFailed
from clawdbot.domain.people import Area, User
from clawdbot.domain.policy import ROLES, role_of
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.domain.settings import Login as Policy
from clawdbot.net import totp
from clawdbot.store import factors, logins, people, rights
from clawdbot.store.vault import Vault

SETUP_S = 15 * 60.0
PASSWORD_MIN = 8

TOKEN = "cb_"  # noqa: S105 - how every token begins, no password

# A token's scope beside the areas: what is its user's own, and the conversations.
CHAT = "chat"

_SIDE_BY_SIDE = 2
_SEEN_S = 60.0
_TEXT_MOST = 128
_AGENT_MOST = 256
_POLICY = Policy()

Hash = Callable[[str], str]
_Go = Callable[[Tx], Denied | None]


class TooManyTries(Failure):
    """Too many failed log-ins. Wait a while and try again."""

    exit_code = 77


class CodeNeeded(Denied):
    """Enter the code that your authenticator app shows."""


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """A name or address that waits after failed log-ins; `key` lifts it, `seconds` are left."""

    key: str
    failures: int
    seconds: float


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A client that proved who it is: the user and what is open to it, as they are now.

    `csrf` is what a browser's forms repeat; `short` lacks the second factor that it must have.
    """

    user: User
    areas: frozenset[Area]
    hash: str
    csrf: str
    short: bool = False
    scopes: frozenset[str] = frozenset()
    read_only: bool = False


# argon2 is loaded with the first password: a service starts without.


def slow_hash(password: str) -> str:
    """Hash a password for keeping, at the library's present cost."""
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher().hash(password)


class Logins:
    """Who is logged in; browsers know neighbours on one host apart by the cookie's name alone."""

    def __init__(
        self,
        db: Db,
        clock: Clock,
        cookie: str = "clawdbot",
        policy: Policy = _POLICY,
        vault: Vault | None = None,
        slow: Hash = slow_hash,
    ) -> None:
        """Log in by a policy; second factors open with the vault."""
        self.cookie = cookie
        self.policy = policy
        self._db = db
        self._clock = clock
        self._vault = vault
        self._slow = slow
        self._places = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def enter(
        self, name: str, password: str, peer: str, *, code: str = "", agent: str = ""
    ) -> str:
        """Check a password and a second factor; begin a log-in and return the browser's token.

        Raises Denied for a wrong name or password (not telling which) or code, CodeNeeded where
        only the code is missing, TooManyTries when locked.
        """
        user = await self._db.read(lambda tx: people.by_name(tx, name))
        id_, shown = (user.id, user.name) if user is not None else ("", hash_of(name)[:16])
        token, row = self._fresh(id_, peer, agent)
        wrong = Denied("The name or the password is wrong.")

        def go(tx: Tx) -> Denied | None:
            if user is None or user.disabled_at is not None:
                return wrong
            if not self._proves(tx, user, code, row.seen_at):
                return Denied("This code is wrong or was used.")
            logins.add(tx, row)
            return None

        await self._try((f"name:{shown}", f"peer:{peer}"), id_, password, wrong, go)
        return token

    async def confirm(self, user: User, password: str) -> None:
        """Check the present password of whoever is logged in; raises Denied, TooManyTries."""
        wrong = Denied("The present password is wrong.")
        await self._try((f"name:{user.name}",), user.id, password, wrong, lambda _: None)

    async def knows(self, user: str, password: str) -> bool:
        """Tell whether a user's password is right; nobody's costs the same time."""
        hashed = await self._db.read(lambda tx: people.password(tx, user))
        async with self._places:
            return await asyncio.to_thread(_fits, hashed, password, self._slow)

    async def begin(self, user: User, peer: str = "", agent: str = "") -> str:
        """Begin a log-in of a browser; return the token that it keeps."""
        token, row = self._fresh(user.id, peer, agent)
        await self._db.write(lambda tx: logins.add(tx, row))
        return token

    async def find(self, token: str, peer: str = "", kind: str = "browser") -> Login | None:
        """Find a client by its cookie or token; None where it ended or its user was disabled."""
        if not token or len(token) > _TEXT_MOST:
            return None
        now, hashed = self._clock.now(), hash_of(token)

        def look(tx: Tx) -> tuple[Login, bool] | None:
            row = logins.get(tx, hashed, now)
            user = people.get(tx, row.user_id) if row is not None else None
            if row is None or row.kind != kind or user is None or user.disabled_at is not None:
                return None
            if kind == "browser" and row.seen_at + self.policy.idle_s < now:
                return None
            return self._login(tx, row, user), abs(now - row.seen_at) > _SEEN_S

        found = await self._db.read(look)
        if found is not None and found[1]:
            with suppress(StoreFailed):
                await self._db.write(lambda tx: logins.see(tx, hashed, peer[:_TEXT_MOST], now))
        return found[0] if found is not None else None

    async def locked(self) -> list[Locked]:
        """List who waits after failed log-ins."""
        now = self._clock.now()
        return [
            Locked(key=wrong.key, failures=wrong.tries, seconds=round(left, 1))
            for wrong in await self._db.read(logins.all_wrong)
            if (left := self._left(wrong, now)) > 0
        ]

    async def end(self, hashed: str) -> None:
        """End a session by its hash."""
        await self._db.write(lambda tx: logins.end(tx, hashed))

    async def setup_code(self) -> str:
        """Make the code of a set-up link: single use, a quarter of an hour; earlier ones end."""
        code, now = secrets.token_urlsafe(24), self._clock.now()
        row = logins.Login(hash_of(code), "", "setup", "", now, now + SETUP_S)

        def work(tx: Tx) -> None:
            logins.end_kind(tx, "setup")
            logins.add(tx, row)

        await self._db.write(work)
        return code

    async def hash_password(self, password: str) -> str:
        """Hash a password for keeping."""
        async with self._places:
            return await asyncio.to_thread(self._slow, password)

    async def _try(
        self, keys: tuple[str, ...], user: str, password: str, wrong: Denied, go: _Go
    ) -> None:
        """Check a password; in one write go on, or count the try against its name and address.

        Raises `wrong`, what `go` refuses by, or TooManyTries where a name or address waits.
        """
        now = self._clock.now()
        await self._db.read(lambda tx: self._admit(tx, keys, now))
        right = await self.knows(user, password)
        now = self._clock.now()

        def settle(tx: Tx) -> Denied | None:
            self._admit(tx, keys, now)  # again: tries side by side are no way around the count
            refusal = go(tx) if right else wrong
            for key in keys:
                if refusal is None:
                    logins.forgive(tx, key)
                else:
                    logins.count_wrong(tx, key, user, now)
            return refusal

        if (refusal := await self._db.write(settle)) is not None:
            raise refusal

    def _admit(self, tx: Tx, keys: tuple[str, ...], now: float) -> None:
        """Raise TooManyTries where a name or address waits."""
        found = (logins.wrong(tx, key) for key in keys)
        if any(each is not None and self._left(each, now) > 0 for each in found):
            raise TooManyTries

    def _left(self, wrong: logins.Wrong, now: float) -> float:
        """Tell how many seconds wrong tries still make their name or address wait."""
        policy = self.policy
        if (beyond := wrong.tries - policy.failures) < 0:
            return 0.0
        wait = min(policy.lock_s * 2 ** min(beyond, 32), policy.lock_most_s)
        left = wrong.tried_at + wait - now
        # A clock that was set back locks nobody out for as long as it was ahead.
        return left if left <= policy.lock_most_s else 0.0

    def _fresh(self, user: str, peer: str, agent: str) -> tuple[str, logins.Login]:
        """Make a browser's token and the log-in to be kept of it."""
        token, now = secrets.token_urlsafe(32), self._clock.now()
        return token, logins.Login(
            hash=hash_of(token),
            user_id=user,
            kind="browser",
            csrf=secrets.token_urlsafe(24),
            seen_at=now,
            expires_at=now + self.policy.length_s,
            id=self._clock.ulid(),
            name="".join(filter(str.isprintable, agent))[:_AGENT_MOST],
            address=peer[:_TEXT_MOST],
        )

    def _proves(self, tx: Tx, user: User, typed: str, now: float) -> bool:
        """Check a user's second factor, where they have one, and use its code up."""
        factor, vault = factors.confirmed(tx, user.id), self._vault
        if factor is None or vault is None:
            return factor is None
        if not typed:
            raise CodeNeeded
        step = totp.step_of(typed, factors.key_of(vault, factor), now, factor.step)
        if step is not None:
            factors.put(tx, replace(factor, step=step))
        return step is not None or factors.recover(tx, user.id, hash_of(typed.strip().upper()))

    def _login(self, tx: Tx, row: logins.Login, user: User) -> Login:
        areas = role_of(user, {} if user.role in ROLES else rights.roles(tx)).areas
        scopes = frozenset(row.scopes.split())
        token = row.kind == "token"
        due = not token and user.role in self.policy.totp
        return Login(
            user=user,
            areas=frozenset(a for a in areas if a in scopes) if token else areas,
            hash=row.hash,
            csrf=row.csrf,
            short=due and factors.confirmed(tx, user.id) is None,
            scopes=scopes,
            read_only=bool(row.read_only),
        )


def cookie_of(home: Path) -> str:
    """Name the cookie of the service in a home folder: no other one's on the same host."""
    return f"clawdbot-{crc32(os.fsencode(home)):08x}"


def setup_code(tx: Tx, code: str, now: float) -> bool:
    """Tell whether a set-up link is good."""
    row = logins.get(tx, hash_of(code), now)
    return row is not None and row.kind == "setup"


def use_setup_code(tx: Tx, code: str, now: float) -> bool:
    """Use a set-up link up, inside the transaction of what it allows; False where it is no good."""
    return setup_code(tx, code, now) and logins.end(tx, hash_of(code))


def hash_of(token: str) -> str:
    """Hash what a client holds, or a one-time code, for keeping."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _fits(hashed: str, password: str, slow: Hash) -> bool:
    from argon2 import PasswordHasher  # noqa: PLC0415
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

    nobody = _nobody(slow)  # an unknown name costs the same time as a wrong password
    try:
        PasswordHasher().verify(hashed or nobody, password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(hashed)


@cache
def _nobody(slow: Hash) -> str:
    """Hash a random text that nobody knows, with the hasher's present settings."""
    return slow(secrets.token_urlsafe(32))
