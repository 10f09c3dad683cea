"""Log-ins of people: passwords, browser sessions, the one-time set-up link.

What the client holds is random; the store keeps its hash. Verifying a password is slow on purpose,
so few run at once, and a name or address that fails too often waits.
"""

import asyncio
import hashlib
import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zlib import crc32

from clawdbot.domain.errors import Denied, Failure
from clawdbot.domain.people import Area, User
from clawdbot.domain.policy import ROLES, role_of
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.store import logins, people, rights

SESSION_S = 30 * 86400.0
SETUP_S = 15 * 60.0
PASSWORD_MIN = 8

_FAILURES_FREE = 5
_LOCK_FIRST_S = 2.0
_LOCK_MOST_S = 900.0
_SIDE_BY_SIDE = 2
_TRACKED_MOST = 10_000


class TooManyTries(Failure):
    """Too many failed log-ins. Wait a while and try again."""

    exit_code = 77


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A browser's session: the user and their areas as they are now, and what its forms repeat."""

    user: User
    areas: frozenset[Area]
    hash: str
    csrf: str


@dataclass(slots=True)
class _Failures:
    count: int = 0
    until: float = 0.0


class Logins:
    """Who is logged in; browsers know neighbours on one host apart by the cookie's name alone."""

    def __init__(self, db: Db, clock: Clock, cookie: str = "clawdbot") -> None:
        self.cookie = cookie
        self._db = db
        self._clock = clock
        self._places = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._failures: dict[str, _Failures] = {}

    async def enter(self, name: str, password: str, peer: str) -> str:
        """Check a password and begin a session; return the token that the browser keeps.

        Raises Denied for a wrong name or password (not telling which), TooManyTries when locked.
        """
        now = self._clock.monotonic()
        keys = (f"name:{name.casefold()[:64]}", f"peer:{peer}")
        if any(self._failures.get(key, _Failures()).until > now for key in keys):
            raise TooManyTries
        user = await self._db.read(lambda tx: people.by_name(tx, name))
        hashed = await self._db.read(lambda tx: people.password(tx, user.id if user else ""))
        if not await self._verify(hashed, password) or user is None or user.disabled_at is not None:
            for key in keys:
                self._fail(key, now)
            raise Denied("The name or the password is wrong.")
        for key in keys:
            self._failures.pop(key, None)
        return await self.begin(user)

    async def begin(self, user: User) -> str:
        """Begin a session for a user; return the token that the browser keeps."""
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        now = self._clock.now()
        row = logins.Login(_hash(token), user.id, "browser", csrf, now, now + SESSION_S)
        await self._db.write(lambda tx: logins.add(tx, row))
        return token

    async def find(self, token: str) -> Login | None:
        """Find the session of a browser's token; None where it ended or its user was disabled."""
        if not token or len(token) > 128:
            return None
        now, hashed = self._clock.now(), _hash(token)

        def look(tx: Tx) -> Login | None:
            row = logins.get(tx, hashed, now)
            user = people.get(tx, row.user_id) if row is not None else None
            if row is None or row.kind != "browser" or user is None or user.disabled_at is not None:
                return None
            custom = {} if user.role in ROLES else rights.roles(tx)
            areas = role_of(user, custom).areas
            return Login(user=user, areas=areas, hash=hashed, csrf=row.csrf)

        return await self._db.read(look)

    async def end(self, hashed: str) -> None:
        """End a session by its hash."""
        await self._db.write(lambda tx: logins.end(tx, hashed))

    async def setup_code(self) -> str:
        """Make the code of a set-up link: single use, a quarter of an hour; earlier ones end."""
        code, now = secrets.token_urlsafe(24), self._clock.now()
        row = logins.Login(_hash(code), "", "setup", "", now, now + SETUP_S)

        def work(tx: Tx) -> None:
            logins.end_kind(tx, "setup")
            logins.add(tx, row)

        await self._db.write(work)
        return code

    async def hash_password(self, password: str) -> str:
        """Hash a password for keeping."""
        async with self._places:
            return await asyncio.to_thread(_slow_hash, password)

    async def _verify(self, hashed: str, password: str) -> bool:
        async with self._places:
            return await asyncio.to_thread(_fits, hashed, password)

    def _fail(self, key: str, now: float) -> None:
        if len(self._failures) > _TRACKED_MOST:
            self._failures.clear()
        failures = self._failures.setdefault(key, _Failures())
        failures.count += 1
        if failures.count >= _FAILURES_FREE:
            wait = _LOCK_FIRST_S * 2 ** (failures.count - _FAILURES_FREE)
            failures.until = now + min(wait, _LOCK_MOST_S)


def cookie_of(home: Path) -> str:
    """Name the cookie of the service in a home folder: no other one's on the same host."""
    return f"clawdbot-{crc32(os.fsencode(home)):08x}"


def setup_code(tx: Tx, code: str, now: float) -> bool:
    """Tell whether a set-up link is good."""
    row = logins.get(tx, _hash(code), now)
    return row is not None and row.kind == "setup"


def use_setup_code(tx: Tx, code: str, now: float) -> bool:
    """Use a set-up link up, inside the transaction of what it allows; False where it is no good."""
    return setup_code(tx, code, now) and logins.end(tx, _hash(code))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


# argon2 is loaded with the first password: a service starts without.


def _slow_hash(password: str) -> str:
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher().hash(password)


def _fits(hashed: str, password: str) -> bool:
    from argon2 import PasswordHasher  # noqa: PLC0415
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

    nobody = _nobody()  # an unknown name costs the same time as a wrong password
    try:
        PasswordHasher().verify(hashed or nobody, password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(hashed)


@cache
def _nobody() -> str:
    """Hash a random text that nobody knows, with the hasher's present settings."""
    return _slow_hash(secrets.token_urlsafe(32))
