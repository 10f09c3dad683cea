"""Checkpoints: in time, after enough rows, at the end; kept elsewhere; never in anybody's way."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clawdbot.config.clock import SystemClock
from clawdbot.config.key import FILE, MasterKey
from clawdbot.domain.settings import Audit as Settings
from clawdbot.domain.settings import Store
from clawdbot.ops.checkpoints import Checkpoints
from clawdbot.store import audit, proof, sqlite
from clawdbot.store.audit import Audit, Entry, Kind
from clawdbot.store.sqlite import SqliteDb
from clawdbot.store.vault import Vault
from tests.patience import PATIENCE_S

ENTRY = Entry(at=1.0, kind=Kind.EFFECT, what="shell")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDb]:
    async with sqlite.opened(tmp_path / "db", Store()) as opened:
        yield opened


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(MasterKey(tmp_path, {}))


@pytest.fixture
def trail(vault: Vault) -> Audit:
    return Audit(vault, "local:1", rows=3)


def made(db: SqliteDb, vault: Vault, trail: Audit, home: Path, **settings: object) -> Checkpoints:
    values = Settings(**({"export": "kept.jsonl"} | settings))  # type: ignore[arg-type]
    return Checkpoints(db, SystemClock(), vault, trail, values, home)


async def verdict(db: SqliteDb, vault: Vault) -> proof.Verdict:
    def look(tx):
        signer = audit.signer(tx, vault)
        return proof.verify(tx, signer.public if signer else "")

    return await db.read(look)


async def lines_of(path: Path, count: int) -> list[dict[str, object]]:
    async with asyncio.timeout(PATIENCE_S):
        while not path.exists() or len(path.read_text().splitlines()) < count:
            await asyncio.sleep(0.001)
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("settings", [{"checkpoint_s": 0.01}, {"checkpoint_s": 3600.0}])
async def test_rows_are_signed_in_time_or_when_there_are_many(
    settings: dict[str, float], db: SqliteDb, vault: Vault, trail: Audit, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made(db, vault, trail, tmp_path, **settings).run())
        await asyncio.sleep(0)
        for _ in range(3):
            await db.write(lambda tx: trail.append(tx, ENTRY))
        await lines_of(tmp_path / "kept.jsonl", 1)
        running.cancel()
    assert 0 == (tmp_path / "kept.jsonl").stat().st_mode & 0o077


async def test_the_end_of_a_life_is_signed_by_the_next(
    db: SqliteDb, vault: Vault, trail: Audit, tmp_path: Path
) -> None:
    await db.write(lambda tx: trail.append(tx, ENTRY))  # and then the process is killed
    later = Audit(vault, "local:2")
    checkpoints = made(db, vault, later, tmp_path)
    await checkpoints.sign()
    await db.write(lambda tx: later.append(tx, ENTRY))
    await checkpoints.sign()
    await checkpoints.sign()
    lines = await lines_of(tmp_path / "kept.jsonl", 2)
    assert [(1, "local:1", 1), (2, "local:2", 1)] == [
        (line["number"], line["chain"], line["place"]) for line in lines
    ]
    assert proof.Verdict(rows=2, checkpoints=2, bare=0) == await verdict(db, vault)


async def test_nothing_new_needs_no_key(
    db: SqliteDb, vault: Vault, trail: Audit, tmp_path: Path
) -> None:
    await made(db, vault, trail, tmp_path).sign()
    assert not (tmp_path / FILE).exists()


async def test_what_cannot_be_signed_or_kept_elsewhere_stops_nothing(
    db: SqliteDb, vault: Vault, trail: Audit, tmp_path: Path
) -> None:
    await db.write(lambda tx: trail.append(tx, ENTRY))
    (tmp_path / FILE).write_text("no key")
    (tmp_path / FILE).chmod(0o600)
    await made(db, vault, trail, tmp_path).sign()
    (tmp_path / FILE).unlink()
    await made(db, vault, trail, tmp_path, export="nowhere/kept.jsonl").sign()
    assert 1 == (await verdict(db, vault)).checkpoints
