"""Disk full, database locked, clock set back, Telegram or the model gone: nothing is lost."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.models import Reply, Rule
from tests.fakes.telegram import Fault
from tests.integration.crash.program import COMMIT
from tests.integration.crash.stage import (
    LOOPBACK,
    USER,
    Rules,
    Stage,
    endpoint,
    eventually,
    free_port,
    staged,
)
from tests.integration.test_spine import OWNER, make_owner

MEBIBYTE = 1 << 20
SLOW: Rules = [{"when": "slow", "delay_s": 1.0}]
HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def texts(stage: Stage, user: int = USER) -> list[str]:
    return [shown.text for shown in stage.said(user)]


async def answered(stage: Stage, *expected: str) -> None:
    """Wait for exactly these answers; what is not one of them never comes."""
    await eventually(lambda: list(expected) == texts(stage), f"{expected}, not {texts(stage)}")
    await stage.settle()
    assert list(expected) == texts(stage)


def commits_failed(stage: Stage) -> int:
    """Count the COMMITs that the present life began and never ended."""
    begun = Counter(point.phase for point in stage.points if point.name == COMMIT)
    return begun["before"] - begun["after"]


@asynccontextmanager
async def small_disk(folder: Path, size: int) -> AsyncIterator[Path]:
    """Mount a file system of a few MiB; skip the test where that is not allowed."""
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Take all space but some bytes."""
    path = folder / "filler"
    with path.open("ab") as file:
        file.write(bytes(max(0, shutil.disk_usage(folder).free - leave)))
    return path


async def test_a_full_disk_keeps_what_was_accepted_and_refuses_the_rest(tmp_path: Path) -> None:
    store = {"low_water_mb": 2, "ballast_mb": 1}
    async with (
        small_disk(tmp_path / "disk", 24 * MEBIBYTE) as disk,
        staged(tmp_path, SLOW, disk=disk, store=store) as stage,
    ):
        await stage.begin()
        await stage.telegram.user_says(USER, USER, "slow")
        await eventually(lambda: bool(stage.asked), "the model is asked")
        filler = fill(disk, leave=0)
        await answered(stage, "echo: slow")
        assert not (disk / "home" / "data" / "ballast").exists()
        await stage.telegram.user_says(USER, USER, "one")
        await stage.telegram.user_says(USER, USER, "two")
        refused = len(stage.telegram.requests.entries)
        await eventually(
            lambda: len(stage.telegram.requests.since(refused)) > 1, "the updates are left there"
        )
        assert 2 == len(stage.telegram.world.queue)
        filler.unlink()
        await answered(stage, "echo: slow", "echo: one", "echo: two")


async def test_a_disk_that_stays_full_parks_what_was_accepted(tmp_path: Path) -> None:
    store = {"low_water_mb": 2, "ballast_mb": 0}
    async with (
        small_disk(tmp_path / "disk", 24 * MEBIBYTE) as disk,
        staged(tmp_path, SLOW, disk=disk, store=store) as stage,
    ):
        await stage.begin()
        await stage.telegram.user_says(USER, USER, "slow")
        await eventually(lambda: bool(stage.asked), "the model is asked")
        filler = fill(disk, leave=0)
        await eventually(lambda: commits_failed(stage) > 1, "the commit fails again and again")
        assert [] == texts(stage)
        await stage.kill()
        filler.unlink()
        await stage.begin()
        await answered(stage, "echo: slow")


async def test_a_database_locked_by_another_process_is_waited_for(tmp_path: Path) -> None:
    store = {"low_water_mb": 0, "ballast_mb": 0, "busy_timeout_s": 0.5}
    async with staged(tmp_path, SLOW, store=store) as stage:
        await stage.begin()
        await stage.telegram.user_says(USER, USER, "slow")
        await eventually(lambda: bool(stage.asked), "the model is asked")
        database = stage.home / "data" / "clawdbot.db"
        pipe = asyncio.subprocess.PIPE
        locker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", HOLD_LOCK, str(database)), stdin=pipe, stdout=pipe
        )
        assert locker.stdout is not None
        assert b"locked\n" == await locker.stdout.readline()
        await stage.telegram.user_says(USER, USER, "one")
        await stage.telegram.user_says(USER, USER, "two")
        # Several times longer than SQLite waits: the end of the turn meets the lock as well.
        await eventually(lambda: stage.requests().count("getUpdates") > 2, "`accept` fails")
        assert [] == texts(stage)
        assert 2 == len(stage.telegram.world.queue)
        await locker.communicate(b"")
        await answered(stage, "echo: slow", "echo: one", "echo: two")


