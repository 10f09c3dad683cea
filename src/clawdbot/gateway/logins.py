"""Log-ins of people: passwords, second factors, browsers, tokens, the one-time set-up link.

What the client holds is random; the store keeps its hash. Verifying a password is slow on purpose,
so few run at once, and a name or address that fails too often waits.
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
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
_TRACKED_MOST = 10_000
_SEEN_S = 60.0
_TEXT_MOST = 128
_AGENT_MOST = 256
_POLICY = Policy()

Hash = Callable[[str], str]


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


class _Failures(msgspec.Struct):
    count: int = 0
    until: float = 0.0


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
        self._failures: dict[str, _Failures] = {}

    async def enter(
        self, name: str, password: str, peer: str, *, code: str = "", agent: str = ""
    ) -> str:
        """Check a password and a second factor; begin a log-in and return the browser's token.

        Raises Denied for a wrong name or password (not telling which) or code, CodeNeeded where
        only the code is missing, TooManyTries when locked.
        """
        async with self._guarded(f"name:{name.casefold()[:64]}", f"peer:{peer}"):
            user = await self._db.read(lambda tx: people.by_name(tx, name))
            right = await self.knows(user.id if user else "", password)
            if not right or user is None or user.disabled_at is not None:
                raise Denied("The name or the password is wrong.")
            await self._prove(user, code)
        return await self.begin(user, peer, agent)

    async def confirm(self, user: User, password: str) -> None:
        """Check the present password of whoever is logged in; raises Denied, TooManyTries."""
        async with self._guarded(f"name:{user.name.casefold()[:64]}"):
            if not await self.knows(user.id, password):
                raise Denied("The present password is wrong.")

    async def knows(self, user: str, password: str) -> bool:
        """Tell whether a user's password is right; nobody's costs the same time."""
        hashed = await self._db.read(lambda tx: people.password(tx, user))
        async with self._places:
            return await asyncio.to_thread(_fits, hashed, password, self._slow)

    async def begin(self, user: User, peer: str = "", agent: str = "") -> str:
        """Begin a log-in of a browser; return the token that it keeps."""
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        now = self._clock.now()
        row = logins.Login(
            hash=hash_of(token),
            user_id=user.id,
            kind="browser",
            csrf=csrf,
            seen_at=now,
            expires_at=now + self.policy.length_s,
            id=self._clock.ulid(),
            name="".join(filter(str.isprintable, agent))[:_AGENT_MOST],
            address=peer[:_TEXT_MOST],
        )
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

    def locked(self) -> list[Locked]:
        """List who waits after failed log-ins."""
        now = self._clock.monotonic()
        return [
            Locked(key=key, failures=each.count, seconds=round(each.until - now, 1))
            for key, each in self._failures.items()
            if each.until > now
        ]

    def lift(self, key: str) -> None:
        """Let whoever waits try again."""
        self._failures.pop(key, None)

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

    @asynccontextmanager
    async def _guarded(self, *keys: str) -> AsyncIterator[None]:
        """Count what is denied against names and addresses; raises TooManyTries where one waits."""
        now = self._clock.monotonic()
        if any(self._failures.get(key, _Failures()).until > now for key in keys):
            raise TooManyTries
        try:
            yield
        except CodeNeeded:
            raise
        except Denied:
            for key in keys:
                self._fail(key, now)
            raise
        for key in keys:
            self._failures.pop(key, None)

    async def _prove(self, user: User, typed: str) -> None:
        """Check a user's second factor, where they have one, and use its code up."""
        now, vault = self._clock.now(), self._vault

        def work(tx: Tx) -> bool:
            factor = factors.confirmed(tx, user.id)
            if factor is None or vault is None:
                return factor is None
            if not typed:
                raise CodeNeeded
            key = factors.key_of(vault, factor)
            step = totp.step_of(typed, key, now, factor.step)
            if step is not None:
                factors.put(tx, replace(factor, step=step))
            return step is not None or factors.recover(tx, user.id, hash_of(typed.strip().upper()))

        if not await self._db.write(work):
            raise Denied("This code is wrong or was used.")

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

    def _fail(self, key: str, now: float) -> None:
        if len(self._failures) > _TRACKED_MOST:
            self._failures.clear()
        failures = self._failures.setdefault(key, _Failures())
        failures.count += 1
        if failures.count >= self.policy.failures:
            wait = self.policy.lock_s * 2 ** min(failures.count - self.policy.failures, 32)
            failures.until = now + min(wait, self.policy.lock_most_s)


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
