"""A database that waits: what was accepted is retried until the store takes it, never dropped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import StoreFailed
from clawdbot.domain.ports import Db, Tx

T = TypeVar("T")

_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 15.0


class Patient:
    """The `Db` port over another, for work that was promised already."""

    def __init__(self, db: Db, bus: Bus) -> None:
        """Retry on `db`, and tell `bus` of each failed try."""
        self._db = db
        self._bus = bus

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Write, trying again while the store cannot; see `domain.ports.Db`."""
        return await self._retried(lambda: self._db.write(fn))

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Read, trying again while the store cannot; see `domain.ports.Db`."""
        return await self._retried(lambda: self._db.read(fn))

    async def _retried(self, work: Callable[[], Awaitable[T]]) -> T:
        wait = _FIRST_WAIT_S
        while True:
            try:
                return await work()
            except StoreFailed as error:
                if not error.retry:
                    raise
                self._bus.tell("store_failed", 1, type(error).__name__)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)
