"""What open pages watch: a board is read at most once an interval, however many look at it.

Nobody looks, nothing is read. Whoever looks is told when the value has changed, in one encoding for
all of them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from clawdbot.domain.people import Area
from clawdbot.domain.ports import Clock
from clawdbot.gateway import frames


class Board:
    """A value that pages watch under a name, for whoever the area is open to."""

    def __init__(
        self,
        name: str,
        area: Area | None,
        read: Callable[[], Awaitable[object]],
        clock: Clock,
        every_s: float = 2.0,
    ) -> None:
        """Read by `read`, at most once in `every_s` seconds."""
        self.name = name
        self.area = area
        self._read = read
        self._clock = clock
        self._every_s = every_s
        self._lock = asyncio.Lock()
        self._due = 0.0
        self._frame = ""

    async def watched(self) -> AsyncIterator[str]:
        """Give the value as an encoded frame, at once and after every change."""
        seen = ""
        while True:
            if (now := await self._fresh()) != seen:
                seen = now
                yield now
            await asyncio.sleep(self._every_s)

    async def _fresh(self) -> str:
        async with self._lock:
            if self._clock.monotonic() >= self._due:
                data = msgspec.Raw(msgspec.json.encode(await self._read()))
                self._frame = frames.encode(frames.Changed(board=self.name, data=data))
                self._due = self._clock.monotonic() + self._every_s * 0.9
            return self._frame
