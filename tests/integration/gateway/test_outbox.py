"""Delivery on a real store through a channel that fails as told: order, repeats, ends.

Covers clawdbot.gateway.outbox, clawdbot.gateway.delivery, clawdbot.gateway.supervisor,
clawdbot.gateway.stream and clawdbot.store.outbox.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from clawdbot.config.clock import SystemClock
from clawdbot.domain.bus import Bus
from clawdbot.domain.caps import Caps, Streaming, Unit
from clawdbot.domain.errors import AuthLost, Gone, Moved, Refused, Retry, Unknown
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.inbound import Address
from clawdbot.domain.people import User
from clawdbot.domain.ports import Health, Inbox, Outgoing, Tx
from clawdbot.domain.settings import Outbox as Settings
from clawdbot.domain.settings import Store
from clawdbot.durable.embedded import AlwaysHeld
from clawdbot.gateway.outbox import Outbox
from clawdbot.gateway.stream import LocalStream
from clawdbot.gateway.supervisor import Supervisor
from clawdbot.store import outbox, people, sqlite
from clawdbot.store.outbox import Mark, New, RowKind, RowState
from clawdbot.store.sqlite import SqliteDb
from tests.integration.gateway.conftest import until
from tests.patience import PATIENCE_S

TO = Address(channel="fake", account="main", chat="5")
ELSEWHERE = Address(channel="fake", account="main", chat="6")
PLAIN = Caps(text_max=100, unit=Unit.CODEPOINT)
EDITING = replace(PLAIN, stream=Streaming.EDIT)
QUICK = Settings(backoff_s=0.01, backoff_max_s=0.02)


@dataclass
class Fake:
    """A channel that does what `plan` says, in order, and then works."""

    caps: Caps = PLAIN
    plan: list[Exception] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    up: bool = True

    async def run(self, inbox: Inbox) -> None:
        await asyncio.Event().wait()

    async def send(self, to: Address, message: Outgoing, key: str) -> str:
        self._act(f"send {to.chat} {message.text}")
        ref = str(len(self.shown) + 1)
        self.shown[ref] = message.text
        return ref

    async def edit(self, to: Address, ref: str, message: Outgoing) -> None:
        self._act(f"edit {ref} {message.text}")
        self.shown[ref] = message.text

    async def health(self) -> Health:
        return Health(up=self.up)

    def _act(self, call: str) -> None:
        self.calls.append(call)
        if self.plan:
            raise self.plan.pop(0)


@dataclass(frozen=True)
class Running:
    db: SqliteDb
    outbox: Outbox
    stream: LocalStream
    supervisor: Supervisor

    def up(self) -> bool:
        return self.supervisor.up(TO)

    async def put(self, name: str, to: Address = TO, **more: str) -> None:
        kind = RowKind(more.pop("kind", "chunk"))
        new = New(id=name, to=to, message=Outgoing(text=name), kind=kind, user="u1", **more)
        await self.db.write(lambda tx: outbox.put(tx, new, SystemClock().now()))
        self.outbox.wake(to.key)

    async def state(self, name: str) -> str:
        row = await self.db.read(lambda tx: outbox.get(tx, name))
        return row.state if row is not None else ""

    async def reaches(self, name: str, state: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.state(name) != state:
                await asyncio.sleep(0.005)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDb]:
    async with sqlite.opened(tmp_path / "db", Store()) as opened:
        ann = User("u1", "Ann", "owner", "en", "UTC")
        await opened.write(lambda tx: people.add(tx, ann, 1.0))
        yield opened


@asynccontextmanager
async def running(db: SqliteDb, fake: Fake, settings: Settings = QUICK) -> AsyncIterator[Running]:
    clock, bus, stream = SystemClock(), Bus(), LocalStream()
    supervisor = Supervisor(clock, bus, lambda: box.sweep())  # noqa: PLW0108 - made below
    supervisor.add("fake", "main", fake)
    box = Outbox(
        db,
        clock,
        supervisor,
        stream=stream,
        lease=AlwaysHeld(),
        settings=settings,
        bus=bus,
    )

    class Nowhere:
        async def accept(self, inbound: object) -> object:
            raise AssertionError(inbound)

    with suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(box.run()),
                tasks.create_task(supervisor.run(Nowhere())),  # type: ignore[arg-type]
            ]
            yield Running(db, box, stream, supervisor)
            for task in running:
                task.cancel()


async def test_rows_go_out_in_order(db: SqliteDb) -> None:
    fake = Fake()
    async with running(db, fake) as it:
        for name in "abc":
            await it.put(name)
        await it.reaches("c", "sent")
    assert ["send 5 a", "send 5 b", "send 5 c"] == fake.calls


async def test_a_wait_of_the_platform_keeps_the_order(db: SqliteDb) -> None:
    fake = Fake(plan=[Retry(after=0.05)])
    async with running(db, fake) as it:
        await it.put("a")
        await it.put("b")
        await it.reaches("b", "sent")
    assert ["send 5 a", "send 5 a", "send 5 b"] == fake.calls


async def test_a_blocked_destination_does_not_block_another(db: SqliteDb) -> None:
    fake = Fake(plan=[Retry(after=30)])
    async with running(db, fake) as it:
        await it.put("a")
        await until(lambda: bool(fake.calls))
        await it.put("b", ELSEWHERE)
        await it.reaches("b", "sent")
        assert "pending" == await it.state("a")


async def test_a_head_blocks_for_a_stated_time_only(db: SqliteDb) -> None:
    fake = Fake(plan=[Retry(after=0.6)])
    quick = Settings(backoff_s=0.01, head_blocks_s=0.05)
    async with running(db, fake, quick) as it:
        await it.put("a", turn="t1")
        await it.put("b", turn="t2")
        await it.reaches("b", "sent")
    assert fake.calls.index("send 5 b") > 0


async def test_an_unknown_send_is_not_repeated_and_the_user_is_told(db: SqliteDb) -> None:
    fake = Fake(plan=[Unknown()])
    async with running(db, fake) as it:
        await it.put("a", turn="t1")
        await it.reaches("a", "unknown")
        await until(lambda: len(fake.calls) > 1)
    assert 1 == fake.calls.count("send 5 a")
    assert "I do not know whether my last message reached you" in fake.calls[1]


async def test_any_other_exception_counts_as_unknown(db: SqliteDb) -> None:
    fake = Fake(plan=[RuntimeError("bug")])
    async with running(db, fake) as it:
        await it.put("a", turn="t1")
        await it.reaches("a", "unknown")


@pytest.mark.parametrize("caps", [PLAIN, EDITING, replace(PLAIN, idempotent_send=True)])
async def test_a_fault_of_ours_inside_a_channel_is_logged_with_its_trace(
    db: SqliteDb, caps: Caps
) -> None:
    fake = Fake(caps=caps, plan=[RuntimeError("bug")])
    with capture_logs() as logs:
        async with running(db, fake) as it:
            await it.put("stub", kind="stub", turn="t")
            await it.reaches("stub", "sent")
    [told] = [entry for entry in logs if entry["log_level"] == "error"]
    assert ("channel failed inside", "stub") == (told["event"], told["row"])
    assert told["exc_info"]


async def test_what_a_platform_answers_is_no_fault_of_ours(db: SqliteDb) -> None:
    fake = Fake(caps=EDITING, plan=[Unknown()])
    with capture_logs() as logs:
        async with running(db, fake) as it:
            await it.put("stub", kind="stub", turn="t")
            await it.reaches("stub", "sent")
    assert [] == [entry for entry in logs if entry["log_level"] == "error"]


async def test_an_idempotent_send_is_repeated(db: SqliteDb) -> None:
    fake = Fake(caps=replace(PLAIN, idempotent_send=True), plan=[Unknown(), Unknown()])
    async with running(db, fake) as it:
        await it.put("a")
        await it.reaches("a", "sent")
    assert ["send 5 a"] * 3 == fake.calls


async def test_a_stub_is_replaced_when_unknown_and_its_chunk_edits_it(db: SqliteDb) -> None:
    fake = Fake(caps=EDITING, plan=[Unknown(), *[]])
    async with running(db, fake) as it:
        await it.put("stub", kind="stub", turn="t")
        await it.put("chunk", turn="t", stub="stub")
        await it.reaches("chunk", "sent")
    assert ["send 5 stub", "send 5 stub", "edit 1 chunk"] == fake.calls
    assert {"1": "chunk"} == fake.shown


async def test_rows_are_delivered_by_who_commits_them_and_once(db: SqliteDb) -> None:
    fake, now = Fake(caps=EDITING), SystemClock().now()
    stub = New(id="stub", to=TO, message=Outgoing(text="s"), kind=RowKind.STUB, user="u1", turn="t")
    chunk = replace(stub, id="chunk", kind=RowKind.CHUNK, message=Outgoing(text="c"), stub="stub")

    def write(tx: Tx) -> str:
        outbox.put(tx, stub, now)
        outbox.put(tx, chunk, now)
        return "written"

    async with running(db, fake) as it:
        await until(it.up)
        assert "written" == await it.outbox.commit(TO.key, write)
        it.outbox.wake(TO.key)
        it.outbox.sweep()
        await it.reaches("chunk", "sent")
        await it.put("last")
        await it.reaches("last", "sent")
    assert ["send 5 s", "edit 1 c", "send 5 last"] == fake.calls


async def test_a_commit_that_fails_holds_nothing(db: SqliteDb) -> None:
    def fail(_: Tx) -> None:
        raise LookupError("no")

    fake = Fake()
    async with running(db, fake) as it:
        with pytest.raises(LookupError, match="no"):
            await it.outbox.commit(TO.key, fail)
        await it.put("a")
        await it.reaches("a", "sent")


async def test_an_edit_is_recorded_when_the_service_stops(db: SqliteDb) -> None:
    fake = Fake(caps=EDITING)
    async with running(db, fake) as it:
        await it.put("stub", kind="stub", turn="t")
        await it.put("chunk", turn="t", stub="stub")
        await until(lambda: "edit 1 chunk" in fake.calls)
    assert "sent" == await it.state("chunk")


async def test_an_edit_is_recorded_soon_and_not_made_again_before(db: SqliteDb) -> None:
    fake = Fake(caps=EDITING)
    async with running(db, fake) as it:
        await it.put("stub", kind="stub", turn="t")
        await it.put("chunk", turn="t", stub="stub")
        await until(lambda: "edit 1 chunk" in fake.calls)
        it.outbox.wake(TO.key)
        await it.reaches("chunk", "sent")
    assert 1 == fake.calls.count("edit 1 chunk")


async def test_an_unknown_edit_is_repeated(db: SqliteDb) -> None:
    fake = Fake(caps=EDITING)
    async with running(db, fake) as it:
        await it.put("stub", kind="stub", turn="t")
        await it.reaches("stub", "sent")
        fake.plan = [Unknown(), Unknown()]
        await it.put("chunk", turn="t", stub="stub")
        await it.reaches("chunk", "sent")
    assert ["edit 1 chunk"] * 3 == fake.calls[1:]


async def test_a_stub_that_is_gone_is_sent_anew(db: SqliteDb) -> None:
    fake = Fake(caps=EDITING)
    async with running(db, fake) as it:
        await it.put("stub", kind="stub", turn="t")
        await it.reaches("stub", "sent")
        fake.plan = [Gone()]
        await it.put("chunk", turn="t", stub="stub")
        await it.reaches("chunk", "sent")
    assert ["edit 1 chunk", "send 5 stub", "edit 2 chunk"] == fake.calls[1:]


async def test_a_sent_stub_is_told_to_screens(db: SqliteDb) -> None:
    fake, heard = Fake(caps=EDITING), list[Live]()
    async with running(db, fake) as it, it.stream.listen(TO.key) as frames:
        await it.put("stub", kind="stub", turn="t")
        async for live in frames:
            heard.append(live)
            break
    assert [(LiveKind.SENT, "1")] == [(live.kind, live.ref) for live in heard]


async def test_a_refused_row_is_dead_and_the_next_goes_out(db: SqliteDb) -> None:
    fake = Fake(plan=[Refused("blocked by the user")])
    async with running(db, fake) as it:
        await it.put("a")
        await it.put("b")
        await it.reaches("b", "sent")
        assert "dead" == await it.state("a")


async def test_an_old_row_is_dead_unsent(db: SqliteDb) -> None:
    fake = Fake()
    new = New(id="old", to=TO, message=Outgoing(text="old"), kind=RowKind.CHUNK, user="u1")
    await db.write(lambda tx: outbox.put(tx, new, SystemClock().now() - 90_000))
    async with running(db, fake) as it:
        await it.reaches("old", "dead")
    assert [] == fake.calls


async def test_what_waits_for_an_account_that_is_gone_waits_no_longer_than_for_another(
    db: SqliteDb,
) -> None:
    gone = replace(TO, account="gone")
    async with running(db, Fake()) as box:
        await box.put("young", gone)
        new = New(id="old", to=gone, message=Outgoing(text="old"), kind=RowKind.CHUNK, user="u1")
        await db.write(lambda tx: outbox.put(tx, new, 1.0))
        box.outbox.wake(gone.key)
        await box.reaches("old", "dead")
        await box.put("other")
        await box.reaches("other", "sent")
        assert "pending" == await box.state("young")


async def test_a_chat_that_goes_on_elsewhere_gets_there_what_waits_and_once(db: SqliteDb) -> None:
    fake = Fake(caps=EDITING, plan=[Retry(after=0.1), Moved(chat="-100")])
    async with running(db, fake) as box:
        await box.put("stub", kind="stub")
        await box.put("chunk", stub="stub")
        await box.put("note", kind="notice")
        await box.reaches("note", "sent")
    sent = ["send 5 stub", "send 5 stub", "send -100 stub", "edit 1 chunk", "send -100 note"]
    assert sent == fake.calls


async def test_a_notice_that_was_refused_where_the_chat_was_is_no_doubt(db: SqliteDb) -> None:
    fake = Fake(plan=[Moved(chat="-100")])
    async with running(db, fake) as box:
        await box.put("note", kind="notice")
        await box.reaches("note", "sent")
    assert ["send 5 note", "send -100 note"] == fake.calls


async def test_a_lost_key_keeps_rows(db: SqliteDb) -> None:
    fake = Fake(plan=[AuthLost()])
    async with running(db, fake) as it:
        await it.put("a")
        await until(lambda: bool(fake.calls))
        await it.reaches("a", "sent")


async def test_nothing_is_sent_while_the_channel_is_down(db: SqliteDb) -> None:
    fake = Fake(up=False)
    async with running(db, fake) as it:
        await it.put("a")
        async with asyncio.timeout(PATIENCE_S):
            while it.outbox._again:
                await asyncio.sleep(0.005)
        assert [] == fake.calls
        assert "pending" == await it.state("a")


async def test_a_row_left_in_sending_by_a_crash_is_unknown_not_repeated(db: SqliteDb) -> None:
    new = New(id="a", to=TO, message=Outgoing(text="a"), kind=RowKind.CHUNK, user="u1", turn="t")
    await db.write(lambda tx: outbox.put(tx, new, SystemClock().now()))
    await db.write(lambda tx: outbox.mark(tx, "a", Mark(state=RowState.SENDING)))
    fake = Fake()
    async with running(db, fake) as it:
        await it.reaches("a", "unknown")
        await until(lambda: bool(fake.calls))
    assert "send 5 a" not in fake.calls


async def test_a_slow_listener_loses_frames_and_is_told() -> None:
    stream, seen = LocalStream(), list[LiveKind]()
    async with stream.listen(TO.key) as frames:
        for seq in range(2100):
            stream.publish(Live(kind=LiveKind.DELTA, turn="t", to=TO, seq=seq))
        async for live in frames:
            seen.append(live.kind)
            if live.seq == 2099:
                break
    assert LiveKind.RESET is seen[0]
    assert len(seen) < 2000
