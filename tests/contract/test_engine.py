"""The embedded engine over a real journal: lanes, wakes that race, timers, the last try alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from clawdbot.domain.errors import Fenced
from clawdbot.domain.messages import Source
from clawdbot.domain.ports import Tx
from clawdbot.durable.embedded import AlwaysHeld, Embedded, Fire, Gate
from clawdbot.durable.journal import MustBeAlone, Parking, Step
from clawdbot.store import notes, timers
from clawdbot.store.notes import Note
from clawdbot.store.timers import Timer
from clawdbot.store.turns import Turn, TurnState
from tests.contract.conftest import START, TRIES, Lanes, eventually


class Lane:
    """Claims as the real lane does; a turn then does what the test has written for it."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.ran: list[str] = []
        self.asked: list[str] = []
        self.looked: list[str] = []
        self.inside: set[str] = set()
        self.beside: list[set[str]] = []
        self.acts: dict[str, Callable[[Turn], object]] = {}
        self.waits: dict[str, asyncio.Event] = {}
        self.no = asyncio.Event()  # what holds back the news that nothing can run
        self.no.set()

    async def advance(self, turn: str, gate: Gate) -> str | None:
        self.asked.append(turn)
        try:
            return await self._attempt(turn, gate, alone=False)
        except MustBeAlone:
            return await self._attempt(turn, gate, alone=True)

    async def look(self, turn: str) -> None:
        self.looked.append(turn)

    async def _attempt(self, turn: str, gate: Gate, *, alone: bool) -> str | None:
        async with gate.enter(alone=alone):
            claimed = await self.lanes.journal.claim(turn, alone=alone)
            if claimed is None:
                await self.no.wait()
                return None
            self.inside.add(turn)
            self.beside.append(set(self.inside))
            try:
                if turn in self.waits:
                    await self.waits[turn].wait()
                if turn in self.acts:
                    following = self.acts.pop(turn)(claimed)
                    return await following if asyncio.iscoroutine(following) else None
            finally:
                self.inside.remove(turn)
            self.ran.append(turn)
            return await self.lanes.finish(claimed)


@pytest.fixture
def lane(lanes: Lanes) -> Lane:
    return Lane(lanes)


@asynccontextmanager
async def running(
    lane: Lane, *, fire: dict[str, Fire] | None = None, most: int = 64, look_s: float = 60.0
) -> AsyncIterator[tuple[Embedded, list[str]]]:
    fired: list[str] = []
    engine = Embedded(
        lane.lanes.db, lane.lanes.clock, lane, fire=fire or {}, most=most, look_s=look_s
    )
    life = asyncio.ensure_future(engine.run(lambda timer: fired.append(timer.id)))
    try:
        await asyncio.sleep(0)
        yield engine, fired
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
    assert life.cancelled(), life


async def test_lanes_run_side_by_side_and_each_in_its_order(lane: Lane) -> None:
    queued = {c: [await lane.lanes.queue(c) for _ in range(4)] for c in ("a", "b", "c")}
    first = [turns_of[0] for turns_of in queued.values()]
    lane.waits = {turn: asyncio.Event() for turn in first}
    async with running(lane) as (engine, _):
        for turn in [turn for turns_of in queued.values() for turn in reversed(turns_of)]:
            engine.wake(turn)
        await eventually(lambda: lane.inside == set(first))
        for event in reversed(lane.waits.values()):
            event.set()
        await eventually(lambda: len(lane.ran) == 12)
    for turns_of in queued.values():
        assert turns_of == [turn for turn in lane.ran if turn in turns_of]


async def test_a_turn_runs_once_however_often_it_is_woken(lane: Lane) -> None:
    turn = await lane.lanes.queue()
    lane.waits[turn] = asyncio.Event()
    async with running(lane) as (engine, _):
        for _ in range(5):
            engine.wake(turn)
        await eventually(lambda: turn in lane.inside)
        for _ in range(5):
            engine.wake(turn)
        await eventually(lambda: len(lane.looked) == 9)
        lane.waits[turn].set()
        await eventually(lambda: lane.ran == [turn])
        engine.wake(turn)
    assert [turn] == lane.ran


async def test_a_wake_while_nothing_was_found_is_not_lost(lane: Lane) -> None:
    first, second = await lane.lanes.queue(), await lane.lanes.queue()
    blocker = await lane.lanes.claim(first)
    lane.no.clear()
    async with running(lane) as (engine, _):
        engine.wake(second)
        await eventually(lambda: lane.asked == [second])
        # The database has said no; before that is heard, the turn before it ends.
        assert second == await lane.lanes.finish(blocker)
        engine.wake(second)
        lane.no.set()
        await eventually(lambda: lane.ran == [second])
    assert [second, second] == lane.asked


