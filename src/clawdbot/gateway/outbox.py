"""What is delivered: rows in order per destination, paced, sent, retried, dead-lettered.

A row that may be sent twice without harm (a stub, an edit, an idempotent send) is repeated until it
is known to be sent; any other is marked `sending` first, and `unknown` where that is all we know.
Lock order: a destination's lock is taken before any write, never while one is awaited elsewhere.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import structlog

from clawdbot.conversation.answer import notice
from clawdbot.domain.bus import Bus
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.inbound import Address
from clawdbot.domain.ports import Channel, Clock, Db, Lease, Stream, Tx
from clawdbot.domain.settings import Outbox as Settings
from clawdbot.domain.text import say
from clawdbot.gateway.delivery import Attempt, repeatable
from clawdbot.gateway.pace import Pacer
from clawdbot.gateway.supervisor import Supervisor
from clawdbot.store import outbox, people
from clawdbot.store.outbox import Mark, Row, RowKind, RowState

_ROWS_MOST = 16
_SWEEP_S = 60.0
_CONFESSION = ":unknown"


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

    def sweep(self) -> None:
        """Look at every destination soon: a channel came up, or timers put rows."""
        self._swept.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            while True:
                self._swept.clear()
                for destination in await self._db.read(outbox.destinations):
                    self.wake(destination)
                try:
                    async with asyncio.timeout(_SWEEP_S):
                        await self._swept.wait()
                except TimeoutError:
                    continue

    async def drain(self, destination: str) -> None:
        """Deliver what a destination has to get, in order, until nothing is left or can be sent."""
        while rows := await self._db.read(lambda tx: outbox.open_rows(tx, destination, _ROWS_MOST)):
            if not self._supervisor.up(rows[0].to) or not self._lease.held():
                return
            now = self._clock.now()
            ripe = _ripe(rows, now, self._settings.head_blocks_s)
            if not ripe:
                await asyncio.sleep(min(rows[0].not_before - now, _SWEEP_S))
                continue
            shown: dict[str, str] = {}
            for row in ripe:
                if not await self._deliver(row, shown):
                    break
            else:
                if len(rows) < _ROWS_MOST and not self._again[destination]:
                    return

    @asynccontextmanager
    async def alone(self, destination: str) -> AsyncIterator[None]:
        """Hold a destination, so that nothing overtakes what is being sent there."""
        lock = self._locks.setdefault(destination, asyncio.Lock())
        async with lock:
            yield

    def pacer(self, to: Address, channel: Channel) -> Pacer:
        """Find the token buckets of an address's account."""
        return self._pacers.setdefault((to.channel, to.account), Pacer(channel.caps.pace))

    async def _look(self, destination: str) -> None:
        try:
            while True:
                self._again[destination] = False
                await self.drain(destination)
                if not self._again[destination]:
                    break
        finally:
            del self._again[destination]

    async def _deliver(self, row: Row, shown: dict[str, str]) -> bool:
        """Try one row; False where the rows behind it must wait."""
        channel = self._supervisor.find(row.to)
        now = self._clock.now()
        if channel is None:
            return False
        if now - row.created_at > self._settings.age_s:
            return await self._mark(row, Mark(state=RowState.DEAD, reason="too old"))
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
            mark = await attempt.make(self._clock.now())
        if mark is None:
            await self._db.write(lambda tx: outbox.renew(tx, row.stub_id))
            return False
        shown[row.id] = mark.ref
        return await self._mark(row, mark)

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

        await self._db.write(work)
        if mark.state is RowState.UNKNOWN:
            self.wake(row.destination)
        if mark.state is RowState.SENT and row.kind == RowKind.STUB:
            self._stream.publish(_sent(row, mark.ref))
        if mark.state in {RowState.DEAD, RowState.UNKNOWN}:
            self._log.warning("not delivered", row=row.id, state=mark.state, reason=mark.reason)
        self._bus.tell("outbox", 1, mark.state, row.to.channel)
        return mark.state is not RowState.PENDING

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
        notice(tx, f"{row.id}{_CONFESSION}", row.to, row.user_id, text, now=now)


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