async def test_a_clock_set_back_delays_and_refuses_nothing(tmp_path: Path) -> None:
    limits = {"messages_per_minute": 2}
    async with staged(tmp_path, limits=limits) as stage:
        await stage.begin()
        await stage.telegram.user_says(USER, USER, "one")
        await answered(stage, "echo: one")
        # The answer waits for a time that is a day ahead of the next life's clock.
        await stage.telegram.fault(
            Fault(kind="status", method="sendMessage", status=429, retry_after=20)
        )
        await stage.telegram.user_says(USER, USER, "two")
        await eventually(
            lambda: bool(stage.query("SELECT id FROM outbox WHERE not_before > 0")),
            "the answer waits",
        )
        await stage.kill()
        await stage.begin(ahead_s=-86400.0)
        await answered(stage, "echo: one", "echo: two")
        await stage.telegram.user_says(USER, USER, "three")
        await answered(stage, "echo: one", "echo: two", "echo: three")


GONE = {
    "four seconds": Fault(kind="down", seconds=4.0),
    "a minute": Fault(kind="down", seconds=60.0),
    # Everything is done, and nothing is heard of it.
    "unheard": Fault(kind="drop", when="after", count=6),
}
SLOWLY = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    "gone", ["four seconds", pytest.param("a minute", marks=SLOWLY), "unheard"]
)
async def test_telegram_gone_for_a_while_gets_each_answer_once(gone: str, tmp_path: Path) -> None:
    async with staged(tmp_path, SLOW) as stage:
        await stage.begin()
        await stage.telegram.user_says(USER, USER, "slow")
        await eventually(lambda: bool(stage.asked), "the model is asked")
        await stage.telegram.fault(GONE[gone])
        await stage.telegram.user_says(USER, USER, "one")
        await eventually(lambda: "echo: one" in texts(stage), "all is answered", 200.0)
        await stage.settle()
        seen = [text for text in texts(stage) if not text.endswith("…")]
        assert ["echo: slow", "echo: one"] == seen


async def test_a_model_that_dies_at_token_30_leaves_the_answer_to_the_emergency_route(
    tmp_path: Path,
) -> None:
    dying = Rule(reply=Reply(failing="die", at_token=30))
    async with staged(tmp_path, replies=[dying]) as stage:
        await stage.begin()
        await stage.telegram.user_says(USER, USER, "hello")
        await answered(stage, "(Emergency model) echo: hello")


async def test_without_any_model_server_the_emergency_route_answers(tmp_path: Path) -> None:
    nowhere = endpoint(f"{LOOPBACK}:{free_port()}/v1")
    async with staged(tmp_path, model=nowhere) as stage:
        await stage.begin()
        await stage.telegram.user_says(USER, USER, "hello")
        await answered(stage, "(Emergency model) echo: hello")


@pytest.mark.parametrize("words", [0, 30])
async def test_a_model_that_dies_is_told_to_the_user(words: int, tmp_path: Path) -> None:
    """A guest reads a neutral sentence, the owner the cause."""
    said = " ".join(f"word{number}" for number in range(60))
    rules: Rules = [{"when": "hello", "say": said, "fails_after": words}]
    async with staged(tmp_path, rules) as stage:
        await make_owner(stage.home)
        await stage.begin()
        await stage.telegram.user_says(USER, USER, "hello")
        await stage.telegram.user_says(OWNER, OWNER, "hello")
        await stage.settle()
        assert ["I cannot answer right now. Please try again later."] == texts(stage)
        cause = "The model endpoint has trouble of its own. Try again later."
        assert [f"I could not answer: {cause}"] == texts(stage, OWNER)
        await stage.telegram.user_says(USER, USER, "and now?")
        await eventually(lambda: "echo: and now?" in texts(stage), "the next turn is answered")