async def test_what_was_accepted_and_not_woken_is_found(lane: Lane) -> None:
    early = await lane.lanes.queue("a")
    async with running(lane, look_s=0.01):
        await eventually(lambda: lane.ran == [early])
        late = await lane.lanes.queue("b")
        await eventually(lambda: lane.ran == [early, late])


async def test_a_turn_that_is_given_back_is_tried_again_at_once(lane: Lane) -> None:
    turn = await lane.lanes.queue()

    async def fail(claimed: Turn) -> str:
        await lane.lanes.journal.give_back(claimed, tried=True)
        return claimed.id

    lane.acts[turn] = fail
    async with running(lane) as (engine, _):
        engine.wake(turn)
        await eventually(lambda: lane.ran == [turn])
    assert 2 == (await lane.lanes.get(turn)).attempts


async def test_the_last_try_runs_alone(lane: Lane) -> None:
    lanes = lane.lanes
    suspect, others = await lanes.queue("s"), [await lanes.queue(f"c{n}") for n in range(3)]
    for _ in range(TRIES - 1):
        await lanes.claim(suspect)
        await lanes.journal.recover()
    lane.waits = {others[0]: asyncio.Event(), suspect: asyncio.Event()}
    async with running(lane) as (engine, _):
        engine.wake(others[0])
        await eventually(lambda: lane.inside == {others[0]})
        engine.wake(suspect)
        await eventually(lambda: suspect in lane.asked)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert {others[0]} == lane.inside
        for turn in others[1:]:
            engine.wake(turn)
        lane.waits[others[0]].set()
        await eventually(lambda: suspect in lane.inside)
        lane.waits[suspect].set()
        await eventually(lambda: len(lane.ran) == 4)
    assert {suspect} in lane.beside
    assert {suspect} == next(beside for beside in lane.beside if suspect in beside)


async def test_no_more_turns_than_set_run_side_by_side(lane: Lane) -> None:
    queued = [await lane.lanes.queue(f"c{n}") for n in range(10)]
    async with running(lane, most=3):
        await eventually(lambda: sorted(lane.ran) == sorted(queued))
    assert 3 >= max(map(len, lane.beside))


async def test_an_engine_that_does_not_run_is_woken_in_vain(lane: Lane) -> None:
    turn = await lane.lanes.queue()
    async with running(lane) as (engine, _):
        await eventually(lambda: lane.ran == [turn])
    engine.wake(turn)
    engine.timers_changed()
    assert [turn] == lane.ran


async def test_a_turn_that_ends_as_the_engine_stops_does_no_harm(lane: Lane) -> None:
    first, second = await lane.lanes.queue(), await lane.lanes.queue()
    lane.waits[first] = asyncio.Event()
    finished: list[str | None] = []

    async def end(claimed: Turn) -> str | None:
        async with asyncio.TaskGroup() as tasks:  # ends in spite of a cancellation
            ending = tasks.create_task(lane.lanes.finish(claimed))
        finished.append(ending.result())
        return ending.result()

    lane.acts[first] = end
    async with running(lane) as (engine, _):
        await eventually(lambda: first in lane.inside)
        lane.waits[first].set()
    engine.wake(second)
    assert finished in ([], [second])


# Timers


def note_when_due(tx: Tx, timer: Timer) -> None:
    notes.add(tx, timer.user_id, Note(f"{timer.id}:note", timer.subject, "own", 0, timer.due_at))


async def timer(lane: Lane, name: str, kind: str, due_at: float) -> None:
    row = Timer(name, kind, name, "u", b"", due_at)
    await lane.lanes.db.write(lambda tx: timers.add(tx, row, START))


async def noted(lane: Lane) -> list[str]:
    found = await lane.lanes.db.read(lambda tx: notes.listed(tx, "u"))
    return sorted(note.body for note in found)


async def test_a_timer_acts_once_when_it_is_due(lane: Lane) -> None:
    clock = lane.lanes.clock
    await timer(lane, "past", "reminder", START - 5)
    await timer(lane, "soon", "reminder", START + 5)
    async with running(lane, fire={"reminder": note_when_due}) as (engine, fired):
        await eventually(lambda: fired == ["past"])
        assert ["past"] == await noted(lane)
        clock.time = START + 6
        engine.timers_changed()
        await eventually(lambda: fired == ["past", "soon"])
    assert ["past", "soon"] == await noted(lane)
    async with running(lane, fire={"reminder": note_when_due}, look_s=0.01) as (_, fired):
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert [] == fired


