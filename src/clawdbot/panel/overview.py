"""How the service fares, as open pages watch it, and what wants attention first."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from hashlib import sha256
from math import ceil

import msgspec

from clawdbot.domain.people import Area
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Core, Protocol
from clawdbot.gateway import days
from clawdbot.gateway.boards import Board
from clawdbot.gateway.control import ChannelStatus, Control, Status
from clawdbot.models.breaker import BreakerState
from clawdbot.models.router import DEFAULT, Router, Standing
from clawdbot.ops.load import Load
from clawdbot.sandbox.selftest import Mechanism
from clawdbot.store import outbox, people, rights, usage
from clawdbot.store.turns import TurnState

# The one number of the service level, docs/metrics.md: 99 of 100 calls, the last hour's.
FIRST_TOKEN_MS = 500
_HOUR_S = 3600.0
_CALLS_MOST = 5000
_CALLS_LEAST = 20  # of fewer, one slow call is the hundredth
_DISK_GB = 1.0
_LOST_S = 24 * 3600.0
_LOST_MOST = 100
_LATE_S = 60.0
_EVERY_S = 3.0


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """What every open page must hear of: how many wait and knock, and the newest question."""

    approvals: int
    newest: str
    knocks: int


class FirstToken(msgspec.Struct, frozen=True, kw_only=True):
    """Time to the first token of the last hour's answered provider calls, in milliseconds."""

    calls: int
    p50: int | None
    p99: int | None


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """What all users used since midnight: turns that asked a model, calls, tokens, US dollars."""

    turns: int
    calls: int
    tokens: str
    cost: str


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What waits and for how long; `lost` was not delivered, or nobody knows, for a day."""

    turns: int
    oldest: str
    outbox: int
    outbox_oldest: str
    lost: int
    approvals: int
    knocks: int


class Want(StrEnum):
    """What may want attention, gravest first."""

    DISK = "disk"
    SANDBOX = "sandbox"
    CHANNEL = "channel"
    MODEL = "model"
    MONEY = "money"
    LOST = "lost"
    LATE = "late"
    SLOW = "slow"
    APPROVALS = "approvals"
    KNOCKS = "knocks"
    UNSET = "unset"


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that wants attention: whose, how many, why, what to do; `grave` goes first."""

    want: Want
    grave: bool = False
    name: str = ""
    count: int = 0
    why: str = ""
    remedy: str = ""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How the service fares as a whole; `mark` changes with all but the plain numbers."""

    mark: str = ""
    version: str
    since: float
    attention: tuple[Attention, ...] = ()
    channels: tuple[ChannelStatus, ...]
    models: dict[str, Standing]
    sandbox: tuple[Mechanism, ...]
    queue: Queue
    load: Load
    first_token: FirstToken
    today: Today


class _Rows(msgspec.Struct, frozen=True, kw_only=True):
    lost: int
    knocks: int
    total: usage.Total
    spent: dict[str, float]
    firsts: list[float]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Reads what the boards show; `load` measures the process."""

    control: Control
    router: Router
    settings: Core
    load: Callable[[], Load]

    def boards(self) -> dict[str, Board]:
        """Make the boards that pages may watch, by name."""
        clock = self.control.clock
        made = (
            Board("pulse", None, self.pulse, clock),
            Board("overview", Area.OVERVIEW, self.condition, clock, _EVERY_S),
        )
        return {board.name: board for board in made}

    async def pulse(self) -> Pulse:
        """Tell what every open page must hear of."""
        now, epoch = self.control.clock.now(), self.control.epoch

        def look(tx: Tx) -> Pulse:
            waiting, _ = rights.depth(tx, epoch)
            knocks = len(people.open_pairings(tx, now))
            return Pulse(approvals=waiting, newest=rights.newest(tx), knocks=knocks)

        return await self.control.db.read(look)

    async def condition(self) -> Condition:
        """Tell how the service fares as a whole, and what wants attention first."""
        return await self._condition(await self.control.status())

    async def glance(self) -> Condition:
        """Tell it at once: nothing of boxes while nobody has tried them."""
        return await self._condition(await self.control.glance())

    async def _condition(self, status: Status) -> Condition:
        now = self.control.clock.now()
        zone, limited = self.settings.timezone, bool(self.settings.budgets.user_day)
        midnight, tomorrow = days.span(days.today(now, zone), zone)

        def look(tx: Tx) -> _Rows:
            failed = outbox.failed(tx, _LOST_MOST)
            return _Rows(
                lost=sum(row.created_at > now - _LOST_S for row in failed),
                knocks=len(people.open_pairings(tx, now)),
                total=usage.total(tx, midnight, tomorrow),
                spent=usage.by_user(tx, midnight, tomorrow) if limited else {},
                firsts=usage.first_tokens(tx, now - _HOUR_S, _CALLS_MOST),
            )

        rows = await self.control.db.read(look)
        asked = {route.provider for route in self.settings.model_routing.values()}
        found = Condition(
            version=status.version,
            since=status.since,
            channels=status.channels,
            models={name: each for name, each in self.router.report().items() if name in asked},
            sandbox=status.sandbox,
            queue=_queue(status, rows),
            load=self.load(),
            first_token=_first_token(rows.firsts),
            today=_today(rows.total),
        )
        wants = (*self._ours(found, status), *self._theirs(found), *self._money(rows))
        order = [*Want].index
        attention = tuple(sorted(wants, key=lambda each: (not each.grave, order(each.want))))
        mark = (attention, _settled(found))
        return msgspec.structs.replace(
            found,
            attention=attention,
            mark=sha256(msgspec.json.encode(mark)).hexdigest()[:12],
        )

    def _ours(self, found: Condition, status: Status) -> Iterator[Attention]:
        """Find what is wrong with this machine and what it does."""
        queue = found.queue
        if not status.room_left or found.load.disk_free_gb < _DISK_GB:
            yield Attention(want=Want.DISK, grave=not status.room_left)
        if found.sandbox and not any(each.usable for each in found.sandbox):
            remedy = next((each.remedy for each in found.sandbox if each.remedy), "")
            yield Attention(want=Want.SANDBOX, grave=True, remedy=remedy)
        if status.oldest_turn_s > _LATE_S:
            yield Attention(want=Want.LATE, count=queue.turns, name=queue.oldest)
        for want, count in (
            (Want.LOST, queue.lost),
            (Want.APPROVALS, queue.approvals),
            (Want.KNOCKS, queue.knocks),
        ):
            if count:
                yield Attention(want=want, count=count)

    def _theirs(self, found: Condition) -> Iterator[Attention]:
        """Find what is wrong with platforms and models."""
        for each in found.channels:
            if each.reason and not each.paused:
                yield Attention(
                    want=Want.CHANNEL,
                    grave=not each.up,
                    name=f"{each.kind}/{each.account}",
                    why=each.reason,
                    remedy=each.remedy,
                )
        for name, model in found.models.items():
            if model.state is not BreakerState.CLOSED or model.ailing:
                yield Attention(
                    want=Want.MODEL, grave=True, name=name, why=model.failure, remedy=model.detail
                )
        default = self.settings.providers.get(self.settings.model_routing[DEFAULT].provider)
        if default is not None and default.protocol is Protocol.OFFLINE:
            yield Attention(want=Want.UNSET)
        first = found.first_token
        if first.calls >= _CALLS_LEAST and (first.p99 or 0) > FIRST_TOKEN_MS:
            yield Attention(want=Want.SLOW, count=first.p99 or 0)

    def _money(self, rows: _Rows) -> Iterator[Attention]:
        """Find whose money for today is spent, or soon is."""
        budgets = self.settings.budgets
        shares = [("", rows.total.cost / budgets.all_day)] if budgets.all_day else []
        if budgets.user_day:
            shares += [(name, cost / budgets.user_day) for name, cost in rows.spent.items()]
        for name, share in shares:
            if share >= budgets.warn:
                grave = share >= 1
                yield Attention(want=Want.MONEY, grave=grave, name=name, count=round(100 * share))


