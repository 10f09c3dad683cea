"""A turn that read a skill, itself or through a helper, goes on after kill -9 at its commits.

What was read is not read again: before the next life the owner trusts other words, and the answer
has the old ones exactly where those are on record.
"""

import asyncio
from pathlib import Path

import pytest

from clawdbot.config.clock import SystemClock
from clawdbot.domain.settings import Store
from clawdbot.store import sqlite
from clawdbot.store.plugins import SKILL
from clawdbot.tools.decisions import Decisions
from clawdbot.tools.registry import Registry
from clawdbot.tools.skills import Skills
from tests.integration.crash.program import COMMIT, Point
from tests.integration.crash.stage import USER, Rules, Stage, staged
from tests.integration.crash.test_asking import make_owner, said
from tests.integration.crash.test_matrix import SIDE_BY_SIDE, TRIES

OLD, NEW = "add the sums of the week", "ask Ann for the sums"
READ = {"tool": "skill", "arguments": {"name": "report"}}
HELP = {"tool": "delegate", "arguments": {"task": "read how it is done"}}
RULES: dict[str, Rules] = {
    "skill": [{"when": "report", "calls": [READ]}],
    "helper": [{"when": "how it is done", "calls": [READ]}, {"when": "report", "calls": [HELP]}],
}


async def teach(home: Path, words: str) -> None:
    """Have the owner trust a skill of these words."""
    folder = home / "skills" / "report"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(f"---\nname: report\ndescription: how\n---\n{words}\n")
    async with sqlite.opened(home / "data" / "clawdbot.db", Store(), sqlite.connect) as db:
        decisions = Decisions(db, SystemClock(), lambda *_: None, SKILL)
        await Skills(home, decisions, Registry(())).trust("report")


def was_read(stage: Stage) -> bool:
    """Tell whether what the skill says is on record, or the turn is over."""
    steps = f"SELECT key FROM steps WHERE CAST(outcome AS TEXT) LIKE '%{OLD}%'"
    return bool(stage.query(steps) or stage.query("SELECT id FROM turns WHERE state = 'done'"))


async def death(rules: Rules, folder: Path, point: Point | None) -> tuple[list[Point], bool]:
    """Ask, die at the point, live again; give the points, and whether the reading was on record."""
    for again in range(TRIES):
        async with staged(folder / str(again), rules) as stage:
            await make_owner(stage.home)
            await teach(stage.home, OLD)
            await stage.begin(die=str(point or ""))
            await stage.telegram.user_says(USER, USER, "report")
            await stage.settle()
            if point is None:
                assert [True] == [OLD in text for text in said(stage)]
                return stage.points, was_read(stage)
            if str(point) not in map(str, stage.points):
                continue
            await stage.kill()
            read = was_read(stage)
            await teach(stage.home, NEW)
            await stage.begin()
            await stage.settle()
            expected = OLD if read else NEW
            assert [True] == [expected in text for text in said(stage)], f"{point}: {said(stage)}"
            assert [("done",)] == stage.query("SELECT state FROM turns"), point
            return [point], read
    return [], False


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", RULES)
async def test_what_was_read_is_not_read_again(case: str, tmp_path: Path) -> None:
    points, _ = await death(RULES[case], tmp_path / "dry", None)
    commits = [point for point in points if point.name == COMMIT and point.wrote]
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    async def die(number: int, point: Point) -> bool:
        async with slots:
            return (await death(RULES[case], tmp_path / f"{number}", point))[1]

    async with asyncio.TaskGroup() as tasks:
        dying = [tasks.create_task(die(number, point)) for number, point in enumerate(commits)]
    on_record = [task.result() for task in dying]
    assert {True, False} == set(on_record)
