"""A part that opens with its first use, and is held until the service ends.

Nobody uses it: nothing of it is imported or opened. Two first users at once open it once. Where it
cannot open, what was half open is closed, whoever asked is told why, and the next use tries again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, Self, TypeVar

from clawdbot.domain.errors import Failure

T = TypeVar("T")


class Opening(Generic[T]):
    """Opens a part on demand, in a task of its own: its groups and timers live and end there."""

    def __init__(self, part: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._part = part
        self._group = asyncio.TaskGroup()
        self._opened: asyncio.Future[T] | None = None
        self._over = asyncio.Event()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Self]:
        """Close the part with this context; where it is about to open it is given up."""
        async with self._group:
            try:
                yield self
            finally:
                self._over.set()
                if self._opened is not None:
                    self._opened.cancel()

    async def __call__(self) -> T:
        """Give the part, open; raises what keeps it from opening."""
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            keeping = self._group.create_task(self._keep(self._opened))
            self._opened.add_done_callback(lambda told: told.cancelled() and keeping.cancel())
        return await asyncio.shield(self._opened)

    async def _keep(self, opened: asyncio.Future[T]) -> None:
        """Be the part's life, from its opening to the end."""
        try:
            async with self._part() as part:
                if not opened.cancelled():
                    opened.set_result(part)
                await self._over.wait()
        except* (Failure, OSError) as group:
            if opened.done() and not opened.cancelled():
                raise
            if not opened.cancelled():
                self._opened = None
                opened.set_exception(_first(group))
                opened.exception()  # whoever asked may have given up


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