def lasted(seconds: float) -> str:
    """Tell a time in the one unit that fits it."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def short(number: int) -> str:
    """Write a large number with few digits: `12,345`, `123 k`, `2.3 M`."""
    if number < 100_000:
        return f"{number:,}"
    return f"{number // 1000} k" if number < 1_000_000 else f"{number / 1_000_000:.1f} M"


def _queue(status: Status, rows: _Rows) -> Queue:
    return Queue(
        turns=sum(number for state, number in status.turns.items() if state != TurnState.DEAD),
        oldest=lasted(status.oldest_turn_s),
        outbox=status.outbox,
        outbox_oldest=lasted(status.oldest_row_s),
        lost=rows.lost,
        approvals=status.approvals,
        knocks=rows.knocks,
    )


def _first_token(seconds: list[float]) -> FirstToken:
    ordered = sorted(seconds)

    def rank(share: float) -> int | None:
        return round(1000 * ordered[ceil(share * len(ordered)) - 1]) if ordered else None

    return FirstToken(calls=len(ordered), p50=rank(0.5), p99=rank(0.99))


def _today(total: usage.Total) -> Today:
    tokens = short(total.tokens_in + total.tokens_out)
    return Today(turns=total.turns, calls=total.calls, tokens=tokens, cost=f"{total.cost:.2f}")


def _settled(found: Condition) -> object:
    """Give what a page shows in words: all but plain numbers."""
    return (
        found.channels,
        [(name, each.state, each.failed_at) for name, each in found.models.items()],
        found.sandbox,
    )
