"""A turn that asks, is allowed and acts, killed at each of its points; the effect's own file tells.

Nothing happens without the yes. What may be repeated happens to the end; of what may not, and of
which nobody knows whether it happened, the user is asked again and told so. Nothing is silent.
"""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clawdbot.domain.people import Level, User
from clawdbot.domain.settings import Store
from clawdbot.store import people, sqlite
from tests.fakes.telegram import Shown
from tests.integration.crash.program import COMMIT, EFFECT, Point
from tests.integration.crash.stage import USER, Rules, Stage, eventually, staged
from tests.integration.crash.test_matrix import SIDE_BY_SIDE, TRIES, is_stub, told

DONE = "paid 900 to landlord"
DOUBT = "It is not known whether this happened already."
UNKNOWN = "It is not known whether this happened; it was not repeated."
# What a clock decides, and what others share.
VARIES = frozenset({COMMIT, "sendChatAction", "editMessageText"})


@dataclass(kw_only=True)
class Owner:
    """The person at the other end: says yes to a question, and no to a doubt."""

    stage: Stage
    seen: set[int] = field(default_factory=set)
    asked: int = 0
    doubted: int = 0

    async def say(self) -> None:
        await self.stage.telegram.user_says(USER, USER, "pay the rent")

    async def answer(self) -> None:
        """Answer whatever is asked until nothing is, or the life is over."""
        await self.stage.settle()
        while not self.stage.dead and (question := self._question()) is not None:
            await self._reply(question)
            await eventually(
                lambda: self.stage.dead or not self.stage.telegram.world.queue, "it is heard"
            )
            await self.stage.settle()

    def _question(self) -> Shown | None:
        """Find the last question that is not answered; a repeated one is the same."""
        open_ = "SELECT code FROM approvals WHERE state = 'open'"
        codes = {str(code) for (code,) in self.stage.query(open_)}
        shown = [each for each in self.stage.said() if codes & set(code_in(each))]
        return shown[-1] if shown else None

    async def _reply(self, question: Shown) -> None:
        doubt = DOUBT in question.text
        self.doubted += doubt
        self.asked += not doubt
        label = "No" if doubt else "Yes, once"
        telegram = self.stage.telegram
        if question.buttons:
            await telegram.user_clicks(USER, USER, question.id, label)
        else:
            [code] = code_in(question)
            await telegram.user_says(USER, USER, f"{'no' if doubt else 'yes'} {code}")


def code_in(shown: Shown) -> list[str]:
    return re.findall(r"Answer YES (\d{4})", shown.text)


@dataclass(frozen=True, kw_only=True)
class Death:
    """What became of the program's death at a point."""

    point: Point
    reached: bool = True
    doubted: bool = False
    happened: int = 1


async def make_owner(home: Path) -> None:
    """Make the owner before the first start, as set-up does."""
    (home / "data").mkdir(mode=0o700)
    async with sqlite.opened(home / "data" / "clawdbot.db", Store(), sqlite.connect) as db:
        owner = User("owner", "Olga", Level.OWNER, "en", "UTC")
        await db.write(lambda tx: people.add(tx, owner, 0.0))
        await db.write(
            lambda tx: people.identify(tx, "owner", "telegram", str(USER), name="Olga", now=0.0)
        )


def rules(tool: str) -> Rules:
    call = {"tool": tool, "arguments": {"to": "landlord", "amount": 900}}
    return [{"when": "pay the rent", "calls": [call]}]


def happened(stage: Stage) -> list[str]:
    """Read the effect's own record: which call, what."""
    file = stage.home / EFFECT
    return file.read_text().splitlines() if file.exists() else []


def said(stage: Stage) -> list[str]:
    """List the answers, questions aside."""
    shown = [each.text for each in stage.said() if not is_stub(each.text)]
    questions = ("May I do this?", "You may have seen this already")
    return [text for text in shown if not text.startswith(questions) and "YES" not in text]


async def dry_run(tool: str, folder: Path) -> list[Point]:
    async with staged(folder, rules(tool)) as stage:
        await make_owner(stage.home)
        await stage.begin()
        owner = Owner(stage=stage)
        await owner.say()
        await stage.settle()
        assert [] == happened(stage)
        await owner.answer()
        assert [DONE] == said(stage)
        assert (1, 0, 1) == (owner.asked, owner.doubted, len(happened(stage)))
        points = stage.points
        await stage.end()
    return points


async def death(tool: str, folder: Path, point: Point) -> Death:
    """Ask and answer, die at the point, live again and answer what is still asked."""
    for again in range(TRIES):
        async with staged(folder / str(again), rules(tool)) as stage:
            await make_owner(stage.home)
            await stage.begin(die=str(point))
            owner = Owner(stage=stage)
            await owner.say()
            await stage.settle()
            assert [] == happened(stage), f"{point}: it happened without a yes"
            await owner.answer()
            if str(point) not in map(str, stage.points):
                continue
            await stage.kill()
            await stage.begin()
            await stage.settle()
            if not owner.asked:
                assert [] == happened(stage), f"{point}: it happened without a yes"
            await owner.answer()
            return check(tool, stage, owner, point)
    return Death(point=point, reached=False)


def check(tool: str, stage: Stage, owner: Owner, point: Point) -> Death:
    record, answers = happened(stage), said(stage)
    states = {state for (state,) in stage.query("SELECT state FROM turns")}
    assert not stage.dead, f"{point}: the program ended by itself"
    assert {"done"} == states, f"{point}: {states}"
    assert owner.asked >= 1
    if tool == "order":
        assert 0 == owner.doubted, f"{point}: asked about what may be repeated"
        assert len(record) in {1, 2}, f"{point}: {record}"
        assert 1 == len(set(record)), f"{point}: not the same call {record}"
        assert answers.count(DONE) == 1, f"{point}: {answers}"
    elif owner.doubted:
        assert len(record) <= 1, f"{point}: repeated after a no"
        assert answers.count(UNKNOWN) == 1, f"{point}: {answers}"
    else:
        assert 1 == len(record), f"{point}: {record}"
        assert answers.count(DONE) == 1, f"{point}: {answers}"
    return Death(point=point, doubted=bool(owner.doubted), happened=len(record))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("tool", ["pay", "order"])
async def test_every_death_asks_before_and_tells_after(
    tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = await dry_run(tool, tmp_path / "dry")
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    async def die(number: int, point: Point) -> Death:
        async with slots:
            return await death(tool, tmp_path / f"{number}", point)

    async with asyncio.TaskGroup() as tasks:
        dying = [tasks.create_task(die(number, point)) for number, point in enumerate(points)]
    deaths = [task.result() for task in dying]
    missed = [each.point for each in deaths if not each.reached]
    doubts = {str(each.point): each.happened for each in deaths if each.doubted}
    twice = [str(each.point) for each in deaths if each.happened == 2]
    with capsys.disabled():
        print(f"\n{tool}: {told(points)}; {len(points)} deaths, none without a yes, none silent")
        for what, where in {"asked again": doubts, "repeated": twice, "missed": missed}.items():
            if where:
                print(f"  {what}: {where}")
    assert VARIES >= {point.name for point in missed}
    if tool == "pay":
        assert (0, 1) == (doubts[f"before {EFFECT} 1"], doubts[f"after {EFFECT} 1"])
        # Asked again only where the intent is on record and the outcome is not.
        assert len(doubts) < len(deaths) / 4
    else:
        assert f"after {EFFECT} 1" in twice
