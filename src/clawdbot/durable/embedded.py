"""The engine of one process: lanes side by side, timers, a sweep; no poll, no lease.

An optimisation of the claim, never its replacement: the database decides who may run, this only
when to ask. A try that could be a turn's last runs alone.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.durable.journal import WAIT_TIMER, signal
from clawdbot.store import timers, turns
from clawdbot.store.timers import Timer

Fire = Callable[[Tx, Timer], None]


class Runner(Protocol):
    """What the engine calls: the lane of `conversation/`."""

    async def advance(self, turn: str, gate: "Gate") -> str | None:
        """Run this turn if it may run; name the one of its conversation to look at next."""

    async def look(self, turn: str) -> None:
        """Look whether a running turn was told to stop."""


class AlwaysHeld:
    """The `Lease` of a node that has no rival."""

    def held(self) -> bool:
        """Tell that this node may act."""
        return True


class Gate:
    """Many at once, or one alone."""

    def __init__(self, most: int) -> None:
        """Let at most `most` in side by side."""
        self._most = most
        self._inside = 0
        self._alone = False
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def enter(self, *, alone: bool) -> AsyncIterator[None]:
        """Wait for a place; `alone` waits until all have left and keeps others out."""
        while self._alone or not (alone or self._inside < self._most):
            await self._change()
        self._alone = alone
        self._inside += 1
        try:
            while alone and self._inside > 1:
                await self._change()
            yield
        finally:
            self._inside -= 1
            self._alone = self._alone and not alone
            self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class Embedded:
    """Runs turns of one process; `run` is its life, everything else may be called from its loop."""

    def __init__(
        self,
        db: Db,
        clock: Clock,
        runner: Runner,
        *,
        fire: dict[str, Fire],
        most: int = 64,
        look_s: float = 60.0,
    ) -> None:
        """Run turns with `runner`, timers with `fire` by kind, at most `most` side by side.

        Without being told, look for work every `look_s` seconds.
        """
        self._db = db
        self._clock = clock
        self._runner = runner
        self._fire = fire
        self._kinds = (WAIT_TIMER, *fire)
        self._look_s = look_s
        self._gate = Gate(most)
        self._again: dict[str, bool] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._timers_changed = asyncio.Event()

    def wake(self, turn: str) -> None:
        """Look at a turn soon: start it if it is its turn, or make the one that runs it look up."""
        known = turn in self._again
        self._again[turn] = known
        if self._tasks is not None:
            job = self._runner.look(turn) if known else self._advance(turn)
            self._tasks.create_task(job)

    def timers_changed(self) -> None:
        """Look at the timers soon."""
        self._timers_changed.set()

    async def run(self, fired: Callable[[Timer], None]) -> None:
        """Run until cancelled; `fired` is called with each timer that has acted."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for turn in self._again:  # woken before we lived
                tasks.create_task(self._advance(turn))
            try:
                tasks.create_task(self._sweep())
                await self._watch_timers(fired)
            finally:
                self._tasks = None

    async def _advance(self, turn: str) -> None:
        try:
            while True:
                self._again[turn] = False
                following = await self._runner.advance(turn, self._gate)
                if following is not None:
                    self.wake(following)
                # A wake that came while we found nothing to do must not be lost.
                if not self._again[turn]:
                    break
        finally:
            del self._again[turn]

    async def _sweep(self) -> None:
        """Wake what was accepted and not woken: its caller was cancelled, or our life ended."""
        while True:
            for turn in await self._db.read(turns.ready):
                if turn not in self._again:
                    self.wake(turn)
            await asyncio.sleep(self._look_s)

    async def _watch_timers(self, fired: Callable[[Timer], None]) -> None:
        while True:
            self._timers_changed.clear()
            now = self._clock.now()
            due = await self._db.read(lambda tx: self._due(tx, now))  # noqa: B023 - awaited here
            for timer in due:
                woken = await self._db.write(lambda tx: self._act(tx, timer))  # noqa: B023 - awaited
                if woken is not None:
                    self.wake(woken)
                fired(timer)
            if due:
                continue
            wait = await self._db.read(self._next_due) - now
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(wait, 0.0), self._look_s)):
                    await self._timers_changed.wait()

    # Only kinds that we know: what a newer version has set stays for it.

    def _due(self, tx: Tx, now: float) -> list[Timer]:
        return [timer for kind in self._kinds for timer in timers.due(tx, kind, now)]

    def _next_due(self, tx: Tx) -> float:
        found = [timers.next_due(tx, kind) for kind in self._kinds]
        return min((at for at in found if at is not None), default=math.inf)

    def _act(self, tx: Tx, timer: Timer) -> str | None:
        if not timers.end(tx, timer.id, "fired"):
            return None
        if timer.kind == WAIT_TIMER:
            return signal(tx, timer.subject, b"", "expired")
        self._fire[timer.kind](tx, timer)
        return None
