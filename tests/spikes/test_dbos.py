"""Five cases of our contract under DBOS Transact on PostgreSQL: start, step, signal, order, crash.

A spike: its figures stand in docs/adr/0001, it is kept to take them again. Runs in the slow suite
where `requirements-dbos.lock` is installed, and prints what it measures (`pytest -s`).
"""

import asyncio
import importlib.util
import json
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clawdbot.store import notes, postgres
from clawdbot.store.turns import TurnState
from tests.contract.conftest import SETTINGS, Lanes, ObedientClock, PostgresPlace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        importlib.util.find_spec("dbos") is None,
        reason="dbos is not installed (tests/spikes/requirements-dbos.lock)",
    ),
]

NODE = Path(__file__).with_name("dbos_node.py")


class Node:
    """A node's process, and everything it has told."""

    def __init__(self, name: str, place: PostgresPlace) -> None:
        words = dict(word.split("=") for word in place.dsn.split())
        url = f"postgresql://{words['user']}@/{words['dbname']}?host={words['host']}"
        self.process = subprocess.Popen(
            [sys.executable, str(NODE), name, place.dsn, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.told: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def do(self, what: str, **about: object) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what} | about) + "\n")
        self.process.stdin.flush()
        return time.monotonic()

    def all(self, event: str, **about: object) -> list[dict[str, Any]]:
        wanted = {"event": event} | about
        return [told for told in list(self.told) if wanted.items() <= told.items()]

    async def heard(self, event: str, count: int = 1, **about: object) -> list[dict[str, Any]]:
        def wait() -> None:
            with self._changed:
                enough = lambda: len(self.all(event, **about)) >= count  # noqa: E731
                assert self._changed.wait_for(enough, 60), (event, self.told[-3:])

        await asyncio.to_thread(wait)
        return self.all(event, **about)

    async def usage(self) -> dict[str, Any]:
        before = len(self.all("usage"))
        self.do("usage")
        return (await self.heard("usage", before + 1))[-1]

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.told.append(json.loads(line))
                self._changed.notify_all()


@pytest.fixture
def place(database: Callable[[], PostgresPlace]) -> PostgresPlace:
    return database()


@pytest.fixture
async def lanes(place: PostgresPlace, clock: ObedientClock) -> AsyncIterator[Lanes]:
    async with postgres.opened(place.dsn, SETTINGS) as db:
        yield Lanes(db, clock)


@contextmanager
def nodes(place: PostgresPlace, *names: str) -> Iterator[list[Node]]:
    started: list[Node] = []
    try:
        started.extend(Node(name, place) for name in names)
        yield started
    finally:
        for node in started:
            node.process.kill()
            node.process.communicate()


async def steps_of(lanes: Lanes, turn: str) -> list[str]:
    return [note.body for note in await lanes.db.read(lambda tx: notes.listed(tx, turn))][::-1]


def report(what: str, seconds: list[float]) -> None:
    seconds = sorted(seconds)
    p99 = seconds[int(len(seconds) * 0.99)]
    print(f"{what}: p50 {statistics.median(seconds) * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms")


@pytest.mark.parametrize("queue", [False, True], ids=["started", "queued"])
async def test_start(queue: bool, place: PostgresPlace, lanes: Lanes) -> None:
    with nodes(place, "a") as (node,):
        await node.heard("ready")
        warm = await lanes.queue("warm")
        node.do("wake", turn=warm, plan={"queue": queue})
        await node.heard("finished", turn=warm)
        before, began, waits = await node.usage(), time.monotonic(), []
        for number in range(50):
            turn = await lanes.queue(f"c{number}")
            woken = node.do("wake", turn=turn, plan={"queue": queue})
            waits.append((await node.heard("claimed", turn=turn))[0]["at"] - woken)
            await node.heard("finished", turn=turn)
        took, after = time.monotonic() - began, await node.usage()
    report(f"wake to claimed ({'queued' if queue else 'started'})", waits)
    print(f"CPU per turn of 3 steps: {(after['cpu'] - before['cpu']) * 20:.1f} ms, "
          f"{50 / took:.0f} turns/s, memory {after['memory'] / 1024:.0f} MB")  # fmt: skip


async def test_step(place: PostgresPlace, lanes: Lanes) -> None:
    turn = await lanes.queue()
    with nodes(place, "a") as (node,):
        await node.heard("ready")
        for _ in range(5):
            node.do("wake", turn=turn)
        await node.heard("finished", turn=turn)
        await node.heard("not its turn", 4, turn=turn)
    assert ["0", "1", "2"] == await steps_of(lanes, turn)


async def test_signal(place: PostgresPlace, lanes: Lanes) -> None:
    parked, other = await lanes.queue(), await lanes.queue()
    with nodes(place, "a", "b") as (a, b):
        await asyncio.gather(a.heard("ready"), b.heard("ready"))
        a.do("wake", turn=parked, plan={"park": True})
        await a.heard("parked", turn=parked)
        await a.heard("parked", turn=other)
        told = b.do("signal", turn=parked)
        finished = await b.heard("finished", turn=parked)
        print(f"signal to the end of the turn: {(finished[0]['at'] - told) * 1e3:.1f} ms")
        b.do("signal", turn=parked)
        b.do("signal", turn=other)
        await b.heard("finished", turn=other)
    assert ["0", "1", "2"] == await steps_of(lanes, parked)


async def test_order(place: PostgresPlace, lanes: Lanes) -> None:
    queued = {c: [await lanes.queue(c) for _ in range(15)] for c in ("x", "y")}
    with nodes(place, "a", "b") as pair:
        await asyncio.gather(*(node.heard("ready") for node in pair))
        for number, turn in enumerate(t for ts in queued.values() for t in reversed(ts)):
            pair[number % 2].do("wake", turn=turn, plan={"queue": number % 3 == 0})
        for turn in (turns[-1] for turns in queued.values()):
            while TurnState.DONE != (await lanes.get(turn)).state:
                await asyncio.sleep(0.02)
        told = sorted((t for node in pair for t in node.told), key=lambda t: t["at"])
    for turns in queued.values():
        events = [(t["turn"], t["event"]) for t in told
                  if t.get("turn") in turns and t["event"] in {"claimed", "finished"}]  # fmt: skip
        assert events == [(turn, what) for turn in turns for what in ("claimed", "finished")]


async def test_crash(place: PostgresPlace, lanes: Lanes) -> None:
    with nodes(place, "a", "b") as (a, b):
        await asyncio.gather(a.heard("ready"), b.heard("ready"))
        stalled = [await lanes.queue(f"c{number}") for number in range(10)]
        for turn in stalled:
            a.do("wake", turn=turn, plan={"stall": ["a", 1]})
        for turn in stalled:
            await a.heard("step", turn=turn, step=1)
        b.do("take over", dead="a")
        a.process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        for turn in stalled:
            await b.heard("finished", turn=turn)
        seen = (await b.heard("seen dead"))[0]["at"] - killed
        resumed = (await b.heard("resumed"))[0]["at"] - killed
        first, *_, last = sorted(told["at"] - killed for told in b.all("claimed"))
    print(
        f"killed to: seen {seen:.2f} s, resumed {resumed:.2f} s, claimed {first:.2f}-{last:.2f} s"
    )
    for turn in stalled:
        assert ["0", "1", "2"] == await steps_of(lanes, turn)
