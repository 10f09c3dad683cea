"""SQLite behind the `Db` port: one writer thread that commits in groups, read-only readers.

Knows transactions, not what they are about. Lock order: the writer thread alone locks for writing.
"""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, TypeVar

from clawdbot.domain.errors import DiskLow, StoreFailed, first_line
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Store
from clawdbot.store import sql

T = TypeVar("T")
Connect = Callable[[str], sqlite3.Connection]

_GROUP_MAX = 256
_READERS = 2
_MEBIBYTE = 1 << 20
_WRITER_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",  # a key that was erased is not left in a free page
    "temp_store = MEMORY",
    "wal_autocheckpoint = 2000",
    "journal_size_limit = 67108864",
)
# What a statement did wrong, whatever the state of the store: a fault of ours, never tried again.
_FAULTS = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}


def connect(uri: str) -> sqlite3.Connection:
    """Open a connection without implicit transactions, for use by one thread at a time."""
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, cached_statements=256, check_same_thread=False
    )


class _Job(Generic[T]):
    """A transaction that somebody awaits."""

    __slots__ = ("_fn", "_future", "_result", "error")

    def __init__(self, fn: Callable[[Tx], T]) -> None:
        self._fn = fn
        self._future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._result: T
        self.error: Exception | None = None

    async def done(self) -> T:
        return await self._future

    def run(self, tx: Tx) -> None:
        self.error = None
        try:
            self._result = self._fn(tx)
        except Exception as error:  # noqa: BLE001 - bulkhead: handed to the caller who awaits this
            self.error = error

    def settle(self) -> None:
        if self._future.done():
            return  # the caller was cancelled
        if self.error is None:
            self._future.set_result(self._result)
        else:
            self._future.set_exception(_explain(self.error))


_Queue = SimpleQueue[_Job[object] | None]


class SqliteDb:
    """The embedded database in one file, for one event loop; make it with `opened`."""

    def __init__(self, path: Path, settings: Store, connect: Connect) -> None:
        """Remember where the file is; `opened` does the rest."""
        self._path = path
        self._settings = settings
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._writes: _Queue = SimpleQueue()
        self._reads: _Queue = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._open = False

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` in a transaction and return after COMMIT; see `domain.ports.Db`."""
        return await self._ask(self._writes, fn)

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` on a read-only snapshot; see `domain.ports.Db`."""
        return await self._ask(self._reads, fn)

    def room_left(self) -> bool:
        """Tell whether the disk is above the low-water mark."""
        return shutil.disk_usage(self._path.parent).free >= self._settings.low_water_mb * _MEBIBYTE

    def free_ballast(self) -> bool:
        """Give the ballast file's space to what was accepted; tell whether there was any."""
        try:
            self._path.with_name("ballast").unlink()
        except FileNotFoundError:
            return False
        return True

    def lay_ballast(self) -> None:
        """Set space aside for the day the disk is full, unless it is short already."""
        ballast, size = self._path.with_name("ballast"), self._settings.ballast_mb * _MEBIBYTE
        if ballast.exists() or shutil.disk_usage(self._path.parent).free < 4 * size:
            return
        with ballast.open("wb") as file:
            file.write(bytes(size))

    async def scrub(self) -> bool:
        """Write the log into the file and cut it off: what was deleted is in neither, then.

        False where a reader is in the way; raises StoreFailed.
        """
        try:
            return await self._loop.run_in_executor(None, self._scrub)
        except sqlite3.Error as error:
            raise _explain(error) from error

    def start(self) -> None:
        """Open the connections, bring the schema up to date, start the threads; blocks."""
        with suppress(OSError):  # which SQLite will tell
            self._path.touch(mode=0o600)  # the files that it puts beside it take over the mode
        with ExitStack() as undo:
            writer = self._connected(undo, _WRITER_PRAGMAS)
            _migrate(writer)
            readers = [self._connected(undo, ("query_only = ON",)) for _ in range(_READERS)]
            undo.pop_all()
        self._threads = [
            threading.Thread(target=self._write_all, args=(writer,), daemon=True),
            *(threading.Thread(target=self._read_all, args=(r,), daemon=True) for r in readers),
        ]
        for thread in self._threads:
            thread.start()
        self._open = True

    def close(self) -> None:
        """Take no more work; the threads end after what was asked for."""
        self._open = False
        for queue in (self._writes, *(self._reads,) * _READERS):
            queue.put(None)

    def join(self) -> None:
        """Wait for the threads' end; blocks."""
        for thread in self._threads:
            thread.join()

    async def _ask(self, queue: _Queue, fn: Callable[[Tx], T]) -> T:
        if not self._open:
            raise StoreFailed("The store is closed.")
        job = _Job(fn)
        queue.put(job)  # type: ignore[arg-type]  # the queue holds jobs of every result type
        return await job.done()

    def _scrub(self) -> bool:
        with ExitStack() as undo:
            connection = self._connected(undo, ())
            (busy, *_), *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return not busy

    def _connected(self, undo: ExitStack, pragmas: tuple[str, ...]) -> sqlite3.Connection:
        connection = undo.enter_context(closing(self._connect(self._path.absolute().as_uri())))
        timeout_ms = int(self._settings.busy_timeout_s * 1000)
        for pragma in (f"busy_timeout = {timeout_ms}", *pragmas):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        return connection

    def _read_all(self, reader: sqlite3.Connection) -> None:
        tx = sql.SqlTx(reader, sql.queries("sqlite"))
        while (job := self._reads.get()) is not None:
            try:
                reader.execute("BEGIN")
                job.run(tx)
                reader.execute("ROLLBACK")
            except sqlite3.Error as error:
                job.error = job.error or error
            self._hand_over([job])
        reader.close()

    def _write_all(self, writer: sqlite3.Connection) -> None:
        while (job := self._writes.get()) is not None:
            group = [job]
            while len(group) < _GROUP_MAX and not self._writes.empty():
                if (more := self._writes.get()) is None:
                    self._writes.put(None)
                    break
                group.append(more)
            self._commit(writer, group)
            self._hand_over(group)
        writer.close()

    def _commit(self, writer: sqlite3.Connection, group: list[_Job[object]]) -> None:
        try:
            writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            for job in group:
                job.error = error
            return
        try:
            _run(writer, group)
        except sqlite3.Error as error:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            if _code(error) == sqlite3.SQLITE_FULL and self.free_ballast():
                self._commit(writer, group)
            elif len(group) > 1:
                self._commit_each(writer, group)
            else:
                group[0].error = error

    def _commit_each(self, writer: sqlite3.Connection, group: list[_Job[object]]) -> None:
        for done, job in enumerate(group, 1):
            self._commit(writer, [job])
            if isinstance(job.error, sqlite3.Error) and not _faulty(job.error):
                # The store itself failed: nothing that came later may overtake this.
                for later in group[done:]:
                    later.error = job.error
                return

    def _hand_over(self, group: list[_Job[object]]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, group)


