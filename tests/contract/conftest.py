"""Both engines behind one `Place`, a clock that obeys, and lanes with turns to begin with."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from clawdbot.domain.inbound import Address
from clawdbot.domain.people import Level, User
from clawdbot.domain.ports import Db, Tx
from clawdbot.domain.settings import Store
from clawdbot.durable.journal import Journal
from clawdbot.store import conversations, people, sqlite, turns
from clawdbot.store.conversations import Conversation
from clawdbot.store.turns import Turn, TurnState

T = TypeVar("T")

START = 1_800_000_000.0
SETTINGS = Store(low_water_mb=0, ballast_mb=1, busy_timeout_s=5.0)
NODE = "node-1"
EPOCH = "epoch-1"
TRIES = 3
VERSION = 7
TO = Address(channel="telegram", account="main", chat="100")


class ObedientClock:
    """Stands still until told; ids count up."""

    def __init__(self) -> None:
        self.time = START
        self._ids = 0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time - START

    def ulid(self) -> str:
        self._ids += 1
        return f"{self._ids:026d}"


class Place(Protocol):
    """Where one test's data is; every opening is another connection to the same."""

    def opened(self) -> AbstractAsyncContextManager[Db]: ...

    def version(self, ahead: int) -> None:
        """Pretend that a program some schema steps ahead was here."""


@dataclass(frozen=True)
class SqlitePlace:
    path: Path
    settings: Store = SETTINGS
    connect: sqlite.Connect = sqlite.connect

    def opened(self) -> AbstractAsyncContextManager[sqlite.SqliteDb]:
        return sqlite.opened(self.path, self.settings, self.connect)

    def version(self, ahead: int) -> None:
        with closing(sqlite.connect(self.path.as_uri())) as connection:
            (now,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute(f"PRAGMA user_version = {now + ahead}")


@dataclass(frozen=True)
class PostgresPlace:
    dsn: str

    def opened(self) -> AbstractAsyncContextManager[Db]:
        from clawdbot.store import postgres

        return postgres.opened(self.dsn, SETTINGS)

    def version(self, ahead: int) -> None:
        import psycopg

        with psycopg.connect(self.dsn) as connection:
            connection.execute("INSERT INTO schema SELECT MAX(version) + %s FROM schema", [ahead])


class Lease:
    """Held until told otherwise."""

    def __init__(self) -> None:
        self.mine = True

    def held(self) -> bool:
        return self.mine


@dataclass
class Lanes:
    """A journal of one node on a database, and short words for what tests do to it."""

    db: Db
    clock: ObedientClock
    lease: Lease = field(default_factory=Lease)
    node: str = NODE
    version: int = VERSION
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = Journal(
            self.db,
            self.clock,
            self.lease,
            node=self.node,
            epoch=EPOCH,
            tries=TRIES,
            version=self.version,
        )

    def later(self, **changes: str | int) -> "Lanes":
        """Begin another life, of this node or of another, on the same data."""
        found = {"node": self.node, "version": self.version} | changes
        return Lanes(self.db, self.clock, **found)  # type: ignore[arg-type]  # node and version only

    async def queue(self, conversation: str = "c", *, user: str = "u") -> str:
        """Queue a turn, as `accept` does."""
        turn = self.clock.ulid()

        def work(tx: Tx) -> str:
            add_user(tx, user)
            add_conversation(tx, conversation, user)
            new = turns.New(
                id=turn,
                conversation=conversation,
                session="s",
                position=conversations.advance(tx, conversation),
                user=user,
                to=TO,
                reply_to="",
                now=self.clock.now(),
            )
            turns.add(tx, new)
            return turn

        return await self.db.write(work)

    async def claim(self, turn: str, *, alone: bool = False) -> Turn:
        claimed = await self.journal.claim(turn, alone=alone)
        assert claimed is not None, "the turn was not claimable"
        return claimed

    async def finish(self, turn: Turn, state: TurnState = TurnState.DONE) -> str | None:
        return await self.db.write(lambda tx: self.journal.finish(tx, turn, state))

    async def get(self, turn: str) -> Turn:
        found = await self.db.read(lambda tx: turns.get(tx, turn))
        assert found is not None
        return found


def add_user(tx: Tx, user: str) -> None:
    if people.get(tx, user) is None:
        people.add(tx, User(user, user, Level.MEMBER, "en", "UTC"), START)


def add_conversation(tx: Tx, conversation: str, user: str = "u") -> None:
    if conversations.get(tx, conversation) is None:
        new = Conversation(
            id=conversation,
            receiver="telegram:1",
            scope=f"direct:{conversation}",
            user_id=user,
            address=b'{"channel":"telegram","account":"main","chat":"100"}',
            title="A title",
            model="",
            session_id="s",
            session_from=START,
            session_last=START,
            next_position=1,
        )
        conversations.add(tx, new, START)


@pytest.fixture
def clock() -> ObedientClock:
    return ObedientClock()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Give an empty place on each engine."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path / "clawdbot.db")
    make: Callable[[], PostgresPlace] = request.getfixturevalue("database")
    return make()


@pytest.fixture
async def db(place: Place) -> AsyncIterator[Db]:
    async with place.opened() as db:
        yield db


@pytest.fixture
def lanes(db: Db, clock: ObedientClock) -> Lanes:
    return Lanes(db, clock)


@pytest.fixture
def database(postgres: str) -> Iterator[Callable[[], PostgresPlace]]:
    """Make empty databases that live as long as the test."""
    import psycopg

    made: list[str] = []
    with psycopg.connect(f"{postgres} dbname=postgres", autocommit=True) as admin:

        def make() -> PostgresPlace:
            name = f"test_{len(made)}"
            admin.execute(f"CREATE DATABASE {name}".encode())
            made.append(name)
            return PostgresPlace(f"{postgres} dbname={name}")

        yield make
        for name in made:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run a PostgreSQL server in a temporary folder, on a Unix socket; give its address."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders = [*map(str, debian), os.environ["PATH"]]
    initdb, server_program = (
        shutil.which(name, path=os.pathsep.join(folders)) for name in ("initdb", "postgres")
    )
    if initdb is None or server_program is None:
        pytest.fail("PostgreSQL is not installed (Debian: postgresql); test.sh --slow does it")
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:  # a short path: a socket
        as_user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            as_user.append("--pdeathsig=INT")
        data = f"{folder}/data"
        init = [initdb, "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run([*as_user, *init, "--no-sync"], check=True, capture_output=True, cwd=folder)
        serve = [server_program, "-D", data, "-k", folder, "-c", "listen_addresses="]
        serve += ["-c", "fsync=off", "-c", "max_connections=60"]
        with (
            Path(folder, "log").open("wb") as log,
            subprocess.Popen([*as_user, *serve], stdout=log, stderr=log, cwd=folder) as server,
        ):
            try:
                _await_server(server, f"host={folder} user=test dbname=postgres")
                yield f"host={folder} user=test"
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(30)


def _await_server(server: "subprocess.Popen[bytes]", address: str) -> None:
    import psycopg

    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not start in time"
        else:
            return


async def eventually(done: Callable[[], bool], within_s: float = 10.0) -> None:
    """Let the event loop work until a condition holds."""
    async with asyncio.timeout(within_s):
        while not done():
            await asyncio.sleep(0.001)