async def test_a_timer_that_is_set_later_and_due_earlier_is_not_missed(lane: Lane) -> None:
    await timer(lane, "late", "reminder", START + 3600)
    async with running(lane, fire={"reminder": note_when_due}) as (engine, fired):
        await timer(lane, "early", "reminder", START + 0.01)
        lane.lanes.clock.time = START + 0.02
        engine.timers_changed()
        await eventually(lambda: len(fired) == 1)
    assert ["early"] == await noted(lane)


async def test_a_timer_of_a_kind_that_only_a_newer_version_knows_stays(lane: Lane) -> None:
    await timer(lane, "strange", "newer", START - 5)
    await timer(lane, "known", "reminder", START - 4)
    async with running(lane, fire={"reminder": note_when_due}, look_s=0.01) as (_, fired):
        await eventually(lambda: len(fired) == 1)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert ["known"] == fired
    assert ["known"] == await noted(lane)
    assert START - 5 == await lane.lanes.db.read(lambda tx: timers.next_due(tx, "newer"))


async def test_a_parked_turn_comes_back_at_its_deadline(lane: Lane) -> None:
    parked, other = await lane.lanes.queue(), await lane.lanes.queue()

    async def park(claimed: Turn) -> str | None:
        return await lane.lanes.journal.park(
            claimed,
            Step(key="park", source=Source.FIXED),
            Parking(wait="w", due_at=START + 60, version=1, body=b""),
        )

    lane.acts[parked] = park
    async with running(lane) as (engine, _):
        await eventually(lambda: lane.ran == [other])
        assert TurnState.PARKED == (await lane.lanes.get(parked)).state
        lane.lanes.clock.time = START + 61
        engine.timers_changed()
        await eventually(lambda: lane.ran == [other, parked])


async def test_a_clock_that_is_set_back_delays_timers_and_loses_none(lane: Lane) -> None:
    await timer(lane, "due", "reminder", START + 5)
    lane.lanes.clock.time = START - 3600
    async with running(lane, fire={"reminder": note_when_due}, look_s=0.01) as (_, fired):
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert [] == fired
        lane.lanes.clock.time = START + 6
        await eventually(lambda: len(fired) == 1)


# The gate


async def entered(gate: Gate, *, alone: bool, leave: asyncio.Event, log: list[str]) -> None:
    async with gate.enter(alone=alone):
        log.append("alone" if alone else "beside")
        await leave.wait()


async def test_alone_waits_for_all_and_keeps_others_out() -> None:
    gate, leave, log = Gate(4), asyncio.Event(), list[str]()
    async with asyncio.TaskGroup() as tasks:
        for alone in (False, False, True, False, True, False):
            tasks.create_task(entered(gate, alone=alone, leave=leave, log=log))
            for _ in range(3):
                await asyncio.sleep(0)
        assert ["beside", "beside"] == log
        leave.set()
    assert ["beside", "beside", "alone"] == log[:3]
    assert 6 == len(log)


async def test_who_gives_up_waiting_to_be_alone_opens_the_gate_again() -> None:
    gate, leave, log = Gate(4), asyncio.Event(), list[str]()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(entered(gate, alone=False, leave=leave, log=log))
        await eventually(lambda: log == ["beside"])
        alone = tasks.create_task(entered(gate, alone=True, leave=leave, log=log))
        for _ in range(5):
            await asyncio.sleep(0)
        alone.cancel()
        tasks.create_task(entered(gate, alone=False, leave=leave, log=log))
        await eventually(lambda: log == ["beside", "beside"])
        leave.set()


def test_a_node_without_a_rival_always_may_act() -> None:
    assert AlwaysHeld().held()


async def test_a_turn_of_a_dead_life_is_fenced_out_of_the_next(lane: Lane) -> None:
    """The same node, started again while a thread of its old life hangs on."""
    turn = await lane.lanes.queue()
    old = await lane.lanes.claim(turn)
    lane.lanes = lane.lanes.later()
    await lane.lanes.journal.recover()
    async with running(lane):
        await eventually(lambda: lane.ran == [turn])
    with pytest.raises(Fenced):
        await lane.lanes.finish(old)
    assert TurnState.DONE == (await lane.lanes.get(turn)).state
