"""Kill -9 at random moments under an open load: nothing lost or answered twice, order kept."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.integration.crash.stage import Rules, Stage, staged

USERS = range(2001, 2021)
SEED = 20260


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "kills", [6, pytest.param(20, marks=pytest.mark.slow)], ids="{} kills".format
)
async def test_random_kills_lose_and_repeat_nothing(
    kills: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    session = {"allow": [str(user) for user in USERS]}
    limits = {"messages_per_minute": 10_000}
    rules: Rules = [{"when": "", "delay_s": 0.05}]
    async with staged(tmp_path, rules, session, limits=limits) as stage:
        await stage.begin()
        said: dict[int, list[str]] = {user: [] for user in USERS}
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for user in USERS:
                pause = chance.uniform(0.2, 0.6)
                tasks.create_task(talk(stage, user, said[user], pause, over))
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.05, 1.0))
                await stage.kill()
                await stage.begin()
            over.set()
        await stage.settle()
        seen = {user: [shown.text for shown in stage.said(user)] for user in USERS}
        strays = sum(text.endswith("…") for texts in seen.values() for text in texts)
        doubts = stage.kept().doubts
    answers = {user: [text for text in seen[user] if not text.endswith("…")] for user in USERS}
    with capsys.disabled():
        print(
            f"\n{kills} kills, {sum(map(len, said.values()))} messages in {len(USERS)} "
            f"conversations: {sum(map(len, answers.values()))} answers, {strays} stray stubs"
        )
    assert {user: [f"echo: {text}" for text in said[user]] for user in USERS} == answers
    assert kills >= strays
    assert 0 == doubts


async def talk(
    stage: Stage, user: int, said: list[str], pause_s: float, over: asyncio.Event
) -> None:
    """Say one thing after the other, whether answered or not."""
    while not over.is_set():
        text = f"message {len(said)} of {user}"
        said.append(text)
        await stage.telegram.user_says(user, user, text)
        await asyncio.sleep(pause_s)
