"""PostgreSQL behind the `Db` port: transactions on worker threads, SERIALIZABLE, again on conflict.

Needs the extra `cluster`. Where the connection breaks during COMMIT, nobody knows whether it
happened: that is StoreFailed too, and who tries again is safe by token, step or delivery key.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from psycopg import Connection, Error, InterfaceError, IsolationLevel, OperationalError, errors
from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown

from clawdbot.domain.errors import DiskLow, StoreFailed, first_line
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Store
from clawdbot.store import sql

T = TypeVar("T")

_WRITERS = 4
_READERS = 4
_TRIES = 100
_MIGRATION = 0x636C6177  # the key of the advisory lock
# A unique key may be missed by the snapshot that looked for it: that is a conflict like the others.
_CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation)


class PostgresDb:
    """The cluster's database; make it with `opened`."""

    def __init__(self, dsn: str, settings: Store) -> None:
        """Connect when first asked; `opened` does the rest."""
        self._writers = _Workers(dsn, settings, _WRITERS, read_only=False)
        self._readers = _Workers(dsn, settings, _READERS, read_only=True)

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` in a transaction and return after COMMIT; see `domain.ports.Db`."""
        return await self._writers.do(fn)

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` on a read-only snapshot; see `domain.ports.Db`."""
        return await self._readers.do(fn)

    def close(self) -> None:
        """Take no more work and end after what was asked for; blocks."""
        self._writers.close()
        self._readers.close()


@asynccontextmanager
async def opened(dsn: str, settings: Store) -> AsyncIterator[PostgresDb]:
    """Connect, bring the schema up to date, and disconnect at the end.

    Raises SchemaNewer when a later version has written it, StoreFailed when it cannot be opened.
    """
    loop = asyncio.get_running_loop()
    try:
        await loop.run_in_executor(None, _migrate, dsn)
    except Error as error:
        raise _failed(error) from error
    db = PostgresDb(dsn, settings)
    try:
        yield db
    finally:
        await loop.run_in_executor(None, db.close)


class _Text(StrDumperUnknown):
    """Writes text; PostgreSQL has no place for a NUL, and no delivery may fail by one."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))


class _Workers:
    """Threads that each have a connection of their own."""

    def __init__(self, dsn: str, settings: Store, size: int, *, read_only: bool) -> None:
        self._dsn = dsn
        self._options = f"-c lock_timeout={int(settings.busy_timeout_s * 1000)}"
        self._read_only = read_only
        self._pool = ThreadPoolExecutor(size, "store")
        self._one_by_one = threading.Lock()
        self._connections: dict[int, Connection] = {}  # by thread

    async def do(self, fn: Callable[[Tx], T]) -> T:
        try:
            asked = asyncio.get_running_loop().run_in_executor(self._pool, self._tried, fn)
        except RuntimeError as error:
            raise StoreFailed("The store is closed.") from error
        return await asyncio.shield(asked)

    def close(self) -> None:
        self._pool.shutdown()
        for connection in self._connections.values():
            connection.close()

    def _tried(self, fn: Callable[[Tx], T]) -> T:
        try:
            with self._one_by_one:
                pass  # nobody starts beside one that was in conflict: it would starve
            with suppress(*_CONFLICTS):
                return self._once(fn)
            with self._one_by_one:
                for _ in range(_TRIES):
                    with suppress(*_CONFLICTS):
                        return self._once(fn)
                return self._once(fn)
        except (OperationalError, InterfaceError) as error:
            raise _failed(error) from error

    def _once(self, fn: Callable[[Tx], T]) -> T:
        connection = self._connected()
        with connection.transaction():
            return fn(sql.SqlTx(connection, sql.pyformat()))

    def _connected(self) -> Connection:
        thread = threading.get_ident()
        if thread in self._connections and not self._connections[thread].closed:
            return self._connections[thread]
        connection = Connection.connect(self._dsn, options=self._options)
        connection.adapters.register_dumper(str, _Text)
        connection.read_only = self._read_only
        connection.isolation_level = (
            IsolationLevel.REPEATABLE_READ if self._read_only else IsolationLevel.SERIALIZABLE
        )
        self._connections[thread] = connection
        return connection


def _migrate(dsn: str) -> None:
    # READ COMMITTED: who waited for the lock must see what the one before has done.
    with Connection.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION])
        connection.execute("CREATE TABLE IF NOT EXISTS schema (version BIGINT NOT NULL)")
        (version,) = connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema").fetchall()
        for number, step in sql.missing(version[0], "postgres"):
            connection.execute(step.encode())
            connection.execute("INSERT INTO schema (version) VALUES (%s)", [number])


def _failed(error: Error) -> StoreFailed:
    if isinstance(error, errors.DiskFull):
        return DiskLow()
    return StoreFailed(f"{first_line(StoreFailed)} ({error})")
