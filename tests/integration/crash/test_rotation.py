"""A new master key is put in place step by step; kill -9 at each, and what is sealed still opens.

A death leaves everything sealed under one key, the old or the new; the rotation that ends leaves
the old key nowhere.
"""

import asyncio
import multiprocessing
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clawdbot.config.clock import SystemClock
from clawdbot.config.key import FILE, MasterKey
from clawdbot.domain.people import User
from clawdbot.domain.ports import Tx
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Store
from clawdbot.gateway.custody import Custody, Keep
from clawdbot.store import audit, people, secrets
from clawdbot.store import sqlite as store
from clawdbot.store.audit import Audit, Entry, Kind, Query
from clawdbot.store.vault import Key, Vault

SECRETS = {"mail": "a canary of mail", "door": "a canary of the door"}
USERS = ("u1", "u2")
_FILES = {"open", "os.rename", "os.remove"}
_processes = multiprocessing.get_context("spawn")


@asynccontextmanager
async def custody(home: Path, connect: store.Connect = store.connect) -> AsyncIterator[Custody]:
    """Give the owner's hand on a home's secrets."""
    vault, clock = Vault(MasterKey(home, {})), SystemClock()
    async with store.opened(home / "db", Store(), connect) as db:
        yield Custody(db=db, clock=clock, vault=vault, audit=Audit(vault, f"n:{clock.ulid()}"))


def dying(home: str, die: int, points: str) -> None:
    """Rotate the master key and die before the given point; write the points to a file."""
    place, count = Path(home), 0
    log = os.open(points, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def reach(name: str) -> None:
        nonlocal count
        count += 1
        os.write(log, f"{name}\n".encode())
        if count == die:
            os.kill(os.getpid(), signal.SIGKILL)

    class Pointed(sqlite3.Connection):
        def execute(self, sql: str, parameters=(), /) -> sqlite3.Cursor:
            if sql != "COMMIT":
                return super().execute(sql, parameters)
            reach("commit")
            cursor = super().execute(sql)
            reach("committed")
            return cursor

    def connect(uri: str) -> sqlite3.Connection:
        return sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, factory=Pointed
        )

    def heard(event: str, given: tuple[object, ...]) -> None:
        if event in _FILES and FILE in str(given[0]):
            reach(f"{event} {Path(str(given[0])).name}")

    async def rotate() -> None:
        async with custody(place, connect) as hand:
            os.write(log, b"begin\n")
            sys.addaudithook(heard)
            await hand.rotate_secret(Keep(name=""))
            os.write(log, b"end\n")

    asyncio.run(rotate())


async def sealed(home: Path) -> bytes:
    """Seal something of every kind; give the master key."""
    async with custody(home) as hand:
        for id_ in USERS:
            user = User(id_, id_, "owner", "en", "UTC")
            await hand.db.write(lambda tx, user=user: people.add(tx, user, 1.0))  # type: ignore[misc]
        for name, text in SECRETS.items():
            await hand.keep_secret(Keep(name=name, text=text, origins=("a.example",)))

        def note(tx: Tx) -> None:
            for user in USERS:
                payload = f"what {user} did".encode()
                entry = Entry(at=1.0, kind=Kind.EFFECT, what="pay", user_id=user, payload=payload)
                hand.audit.append(tx, entry)
            hand.audit.checkpoint(tx, audit.make_signer(tx, hand.vault), 2.0)

        await hand.db.write(note)
    [key] = MasterKey(home, {}).read()
    return key


async def look(home: Path) -> set[bytes]:
    """Open everything; tell under which of the keys it is sealed."""
    keys = [Key(text) for text in MasterKey(home, {}).read()]
    async with custody(home) as hand:

        def opened(tx: Tx) -> list[bytes]:
            rows = {row.name: row for row in secrets.listed(tx)}
            texts = {name: secrets.reveal(hand.vault, row) for name, row in rows.items()}
            assert {name: Secret(text) for name, text in SECRETS.items()} == texts
            paid = audit.find(tx, Query(what="pay"))
            told = [audit.content(tx, hand.vault, row).decode() for row in paid]
            assert [f"what {user} did" for user in USERS] == told
            assert audit.signer(tx, hand.vault) is not None
            of_people = tx.all(lambda _, value: bytes(value), "subject_keys.list")
            return [*(row.sealed for row in rows.values()), *of_people]

        values = await hand.db.read(opened)
        assert (await hand.verify("")).bad is None
    return {key.name for value in values for key in keys if key.made(value)}


def died(home: Path, die: int, points: Path) -> list[str]:
    """Rotate in a process of its own; give the points that it passed."""
    process = _processes.Process(target=dying, args=(str(home), die, str(points)))
    process.start()
    process.join(60)
    assert (-signal.SIGKILL if die else 0) == process.exitcode
    lines = points.read_text().splitlines()
    return lines[lines.index("begin") + 1 :]


@pytest.mark.timeout(300)
async def test_a_rotation_survives_a_kill_at_each_of_its_steps(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    old = await sealed(home)
    shutil.copytree(home, tmp_path / "dry")
    *points, end = await asyncio.to_thread(died, tmp_path / "dry", 0, tmp_path / "points")
    assert "end" == end
    # `begin` stands behind the points of opening; those of the rotation alone count here.
    first = len((tmp_path / "points").read_text().splitlines()) - len(points) - 1
    assert (1, 1) == (points.count("commit"), points.count("committed"))
    assert 2 == points.count(f"os.rename .{FILE}.new"), "the key's file is replaced twice"
    deaths = 0
    for number, point in enumerate(points):
        place = tmp_path / f"death{number}"
        shutil.copytree(home, place)
        await asyncio.to_thread(died, place, first + number, tmp_path / f"points{number}")
        assert 1 == len(await look(place)), f"before {point}: sealed under two keys"
        await finished(place, old)
        shutil.rmtree(place)
        deaths += 1
    print(f"rotate: {deaths} deaths at {', '.join(points)}")


async def finished(home: Path, old: bytes) -> None:
    """Rotate to the end; the old key is nowhere, nor a copy of the new one."""
    async with custody(home) as hand:
        await hand.rotate_secret(Keep(name=""))
    [new] = MasterKey(home, {}).read()
    assert {Key(new).name} == await look(home)
    for path in home.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for text in (old, *((new,) if path.name != FILE else ())):
            assert text not in data, path
            assert text.hex().encode() not in data, path
