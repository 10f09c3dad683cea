"""Live frames inside one process: the `Stream` port. Slow listeners lose frames, not turns.

Who comes late first hears what the running turn has said so far.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec

from clawdbot.domain.events import Live, LiveKind
from clawdbot.store.turns import Turn

_BACKLOG_MAX = 2000
_BEGINS = frozenset({LiveKind.STARTED, LiveKind.RESET})
_ENDS = frozenset({LiveKind.FINAL, LiveKind.STOPPED, LiveKind.FAILED, LiveKind.ASKED})


class LocalStream:
    """Hands frames to listeners by topic (a destination), and at once to followers of all."""

    def __init__(self) -> None:
        """Start without listeners."""
        self._listeners: dict[str, list[_Listener]] = {}
        self._followers: list[Callable[[Live], None]] = []
        self._running: dict[str, list[Live]] = {}

    def publish(self, live: Live) -> None:
        """Hand on a frame; never blocks."""
        key = live.to.key
        self._remember(key, live)
        for listener in self._listeners.get(key, ()):
            listener.put(live)
        for follow in self._followers:
            follow(live)

    def tell(self, turn: Turn, tool: str, text: str) -> None:
        """Show how far a turn's tool is."""
        self.publish(Live(kind=LiveKind.PROGRESS, turn=turn.id, to=turn.to, ref=tool, text=text))

    @contextmanager
    def followed(self, follow: Callable[[Live], None]) -> Iterator[None]:
        """Call `follow` with every frame while the context is open; it must not raise."""
        self._followers.append(follow)
        try:
            yield
        finally:
            self._followers.remove(follow)

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[AsyncIterator[Live]]:
        """Receive what is published while the context is open."""
        listener = _Listener()
        for live in self._so_far(topic):
            listener.put(live)
        self._listeners.setdefault(topic, []).append(listener)
        try:
            yield listener.frames()
        finally:
            self._listeners[topic].remove(listener)
            if not self._listeners[topic]:
                del self._listeners[topic]

    def _remember(self, key: str, live: Live) -> None:
        if live.kind in _BEGINS:
            self._running[key] = [live]
        elif live.kind is LiveKind.DELTA and key in self._running:
            self._running[key].append(live)
        elif live.kind in _ENDS and [live.turn] == [f.turn for f in self._running.get(key, [])[:1]]:
            del self._running[key]

    def _so_far(self, topic: str) -> list[Live]:
        frames = self._running.get(topic, [])
        if len(frames) < 2:
            return frames
        text = "".join(live.text for live in frames[1:])
        return [frames[0], msgspec.structs.replace(frames[-1], text=text)]


class _Listener:
    def __init__(self) -> None:
        self._frames: deque[Live] = deque()
        self._came = asyncio.Event()

    def put(self, live: Live) -> None:
        if len(self._frames) >= _BACKLOG_MAX:
            # Too slow: forget the deltas, tell that they are gone.
            self._frames.clear()
            self._frames.append(Live(kind=LiveKind.RESET, turn=live.turn, to=live.to))
        self._frames.append(live)
        self._came.set()

    async def frames(self) -> AsyncIterator[Live]:
        while True:
            await self._came.wait()
            self._came.clear()
            while self._frames:
                yield self._frames.popleft()