@asynccontextmanager
async def opened(
    path: Path, settings: Store, connect: Connect = connect
) -> AsyncIterator[SqliteDb]:
    """Open the database, bring its schema up to date, and close it at the end.

    Raises SchemaNewer when a later version has written it, StoreFailed when it cannot be opened.
    """
    db = SqliteDb(path, settings, connect)
    loop = asyncio.get_running_loop()
    try:
        await loop.run_in_executor(None, db.start)
    except sqlite3.Error as error:
        raise _explain(error) from error
    try:
        yield db
    finally:
        db.close()
        await loop.run_in_executor(None, db.join)


def glance(path: Path, fn: Callable[[Tx], T]) -> T:
    """Read once, in this thread, beside the process that owns the file; raises StoreFailed."""
    try:
        with closing(connect(f"{path.absolute().as_uri()}?mode=rw")) as reader:
            reader.execute("PRAGMA query_only = ON").fetchall()
            return fn(sql.SqlTx(reader, sql.queries("sqlite")))
    except sqlite3.Error as error:
        raise StoreFailed(f"{first_line(StoreFailed)} ({error})") from error


def _run(writer: sqlite3.Connection, group: list[_Job[object]]) -> None:
    """Run each job in its own savepoint, so that one failure undoes only itself, and commit.

    A job that is alone needs none: its failure undoes the whole transaction.
    """
    tx, many = sql.SqlTx(writer, sql.queries("sqlite")), len(group) > 1
    for job in group:
        if many:
            writer.execute("SAVEPOINT job")
        job.run(tx)
        if isinstance(job.error, sqlite3.Error) and not _faulty(job.error):
            raise job.error
        if many:
            if job.error is not None:
                writer.execute("ROLLBACK TO job")
            writer.execute("RELEASE job")
    writer.execute("COMMIT" if many or group[0].error is None else "ROLLBACK")


def _settle(group: list[_Job[object]]) -> None:
    for job in group:
        job.settle()


def _migrate(connection: sqlite3.Connection) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, step in sql.missing(version, "sqlite"):
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{step}\nPRAGMA user_version = {number};\nCOMMIT;"
        )


def _code(error: sqlite3.Error) -> int:
    # What Python's own layer raises (a missing value) has no code: it is a faulty statement.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _faulty(error: sqlite3.Error) -> bool:
    """Tell whether the statement is wrong, not the store: also a write in a read."""
    return _code(error) in _FAULTS or error.sqlite_errorcode == sqlite3.SQLITE_READONLY


def _explain(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.Error) or _faulty(error):
        return error
    full = _code(error) == sqlite3.SQLITE_FULL
    failed = DiskLow() if full else StoreFailed(f"{first_line(StoreFailed)} ({error})")
    failed.__cause__ = error
    return failed
