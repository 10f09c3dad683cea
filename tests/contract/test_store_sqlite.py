"""What holds on SQLite alone: the disk, other processes, the end of ours at any instant, plans."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import DiskLow, StoreFailed
from clawdbot.domain.events import Fact
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Store
from clawdbot.durable.patient import Patient
from clawdbot.store import sql, sqlite
from tests.contract.conftest import SETTINGS, SqlitePlace, eventually
from tests.patience import PATIENCE_S

HASTY = Store(low_water_mb=0, ballast_mb=1, busy_timeout_s=0.2)

_LARGE = "v" * 20_000

_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("free", flush=True)
"""

# Twelve writers; each transaction puts two rows, and a line says when its caller went on. With a
# number N the process ends itself before (or after) the Nth COMMIT.
_WRITER = """
import asyncio, os, signal, sqlite3, sys
from clawdbot.domain.settings import Store
from clawdbot.store import sqlite
from pathlib import Path

path, when, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = 0

class Mortal(sqlite3.Connection):
    def execute(self, statement, *values):
        global seen
        seen += statement == "COMMIT"
        if statement == "COMMIT" and seen == last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        found = super().execute(statement, *values)
        if statement == "COMMIT" and seen == last and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return found

def connect(uri):
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False,
                           factory=Mortal)

def put(tx, key):
    tx.run("meta.set", key=f"{key}.a", value="v" * 2000)
    tx.run("meta.set", key=f"{key}.b", value="v" * 2000)

async def work(db, writer):
    for n in range(100000):
        await db.write(lambda tx: put(tx, f"{writer}.{n}"))
        os.write(1, f"{writer}.{n}\\n".encode())

async def main():
    async with sqlite.opened(path, Store(low_water_mb=0), connect) as db:
        await asyncio.gather(*(work(db, writer) for writer in range(12)))

asyncio.run(main())
"""


def put(tx: Tx, key: str, value: str = "v") -> None:
    tx.run("meta.set", key=key, value=value)


def get(tx: Tx, key: str) -> str | None:
    return tx.one(str, "meta.get", key=key)


