"""The crash matrix: a dry turn counts its points, then the program dies at each of them.

Killed (-9) before and after every COMMIT and every outgoing request, and started again, it leaves
exactly one full answer in the chat, and no recorded step is repeated. What may remain is a stray
stub, where the program dies between Telegram's "sent" and our record of it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.models import Call, Reply, Rule
from tests.integration.crash.program import COMMIT, Point
from tests.integration.crash.stage import USER, Rules, Stage, eventually, staged

SIDE_BY_SIDE = 8
TRIES = 3
GROUP = -1001234567890
BASIC = -77
LONG = " ".join(f"word{number}" for number in range(700))
SLOW = " ".join(f"word{number}" for number in range(60))
COURTESY = frozenset({"sendChatAction", "editMessageText"})


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of turn: the model's script, what the users do, what must be in the chat then.

    `strays` is at how many points a stub remains, where commits come one after another; `varies`
    names what chance may add: courtesies that a clock decides, commits that others share.
    """

    play: Callable[[Stage], Awaitable[None]]
    ends: Callable[[list[str]], bool]
    strays: int | None = None
    rules: Rules = ()
    session: dict[str, object] = field(default_factory=dict)
    notes: int = 0
    chat: int = USER
    varies: frozenset[str] = frozenset()
    webhook: bool = False
    replies: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Death:
    """What became of the program's death at a point."""

    point: Point
    reached: bool = True
    strays: int = 0
    doubts: int = 0


def says(text: str) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        await stage.telegram.user_says(USER, USER, text)

    return play


async def asks_in_group(stage: Stage) -> None:
    await stage.telegram.add_group(GROUP, "Friends")
    await stage.telegram.user_says(GROUP, USER, "nobody asked you")
    await stage.heard()
    await stage.telegram.user_says(GROUP, USER, "@clawdbot_test_bot hello friends")


async def asks_in_a_group_that_moves(stage: Stage) -> None:
    await stage.telegram.add_group(BASIC, "Friends", supergroup=False)
    await stage.telegram.user_says(BASIC, USER, "@clawdbot_test_bot hello friends")
    await stage.heard()
    await stage.telegram.upgrade(BASIC, USER, GROUP)


async def says_three(stage: Stage) -> None:
    await stage.telegram.user_says(USER, USER, "one")
    await eventually(lambda: stage.dead or bool(stage.asked), "the model is asked")
    await stage.heard()
    await stage.telegram.user_says(USER, USER, "two")
    await stage.heard()
    await stage.telegram.user_says(USER, USER, "three")


async def stops(stage: Stage) -> None:
    await stage.telegram.user_says(USER, USER, "slowly")
    await eventually(lambda: stage.dead or bool(stage.said()), "the answer begins")
    await stage.telegram.user_says(USER, USER, "/stop")


def exactly(*texts: str) -> Callable[[list[str]], bool]:
    return lambda seen: list(texts) == seen


def whole(text: str) -> Callable[[list[str]], bool]:
    return lambda seen: text.split() == " ".join(seen).split()


def once_in_order(seen: list[str]) -> bool:
    return ["one", "two", "three"] == " ".join(seen).replace("echo:", "").split()


def stopped_or_whole(seen: list[str]) -> bool:
    """Either the answer, or that it was stopped; after the whole answer, that nothing runs."""
    match seen:
        case [text]:
            begun, _, mark = text.rpartition("\n")
            cut = mark == "(stopped)" and SLOW.startswith(begun) and begun != SLOW
            return cut or text in {SLOW, "Stopped.", "(stopped)"}
        case [text, "Nothing is running."]:
            return text == SLOW
    return False


def told_or_repeated(seen: list[str]) -> bool:
    """Told; or, as a notice has no stub, repeated and marked where nobody knows if it arrived."""
    told = "A new conversation begins."
    repeated = f"You may have seen this already: {told}"
    return seen in ([told], [repeated], [told, repeated])


