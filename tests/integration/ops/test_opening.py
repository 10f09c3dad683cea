"""Parts that open with their first use: once, whole or not at all, and closed at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from clawdbot.domain.errors import Failure, PluginFailed
from clawdbot.ops.opening import Opening
from tests.patience import PATIENCE_S


class Parts:
    """Makes parts, and notes what happens to them; `fails` are what the next ones fail with."""

    def __init__(self, *fails: Exception) -> None:
        self.seen: list[str] = []
        self.fails = list(fails)
        self.going = asyncio.Event()

    @asynccontextmanager
    async def part(self) -> AsyncIterator[str]:
        self.seen.append("half open")
        try:
            async with asyncio.TaskGroup() as tasks:  # as a real one has
                ticking = tasks.create_task(asyncio.Event().wait())
                try:
                    await self.going.wait()
                    if self.fails:
                        raise self.fails.pop(0)
                    self.seen.append("open")
                    yield "part"
                finally:
                    ticking.cancel()
        finally:
            self.seen.append("closed")


async def test_what_nobody_uses_is_never_opened() -> None:
    parts = Parts()
    async with Opening(parts.part).held():
        pass
    assert [] == parts.seen


async def test_two_first_users_at_once_open_it_once() -> None:
    parts = Parts()
    async with Opening(parts.part).held() as opening, asyncio.TaskGroup() as tasks:
        users = [tasks.create_task(opening()) for _ in range(2)]
        await asyncio.sleep(0)
        parts.going.set()
        assert ["part", "part", "part"] == [await users[0], await users[1], await opening()]
        assert ["half open", "open"] == parts.seen
    assert ["half open", "open", "closed"] == parts.seen


@pytest.mark.parametrize("error", [PluginFailed("It is broken."), OSError("No room.")])
async def test_a_failing_one_is_closed_told_to_all_who_ask_and_tried_again(
    error: Exception,
) -> None:
    parts = Parts(error)
    async with Opening(parts.part).held() as opening:
        asked = [asyncio.ensure_future(opening()) for _ in range(2)]
        parts.going.set()
        assert [error, error] == await asyncio.gather(*asked, return_exceptions=True)
        assert ["half open", "closed"] == parts.seen
        assert "part" == await opening()
    assert ["half open", "closed", "half open", "open", "closed"] == parts.seen


async def test_who_gives_up_takes_it_from_nobody_else() -> None:
    parts = Parts()
    async with Opening(parts.part).held() as opening:
        hasty = asyncio.ensure_future(opening())
        patient = asyncio.ensure_future(opening())
        await asyncio.sleep(0)
        hasty.cancel()
        parts.going.set()
        assert "part" == await patient
        assert hasty.cancelled()
    assert ["half open", "open", "closed"] == parts.seen


async def test_a_failure_that_nobody_waits_for_is_no_fault_of_the_service() -> None:
    parts = Parts(Failure("Gone."))
    async with Opening(parts.part).held() as opening:
        hasty = asyncio.ensure_future(opening())
        await asyncio.sleep(0)
        hasty.cancel()
        parts.going.set()
        while parts.fails or parts.seen[-1] != "closed":
            await asyncio.sleep(0)
        assert "part" == await opening()


async def test_the_end_does_not_wait_for_one_that_is_still_opening() -> None:
    parts = Parts()
    async with asyncio.timeout(PATIENCE_S), Opening(parts.part).held() as opening:
        asked = asyncio.ensure_future(opening())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert ["half open"] == parts.seen
    assert ["half open", "closed"] == parts.seen
    assert [True] == [
        isinstance(each, asyncio.CancelledError)
        for each in await asyncio.gather(asked, return_exceptions=True)
    ]


async def test_a_fault_of_an_open_part_ends_the_service() -> None:
    @asynccontextmanager
    async def part() -> AsyncIterator[str]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_breaks())
            yield "part"

    async def used() -> None:
        async with Opening(part).held() as opening:
            await opening()
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await used()
    assert caught.group_contains(ZeroDivisionError)


async def _breaks() -> None:
    raise ZeroDivisionError
