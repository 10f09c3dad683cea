"""Boards: read once an interval for all who look, told when the value has changed.

Covers clawdbot.gateway.boards.
"""

import asyncio

from clawdbot.config.clock import SystemClock
from clawdbot.gateway.boards import Board


class Counter:
    """A value that is counted when it is read."""

    def __init__(self) -> None:
        self.reads = 0
        self.value = "calm"

    async def read(self) -> dict[str, str]:
        self.reads += 1
        return {"state": self.value}


async def test_many_who_look_cost_one_reading_and_hear_of_every_change_once() -> None:
    counter = Counter()
    board = Board("health", None, counter.read, SystemClock(), 0.2)
    heard: list[list[str]] = [[] for _ in range(50)]

    async def look(into: list[str]) -> None:
        async for frame in board.watched():
            into.append(frame)
            if len(into) == 2:
                return

    async with asyncio.TaskGroup() as tasks:
        for each in heard:
            tasks.create_task(look(each))
        while not all(heard):
            await asyncio.sleep(0.01)
        counter.value = "busy"
    first, second = (
        f'{{"type":"changed","board":"health","data":{{"state":"{state}"}}}}'
        for state in ("calm", "busy")
    )
    assert [[first, second]] * 50 == heard
    assert counter.reads < 50


async def test_nobody_looks_and_nothing_is_read() -> None:
    counter = Counter()
    board = Board("health", None, counter.read, SystemClock(), 0.01)
    async for _ in board.watched():
        break
    await asyncio.sleep(0.1)
    assert 1 == counter.reads