CASES = {
    "plain": Case(play=says("hello"), ends=exactly("echo: hello"), strays=2),
    "tool": Case(
        play=says("note milk"),
        ends=exactly("Done. Noted: milk"),
        strays=2,
        rules=(
            {
                "when": "note",
                "calls": [{"tool": "note_add", "arguments": {"text": "milk"}}],
                "then": "Done. {result}",
            },
        ),
        notes=1,
    ),
    "model server": Case(
        play=says("note milk"),
        ends=exactly("Done."),
        strays=2,
        notes=1,
        replies=(
            Rule(last="user", reply=Reply(calls=[Call("note_add", {"text": "milk"})])),
            Rule(last="tool", reply=Reply(text="Done.")),
        ),
    ),
    "two chunks": Case(
        play=says("long"), ends=whole(LONG), strays=4, rules=({"when": "long", "say": LONG},)
    ),
    "streaming": Case(
        play=says("slowly"),
        ends=exactly(SLOW),
        strays=2,
        rules=({"when": "slowly", "say": SLOW, "delay_s": 0.9, "pause_s": 0.017},),
        varies=COURTESY,
    ),
    "group": Case(play=asks_in_group, ends=exactly("echo: hello friends"), strays=2, chat=GROUP),
    "moved": Case(
        play=asks_in_a_group_that_moves,
        ends=exactly("echo: hello friends"),
        rules=({"when": "", "delay_s": 0.9},),
        chat=GROUP,
        varies=COURTESY | {COMMIT},
    ),
    "webhook": Case(play=says("hello"), ends=exactly("echo: hello"), strays=2, webhook=True),
    "notice": Case(play=says("/new"), ends=told_or_repeated, strays=0),
    "collect": Case(
        play=says_three,
        ends=once_in_order,
        rules=({"when": "", "delay_s": 0.3},),
        session={"while_busy": "collect"},
        varies=frozenset({COMMIT}),
    ),
    "stop": Case(
        play=stops,
        ends=stopped_or_whole,
        rules=({"when": "slowly", "say": SLOW, "pause_s": 0.04},),
        varies=COURTESY | {COMMIT},
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_every_death_leaves_one_full_answer(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    points = await dry_run(case, tmp_path / "dry")
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    async def die(number: int, point: Point) -> Death:
        async with slots:
            return await death(case, tmp_path / f"{number}", point)

    async with asyncio.TaskGroup() as tasks:
        dying = [tasks.create_task(die(number, point)) for number, point in enumerate(points)]
    deaths = [task.result() for task in dying]
    missed = [death.point for death in deaths if not death.reached]
    strays = [death.point for death in deaths if death.strays]
    doubts = [death.point for death in deaths if death.doubts]
    with capsys.disabled():
        print(f"\n{name}: {told(points)}; {len(points)} deaths, 0 lost, 0 answered twice")
        found = {"stray stubs": strays, "marked repeats": doubts, "not reached": missed}
        for what, where in found.items():
            if where:
                print(f"  {what}: {', '.join(map(str, where))}")
    assert case.varies >= {point.name for point in missed}, f"not reached {missed} of {points}"
    if case.strays is not None:
        allowed = {"after sendMessage", f"before {COMMIT}"}
        assert allowed >= {f"{point.phase} {point.name}" for point in strays}
        assert case.strays == len(strays)


async def test_every_commit_is_one_sync_of_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = {
            name: tasks.create_task(dry_run(case, tmp_path / name, tmp_path / f"{name}.strace"))
            for name, case in CASES.items()
        }
    for name, run in running.items():
        syncs = (tmp_path / f"{name}.strace").read_text().splitlines()
        written = [point for point in run.result() if point.wrote and point.phase == "before"]
        with capsys.disabled():
            print(f"\n{name}: {len(written)} commits that wrote, {len(syncs)} syncs seen by strace")
        assert len(written) == len(syncs)


async def dry_run(case: Case, folder: Path, trace: Path | None = None) -> list[Point]:
    """Play the case without a fault and list its points, as many as Telegram's log has.

    With `trace`, leave in that file the syncs of the database's log that strace saw meanwhile.
    """
    async with on_stage(case, folder) as stage:
        await stage.begin(trace=trace)
        began = datetime.now(tz=UTC).timestamp()
        await case.play(stage)
        await stage.settle()
        check(case, stage, "without a fault")
        points, requests = stage.points, stage.requests()
        begun = Counter(p.name for p in points if p.phase == "before" and p.name != COMMIT)
        assert Counter(requests) == begun
        ended = datetime.now(tz=UTC).timestamp()
        await stage.end()
    if trace is not None:
        lines = [line for line in trace.read_text().splitlines() if "clawdbot.db-wal>" in line]
        trace.write_text(
            "".join(f"{line}\n" for line in lines if began <= float(line.split()[1]) <= ended)
        )
    return points


def on_stage(case: Case, folder: Path) -> AbstractAsyncContextManager[Stage]:
    return staged(folder, case.rules, case.session, webhook=case.webhook, replies=case.replies)


async def death(case: Case, folder: Path, point: Point) -> Death:
    """Play the case, die at the point, live again; check what is left."""
    for again in range(TRIES):
        async with on_stage(case, folder / str(again)) as stage:
            await stage.begin(die=str(point))
            await case.play(stage)
            await stage.settle()
            if str(point) not in map(str, stage.points):
                continue
            await stage.kill()
            kept, asked = stage.kept(), len(stage.asked)
            await stage.begin()
            await stage.settle()
            check(case, stage, str(point))
            repeated = kept.thoughts.intersection(stage.asked[asked:])
            assert not repeated, f"{point}: asked again {repeated}"
            strays = {shown.id for shown in stage.said(case.chat) if is_stub(shown.text)}
            assert len(strays) <= 1, f"{point}: {len(strays)} stray stubs"
            assert not strays & stage.kept().shown, f"{point}: a stub that we know of stayed"
            return Death(point=point, strays=len(strays), doubts=stage.kept().doubts)
    return Death(point=point, reached=False)


def check(case: Case, stage: Stage, when: str) -> None:
    kept = stage.kept()
    assert not stage.dead, f"{when}: the program ended by itself"
    assert case.ends(texts(stage, case)), f"{when}: {texts(stage, case)}"
    assert case.notes == kept.notes, f"{when}: {kept.notes} notes"
    assert {"done", "stopped"} >= kept.turns, f"{when}: {kept.turns}"


def texts(stage: Stage, case: Case) -> list[str]:
    """List what the bot said and meant."""
    return [shown.text for shown in stage.said(case.chat) if not is_stub(shown.text)]


def is_stub(text: str) -> bool:
    return text.endswith("…")


def told(points: list[Point]) -> str:
    counts = Counter(p.name for p in points if p.phase == "before")
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
