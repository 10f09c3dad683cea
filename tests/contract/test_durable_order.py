"""Whatever happens in whatever order, the journal claims as a plain model of lanes says.

The model: a lane is a list of turns in order of position. The first that is neither ended nor
parked is the only one that may run; an answered turn goes to the end.
"""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from clawdbot.domain.messages import Source
from clawdbot.durable import journal
from clawdbot.durable.journal import MustBeAlone, Parking, Step
from clawdbot.store import turns
from clawdbot.store.turns import Turn
from tests.contract.conftest import Lanes, ObedientClock, SqlitePlace

T = TypeVar("T")
LANES = st.sampled_from(["a", "b"])


class Order(RuleBasedStateMachine):
    """One node, two lanes, crashes at any moment."""

    queued = Bundle("queued")
    running = Bundle("running")
    waits = Bundle("waits")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.opening = SqlitePlace(Path(self.folder.name) / "clawdbot.db").opened()
        self.lanes = Lanes(self.run(self.opening.__aenter__()), ObedientClock())
        self.model: dict[str, list[str]] = {"a": [], "b": []}
        self.parked: set[str] = set()
        self.claimed: dict[str, Turn] = {}
        self.counter = 0

    def teardown(self) -> None:
        self.run(self.opening.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def head(self, lane: str) -> str | None:
        return next((turn for turn in self.model[lane] if turn not in self.parked), None)

    def lane_of(self, turn: str) -> str:
        return next((lane for lane, found in self.model.items() if turn in found), "")

    @rule(target=queued, lane=LANES)
    def queue(self, lane: str) -> str:
        turn = self.run(self.lanes.queue(lane))
        self.model[lane].append(turn)
        return turn

    @rule(target=running, turn=queued)
    def claim(self, turn: str) -> object:
        may = self.head(self.lane_of(turn)) == turn if self.lane_of(turn) else False
        try:
            claimed = self.run(self.lanes.journal.claim(turn, alone=False))
        except MustBeAlone:
            claimed = self.run(self.lanes.journal.claim(turn, alone=True))
        assert (may and turn not in self.claimed) == (claimed is not None)
        if claimed is None:
            return multiple()
        self.claimed[turn] = claimed
        return turn

    @rule(turn=running)
    def record(self, turn: str) -> None:
        self.counter += 1
        if turn in self.claimed:
            step = Step(key=f"step/{self.counter}", source=Source.MODEL)
            self.run(self.lanes.journal.record(self.claimed[turn], step, 1, b""))

    @rule(turn=consumes(running))
    def finish(self, turn: str) -> None:
        if turn in self.claimed:
            lane = self.lane_of(turn)
            following = self.run(self.lanes.finish(self.claimed.pop(turn)))
            self.model[lane].remove(turn)
            assert self.head(lane) == following

    @rule(turn=consumes(running), tried=st.booleans())
    def give_back(self, turn: str, tried: bool) -> None:
        if turn in self.claimed:
            self.run(self.lanes.journal.give_back(self.claimed.pop(turn), tried=tried))

    @rule(target=waits, turn=consumes(running))
    def park(self, turn: str) -> object:
        if turn not in self.claimed:
            return multiple()
        self.counter += 1
        wait, step = f"wait/{self.counter}", Step(key=f"park/{self.counter}", source=Source.FIXED)
        following = self.run(
            self.lanes.journal.park(
                self.claimed.pop(turn),
                step,
                Parking(wait=wait, due_at=None, version=1, body=b""),
            )
        )
        self.parked.add(turn)
        assert self.head(self.lane_of(turn)) == following
        return (turn, wait)

    @rule(parked=waits)
    def answer(self, parked: tuple[str, str]) -> None:
        turn, wait = parked
        woken = self.run(self.lanes.db.write(lambda tx: journal.signal(tx, wait, b"")))
        if woken is not None:
            assert turn == woken
            assert turn in self.parked
            self.parked.remove(turn)
            lane = self.model[self.lane_of(turn)]
            lane.remove(turn)
            lane.append(turn)

    @rule()
    def crash(self) -> None:
        self.lanes = self.lanes.later()
        self.run(self.lanes.journal.recover())
        self.claimed.clear()

    @invariant()
    def what_may_start_is_what_the_model_says(self) -> None:
        heads = {self.head(lane) for lane in self.model} - {None, *self.claimed}
        assert heads == set(self.run(self.lanes.db.read(turns.ready)))


TestOrder = Order.TestCase
TestOrder.settings = settings(max_examples=40, stateful_step_count=30)
