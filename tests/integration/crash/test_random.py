"""Kill -9 at random moments under an open load: nothing lost or answered twice, order kept."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from clawdbot.domain.ports import Outgoing
from tests.integration.crash.stage import Rules, Stage, staged

USERS = range(2001, 2021)
SEED = 20260
AHEAD = 8


@pytest.mark.timeout(300)
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
        doubted: Counter[str] = Counter()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for user in USERS:
                pause = chance.uniform(0.2, 0.6)
                tasks.create_task(talk(stage, user, said[user], pause, over))
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.05, 1.0))
                await stage.kill()
                doubted.update(in_doubt(stage))
                await stage.begin(quiet=False)
            over.set()
        await stage.settle()
        seen = {user: [shown.text for shown in stage.said(user)] for user in USERS}
        strays = Counter(text for texts in seen.values() for text in texts if text.endswith("…"))
        doubts = stage.kept().doubts
    answers = {user: [text for text in seen[user] if not text.endswith("…")] for user in USERS}
    with capsys.disabled():
        print(
            f"\n{kills} kills, {sum(map(len, said.values()))} messages in {len(USERS)} "
            f"conversations: {sum(map(len, answers.values()))} answers, "
            f"{strays.total()} stray stubs of {doubted.total()} in doubt"
        )
    assert {user: [f"echo: {text}" for text in said[user]] for user in USERS} == answers
    # What a kill leaves behind is a stub that was sent and not recorded, once for each kill that
    # met it so: no conversation pays more than one for a kill, but one kill may cost several of
    # them one each. Every text is unique, so each stray is held against the kills that met it.
    assert strays <= doubted, f"strays that no kill explains: {strays - doubted}"
    assert all(begun_and_ended(texts) for texts in seen.values())
    assert 0 == doubts


def in_doubt(stage: Stage) -> list[str]:
    """List the stubs that may have been sent, though the dead program recorded none of them.

    It is the first of each conversation at most: nothing is sent behind a stub before that is on
    record as sent.
    """
    first = (
        "SELECT body, MIN(position) FROM outbox WHERE kind = 'stub' AND state = 'pending'"
        " GROUP BY destination"
    )
    rows = [body for body, _ in stage.query(first) if isinstance(body, bytes)]
    return [msgspec.json.decode(body, type=Outgoing).text for body in rows]


def begun_and_ended(texts: list[str]) -> bool:
    """Tell whether each stray stub begins the full answer that follows it."""
    answer = ""
    for text in reversed(texts):
        if not text.endswith("…"):
            answer = text
        elif not answer.startswith(text.removesuffix("…")):
            return False
    return True


async def talk(
    stage: Stage, user: int, said: list[str], pause_s: float, over: asyncio.Event
) -> None:
    """Say one thing after the other, whether answered or not, until too many are not.

    Without that bound a slow machine would end with more to answer than it ever can in time.
    """
    while not over.is_set():
        if len(said) > AHEAD and f"echo: {said[-AHEAD]}" not in [s.text for s in stage.said(user)]:
            await asyncio.sleep(pause_s)
            continue
        text = f"{user} says {len(said)} of many"
        said.append(text)
        await stage.telegram.user_says(user, user, text)
        await asyncio.sleep(pause_s)
