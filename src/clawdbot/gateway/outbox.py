"""What is delivered: rows in order per destination, paced, sent, retried, dead-lettered.

A row that may be sent twice without harm (a stub, an edit, an idempotent send) is repeated until it
is known to be sent; any other is marked `sending` first, and `unknown` where that is all we know.
That an edit arrived is recorded with the next commit; until then it may be repeated.
Lock order: a destination's lock is taken before any write, never while one is awaited elsewhere.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar
from weakref import WeakValueDictionary

import structlog
from msgspec.structs import replace

from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import Moved
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.inbound import Address
from clawdbot.domain.ports import Channel, Clock, Db, Lease, Stream, Tx
from clawdbot.domain.settings import Outbox as Settings
from clawdbot.domain.text import say
from clawdbot.gateway.delivery import Attempt, repeatable
from clawdbot.gateway.pace import Pacer
from clawdbot.gateway.supervisor import Supervisor
from clawdbot.store import outbox, people
from clawdbot.store.outbox import Mark, New, Row, RowKind, RowState

_ROWS_MOST = 16
_SWEEP_S = 60.0
_RECORD_S = 0.1
_CONFESSION = ":unknown"
_TOO_OLD = Mark(state=RowState.DEAD, reason="too old")

T = TypeVar("T")


class Outbox:
    """Delivers the rows of one node; `run` is its life."""

    def __init__(
        self,
        db: Db,
        clock: Clock,
        supervisor: Supervisor,
        *,
        stream: Stream,
        lease: Lease,
        settings: Settings,
        bus: Bus,
    ) -> None:
        """Send through the supervisor's channels."""
        self._db = db
        self._clock = clock
        self._supervisor = supervisor
        self._stream = stream
        self._lease = lease
        self._settings = settings
        self._bus = bus
        self._tasks: asyncio.TaskGroup | None = None
        self._again: dict[str, bool] = {}
        # A lock lives as long as somebody holds or awaits it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._unrecorded: dict[str, Mark] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._pacers: dict[tuple[str, str], Pacer] = {}
        self._swept = asyncio.Event()
        self._log = structlog.get_logger("outbox")

    def wake(self, destination: str) -> None:
        """Look at a destination (an address's key) soon; idempotent, never blocks."""
        if destination in self._again:
            self._again[destination] = True
        elif self._tasks is not None:
            self._again[destination] = False
            self._tasks.create_task(self._look(destination))

    async def commit(self, destination: str, fn: Callable[[Tx], T]) -> T:
        """Write rows for a destination, and deliver what it has to get then.

        The transaction reads that too. Nobody else delivers there meanwhile, for what was sent
        between our reading and our trying would be sent twice.
        """
        if destination in self._again or self._tasks is None:
            result = await self._write(fn)
            self.wake(destination)
            return result
        self._again[destination] = False
        rows: list[Row] | None = None
        try:
            result, rows = await self._write(lambda tx: (fn(tx), _open(tx, destination)))
        finally:
            if self._tasks is not None:
                self._tasks.create_task(self._look(destination, rows))
        return result

    def sweep(self) -> None:
        """Look at every destination soon: a channel came up, or timers put rows."""
        self._swept.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                try:
                    await self._sweep()
                finally:
                    self._tasks = None
        finally:
            await self._record()

    async def drain(self, destination: str, rows: list[Row] | None = None) -> None:
        """Deliver what a destination has to get, in order, until nothing is left or can be sent.

        The first `rows` of it may be known.
        """
        while True:
            if rows is None:
                self._again[destination] = False
                await self._record()  # what is sent must not be read as waiting
                rows = await self._db.read(lambda tx: _open(tx, destination))
            if not rows or not self._lease.held():
                return
            if not self._supervisor.up(rows[0].to):
                await self._bury(rows)
                return
            now = self._clock.now()
            ripe = _ripe(rows, now, self._settings.head_blocks_s)
            if not ripe:
                await asyncio.sleep(min(rows[0].not_before - now, _SWEEP_S))
                rows = None
                continue
            shown: dict[str, str] = {}
            for row in ripe:
                if not await self._deliver(row, shown):
                    break
            else:
                if len(rows) < _ROWS_MOST and not self._again[destination]:
                    return
            rows = None

    def alone(self, destination: str) -> asyncio.Lock:
        """Hold a destination, so that nothing overtakes what is being sent there."""
        return self._locks.setdefault(destination, asyncio.Lock())

    def pacer(self, to: Address, channel: Channel) -> Pacer:
        """Find the token buckets of an address's account."""
        return self._pacers.setdefault((to.channel, to.account), Pacer(channel.caps.pace))

    async def _sweep(self) -> None:
        while True:
            self._swept.clear()
            for destination in await self._db.read(outbox.destinations):
                self.wake(destination)
            with suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP_S):
                    await self._swept.wait()

    async def _look(self, destination: str, rows: list[Row] | None = None) -> None:
        try:
            while True:
                await self.drain(destination, rows)
                rows = None
                if not self._again[destination]:
                    break
        finally:
            del self._again[destination]
            if self._unrecorded and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_RECORD_S, self._record_soon)

    async def _deliver(self, row: Row, shown: dict[str, str]) -> bool:
        """Try one row; False where the rows behind it must wait."""
        channel = self._supervisor.find(row.to)
        if channel is None:
            return False
        if self._is_old(row):
            return await self._mark(row, _TOO_OLD)
        harmless = repeatable(row, channel.caps)
        if row.state == RowState.SENDING and not harmless:
            # An earlier life of ours ended between sending and recording.
            return await self._mark(row, Mark(state=RowState.UNKNOWN, reason="crash"))
        ref = shown.get(row.stub_id) or await self._ref(row)
        async with self.alone(row.destination):
            wait = self.pacer(row.to, channel).wait(row.to, self._clock.monotonic())
            if wait > 0:
                await asyncio.sleep(wait)
            if not harmless:
                await self._mark(row, Mark(state=RowState.SENDING, attempts=row.attempts))
            attempt = Attempt(channel=channel, row=row, shown=ref, settings=self._settings)
            try:
                mark = await attempt.make(self._clock.now())
            except Moved as moved:
                await self._follow(row, moved.chat)
                return False
        if mark is None:
            await self._write(lambda tx: outbox.renew(tx, row.stub_id))
            return False
        shown[row.id] = mark.ref
        if ref and mark.state is RowState.SENT:
            self._unrecorded[row.id] = mark
            self._bus.tell("outbox", 1, mark.state, row.to.channel)
            return True
        return await self._mark(row, mark)

    def _is_old(self, row: Row) -> bool:
        return self._clock.now() - row.created_at > self._settings.age_s

    async def _bury(self, rows: list[Row]) -> None:
        """Give up what is too old for an account that is not there any more."""
        if self._supervisor.find(rows[0].to) is None:
            for row in filter(self._is_old, rows):
                await self._mark(row, _TOO_OLD)

    async def _follow(self, row: Row, chat: str) -> None:
        """Have what is to be sent to a chat go where the chat goes on."""
        to = replace(row.to, chat=chat)
        await self._write(lambda tx: outbox.move(tx, row, to))
        self.wake(to.key)

    async def _ref(self, row: Row) -> str:
        """Find what a chunk replaces; empty where its stub could not be sent either."""
        if not row.stub_id:
            return ""
        stub = await self._db.read(lambda tx: outbox.get(tx, row.stub_id))
        return stub.ref if stub is not None else ""

    async def _mark(self, row: Row, mark: Mark) -> bool:
        now = self._clock.now()

        def work(tx: Tx) -> None:
            outbox.mark(tx, row.id, mark)
            if mark.state is RowState.UNKNOWN and not row.id.endswith(_CONFESSION):
                self._confess(tx, row, now)

        await self._write(work)
        if mark.state is RowState.UNKNOWN:
            self.wake(row.destination)
        if mark.state is RowState.SENT and row.kind == RowKind.STUB:
            self._stream.publish(_sent(row, mark.ref))
        if mark.state in {RowState.DEAD, RowState.UNKNOWN}:
            self._log.warning("not delivered", row=row.id, state=mark.state, reason=mark.reason)
        self._bus.tell("outbox", 1, mark.state, row.to.channel)
        return mark.state is not RowState.PENDING

    def _record_soon(self) -> None:
        self._timer = None
        if self._tasks is not None:
            self._tasks.create_task(self._record())

    async def _record(self) -> None:
        if self._unrecorded:
            await self._write(lambda _: None)

    async def _write(self, fn: Callable[[Tx], T]) -> T:
        """Write, and with it what waits to be recorded."""
        marks = dict(self._unrecorded)

        def work(tx: Tx) -> T:
            for row, mark in marks.items():
                outbox.mark(tx, row, mark)
            return fn(tx)

        result = await self._db.write(work)
        for row in marks:
            self._unrecorded.pop(row, None)
        if self._timer is not None and not self._unrecorded:
            self._timer.cancel()
            self._timer = None
        return result

    def _confess(self, tx: Tx, row: Row, now: float) -> None:
        """Tell the user that we do not know what arrived; a notice is repeated, and marked so."""
        user = people.get(tx, row.user_id)
        language = user.language if user is not None else "en"
        text = say(
            language,
            "I do not know whether my last message reached you. If it is missing, ask me again.",
        )
        if row.kind == RowKind.NOTICE:
            text = say(language, "You may have seen this already: {text}", text=row.message.text)
        message = replace(row.message, text=text)
        id_, user_id = f"{row.id}{_CONFESSION}", row.user_id
        new = New(id=id_, to=row.to, message=message, kind=RowKind.NOTICE, user=user_id)
        outbox.put(tx, new, now)


def _open(tx: Tx, destination: str) -> list[Row]:
    return outbox.open_rows(tx, destination, _ROWS_MOST)


def _ripe(rows: list[Row], now: float, head_blocks_s: float) -> list[Row]:
    """Take the rows that may be tried now: a delayed head blocks those behind it for some time."""
    found: list[Row] = []
    passed: set[str] = set()
    for row in rows:
        # A clock that was set back makes every time of the row's meaningless.
        due = row.not_before <= now or now < row.created_at
        if due and row.turn_id not in passed:
            found.append(row)
        elif found or now - row.created_at < head_blocks_s:
            break
        else:
            passed.add(row.turn_id)
    return found


def _sent(row: Row, ref: str) -> Live:
    return Live(kind=LiveKind.SENT, turn=row.turn_id, to=row.to, ref=ref)