@contextmanager
def locked(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Let another process hold the write lock until it reads a line."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "locked\n" == process.stdout.readline()
        try:
            yield process
        finally:
            process.communicate("\n", timeout=PATIENCE_S)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a file system of three mebibytes."""
    if os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root only")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let us mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    async with SqlitePlace(tmp_path / "clawdbot.db").opened() as db:
        await db.write(partial(put, key="a"))
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert {"clawdbot.db": 0o600, "clawdbot.db-wal": 0o600, "clawdbot.db-shm": 0o600} == modes


async def test_every_commit_is_forced_to_the_disk(tmp_path: Path) -> None:
    made: list[sqlite3.Connection] = []

    def connect(uri: str) -> sqlite3.Connection:
        made.append(sqlite.connect(uri))
        return made[-1]

    async with sqlite.opened(tmp_path / "clawdbot.db", SETTINGS, connect):
        writer, *readers = made
        asked = [
            writer.execute(f"PRAGMA {p}").fetchone()[0] for p in ("synchronous", "journal_mode")
        ]
        assert [2, "wal"] == asked  # 2: FULL
        assert [1, 1] == [reader.execute("PRAGMA query_only").fetchone()[0] for reader in readers]


async def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c?d=e%20 数据"
    folder.mkdir()
    async with SqlitePlace(folder / "clawdbot.db").opened() as db:
        await db.write(partial(put, key="a"))
    assert (folder / "clawdbot.db").stat().st_size > 0


async def test_what_cannot_be_opened_is_a_failure_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "clawdbot.db").write_bytes(b"not a database, but long enough to look at" * 100)
    for path in (tmp_path / "clawdbot.db", tmp_path / "missing" / "clawdbot.db"):
        with pytest.raises(StoreFailed):
            async with SqlitePlace(path).opened():
                pytest.fail("it opened")


async def test_a_group_shares_one_commit(tmp_path: Path) -> None:
    statements: list[str] = []

    class Counting(sqlite3.Connection):
        def execute(self, statement, *values):
            statements.append(statement)
            return super().execute(statement, *values)

    def connect(uri: str) -> sqlite3.Connection:
        return sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, factory=Counting
        )

    inside, go = threading.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        inside.set()
        assert go.wait(PATIENCE_S)

    async with sqlite.opened(tmp_path / "clawdbot.db", SETTINGS, connect) as db:
        holding = asyncio.ensure_future(db.write(hold))
        await eventually(inside.is_set)
        asked = [asyncio.ensure_future(db.write(partial(put, key=f"k{n}"))) for n in range(50)]
        await asyncio.sleep(0)
        statements.clear()
        go.set()
        await asyncio.gather(holding, *asked)
    assert 2 == statements.count("COMMIT")


async def test_a_lock_of_another_process_fails_a_whole_group_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clawdbot.db"
    async with SqlitePlace(path, HASTY).opened() as db:
        with locked(path):
            started = time.monotonic()
            results = await asyncio.gather(
                *(db.write(partial(put, key=f"k{n}")) for n in range(40)), return_exceptions=True
            )
            took = time.monotonic() - started
            assert {StoreFailed} == {type(result) for result in results}
            assert all(isinstance(r, StoreFailed) and r.retry for r in results)
            assert 0.1 < took < 30 * HASTY.busy_timeout_s  # one after the other would be 40
            assert None is await db.read(partial(get, key="k0"))
        await db.write(partial(put, key="k0"))


async def test_what_was_promised_waits_for_a_lock_of_another_process(tmp_path: Path) -> None:
    path, facts, bus = tmp_path / "clawdbot.db", list[Fact](), Bus()
    bus.subscribe(facts.append)
    async with SqlitePlace(path, HASTY).opened() as db:
        patient = Patient(db, bus)
        with locked(path):
            asked = asyncio.ensure_future(patient.write(partial(put, key="a")))
            await eventually(lambda: bool(facts))
            assert not asked.done()
        await asked
        assert "v" == await db.read(partial(get, key="a"))
    assert ("store_failed", ("StoreFailed",)) == (facts[0].name, facts[0].labels)


async def test_on_a_full_disk_what_fits_is_kept_and_what_does_not_is_told(tmp_path: Path) -> None:
    def connect(uri: str) -> sqlite3.Connection:
        connection = sqlite.connect(uri)
        connection.execute("PRAGMA max_page_count = 200")
        return connection

    inside, go = threading.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        inside.set()
        assert go.wait(PATIENCE_S)

    async with sqlite.opened(tmp_path / "clawdbot.db", SETTINGS, connect) as db:
        holding = asyncio.ensure_future(db.write(hold))
        await eventually(inside.is_set)
        small, large = partial(put, key="small"), partial(put, key="large", value="v" * 2_000_000)
        after = partial(put, key="after")
        asked = [asyncio.ensure_future(db.write(work)) for work in (small, large, after)]
        await asyncio.sleep(0)
        go.set()
        await holding
        await asked[0]
        for refused in asked[1:]:  # the last as well: nothing overtakes what was asked before
            with pytest.raises(DiskLow):
                await refused
        keys = ("small", "large", "after")
        assert ["v", None, None] == await db.read(lambda tx: [get(tx, key) for key in keys])


async def test_on_a_full_disk_the_ballast_lets_through_what_was_accepted(small: Path) -> None:
    async with SqlitePlace(small / "clawdbot.db").opened() as db:
        db.lay_ballast()
        ballast = small / "ballast"
        assert not ballast.exists(), "there was not four times its size left"
        ballast.write_bytes(bytes(1 << 20))
        with pytest.raises(OSError, match="No space"):
            _fill(small / "filler")
        stored = 0
        while await _is_stored(db, f"k{stored}"):
            stored += 1
        assert not ballast.exists()
        assert (1 << 20) / len(_LARGE) / 2 < stored, "the ballast's space was not used"
        found = [await db.read(partial(get, key=f"k{n}")) for n in range(stored + 1)]
        assert [*stored * [_LARGE], None] == found
        (small / "filler").unlink()
        await db.write(partial(put, key=f"k{stored}"))


async def test_the_ballast_is_laid_once_where_there_is_room(tmp_path: Path) -> None:
    async with SqlitePlace(tmp_path / "clawdbot.db").opened() as db:
        assert not db.free_ballast()
        db.lay_ballast()
        db.lay_ballast()
        assert 1 << 20 == (tmp_path / "ballast").stat().st_size
        assert db.free_ballast()
        assert not (tmp_path / "ballast").exists()


@pytest.mark.parametrize(("low_water_mb", "left"), [(0, True), (1 << 30, False)])
async def test_below_the_low_water_mark_there_is_no_room(
    low_water_mb: int, left: bool, tmp_path: Path
) -> None:
    settings = Store(low_water_mb=low_water_mb)
    async with SqlitePlace(tmp_path / "clawdbot.db", settings).opened() as db:
        assert left == db.room_left()


@pytest.mark.parametrize("when", ["before", "after", "any time"])
@pytest.mark.parametrize("commit", [3, 40])
def test_what_was_told_to_be_stored_survives_the_end_of_the_process(
    when: str, commit: int, tmp_path: Path
) -> None:
    path = tmp_path / "clawdbot.db"
    last = 0 if when == "any time" else commit
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), when, str(last)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line)
            if when == "any time" and len(told) == 5 * commit:
                process.kill()
    assert -signal.SIGKILL == process.returncode
    promised = {line.decode().strip() for line in told if line.endswith(b"\n")}
    assert promised
    with closing(sqlite.connect(path.as_uri())) as db:
        assert [("ok",)] == db.execute("PRAGMA integrity_check").fetchall()
        kept = {key for (key,) in db.execute("SELECT key FROM meta")}
    first, second = ({key[:-2] for key in kept if key.endswith(end)} for end in (".a", ".b"))
    assert first == second, "a transaction was stored by half"
    assert promised <= first, "something that was told to be stored is missing"
    assert 12 >= len(first - promised), "more is there than could be under way"


def test_no_statement_looks_at_a_whole_table_that_grows() -> None:
    # These are few (people, their accounts, codes and rights, secrets, a row a start), or read
    # newest first up to a limit, or they look at a partial index: open, dead or due rows only.
    # When people were last seen is asked by one page; what is not indexed is of the last seconds.
    small = {"users", "logins", "roles", "standings", "secrets", "subject_keys", "chains"}
    small |= {"checkpoints", "plugins", "lately", "codes", "factors", "identities", "u", "heard"}
    small |= {"group_chats", "refusals", "erasures", "wrong_tries", "unindexed"}
    partial_indexes = {"outbox_open", "outbox_dead", "turns_open", "turns_dead", "approvals_open"}
    found = []
    with closing(sqlite3.connect(":memory:")) as db:
        for _, step in sql.missing(0, "sqlite"):
            db.executescript(step)
        for name, statement in sql.queries("sqlite").items():
            values = dict.fromkeys(re.findall(r"(?<![:\w]):(\w+)", statement))
            for *_, detail in db.execute(f"EXPLAIN QUERY PLAN {statement}", values):
                scanned = re.fullmatch(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", detail)
                if scanned and scanned[1] not in small and scanned[2] not in partial_indexes:
                    found.append(f"{name}: {detail}")
    # An erasure looks everywhere: once in a person's life, not with a message.
    assert [
        "erasure.counts: SCAN turns",
        "erasure.counts: SCAN inbox",
        "erasure.counts: SCAN outbox",
        "erasure.pairings: SCAN p",
        "erasure.codes: SCAN c",
        "pairings.open: SCAN pairings USING INDEX pairings_created",
        "people.seen: SCAN conversations USING COVERING INDEX conversations_recent",
        "approvals.decided: SCAN approvals USING INDEX sqlite_autoindex_approvals_1",
        "approvals.taken: SCAN approvals USING INDEX sqlite_autoindex_approvals_1",
    ] == found


def test_every_statement_has_a_name_of_its_own_and_a_purpose() -> None:
    texts = [
        file.read_text(encoding="utf-8")
        for file in sorted((Path(sql.__file__).parent / "queries").glob("*.sql"))
        if not file.stem.endswith(".postgres")
    ]
    names = [name for text in texts for name in re.findall(r"^-- name: (\S+)$", text, re.MULTILINE)]
    purposes = [
        p for t in texts for p in re.findall(r"^-- name: \S+\n-- [A-Z].*\.$", t, re.MULTILINE)
    ]
    assert sorted(names) == sorted(sql.queries("sqlite")) == sorted(sql.queries("postgres"))
    assert len(names) == len(purposes)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


async def _is_stored(db: sqlite.SqliteDb, key: str) -> bool:
    try:
        await db.write(partial(put, key=key, value=_LARGE))
    except DiskLow:
        return False
    return True
