"""What every database promises behind the `Db` port, on each engine alike."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import pytest

from clawdbot.domain.errors import SchemaNewer, StoreFailed
from clawdbot.domain.ports import Db, Tx
from clawdbot.store import conversations, notes
from clawdbot.store.notes import Note
from tests.contract.conftest import START, Place, add_conversation, eventually
from tests.patience import PATIENCE_S


class OddError(Exception):
    """What a transaction of a test raises."""


class Held:
    """Occupies a database's writer until let go, so that what is asked for meanwhile queues up."""

    def __init__(self) -> None:
        self.inside = threading.Event()
        self.go = threading.Event()

    def __call__(self, tx: Tx) -> None:
        self.inside.set()
        assert self.go.wait(PATIENCE_S)


@asynccontextmanager
async def held(db: Db) -> AsyncIterator[Held]:
    hold = Held()
    holding = asyncio.ensure_future(db.write(hold))
    await eventually(hold.inside.is_set)
    try:
        yield hold
    finally:
        hold.go.set()
        await holding


@contextmanager
def other_error() -> Iterator[None]:
    """Expect a failure that is not the store's: it is a fault of the statement."""
    with pytest.raises(Exception, match=r".") as caught:
        yield
    assert not isinstance(caught.value, StoreFailed), caught.value


def put(tx: Tx, key: str, value: str = "v") -> None:
    tx.run("meta.set", key=key, value=value)


def get(tx: Tx, key: str) -> str | None:
    return tx.one(str, "meta.get", key=key)


async def test_a_write_gives_its_result_and_a_read_sees_it(db: Db) -> None:
    def work(tx: Tx) -> int:
        put(tx, "a", "1")
        return 42

    assert 42 == await db.write(work)
    assert "1" == await db.read(lambda tx: get(tx, "a"))
    assert None is await db.read(lambda tx: get(tx, "b"))


async def test_the_caller_goes_on_only_after_the_commit(place: Place) -> None:
    async with place.opened() as mine, place.opened() as other:
        for n in range(20):
            await mine.write(partial(put, key=f"k{n}"))
            assert "v" == await other.read(partial(get, key=f"k{n}"))


async def test_nothing_of_a_transaction_is_seen_before_its_commit(place: Place) -> None:
    inside, go = threading.Event(), threading.Event()

    def work(tx: Tx) -> None:
        put(tx, "a")
        inside.set()
        assert go.wait(PATIENCE_S)

    async with place.opened() as mine, place.opened() as other:
        writing = asyncio.ensure_future(mine.write(work))
        await eventually(inside.is_set)
        assert None is await other.read(lambda tx: get(tx, "a"))
        go.set()
        await writing
        assert "v" == await other.read(lambda tx: get(tx, "a"))


async def test_one_failure_in_a_group_undoes_only_itself(db: Db) -> None:
    def work(tx: Tx, n: int) -> int:
        put(tx, f"k{n}")
        if n % 3 == 0:
            raise OddError(n)
        return n

    async with held(db):
        asked = [asyncio.ensure_future(db.write(partial(work, n=n))) for n in range(30)]
        await asyncio.sleep(0)  # all are queued behind the one that holds
    results = await asyncio.gather(*asked, return_exceptions=True)
    for n, result in enumerate(results):
        stored = await db.read(partial(get, key=f"k{n}"))
        if n % 3 == 0:
            assert isinstance(result, OddError)
            assert (n,) == result.args
            assert None is stored
        else:
            assert n == result
            assert "v" == stored


async def test_a_faulty_statement_undoes_only_itself_and_is_no_failure_of_the_store(db: Db) -> None:
    def twice(tx: Tx) -> None:
        put(tx, "lost")
        notes.add(tx, "u", Note("n", "body", "own", 0, START))
        notes.add(tx, "u", Note("n", "body", "own", 0, START))

    def valueless(tx: Tx) -> None:
        put(tx, "lost")
        tx.run("meta.set", key="k")

    async with held(db):
        asked = [
            asyncio.ensure_future(db.write(work))
            for work in (lambda tx: put(tx, "a"), twice, valueless, lambda tx: put(tx, "b"))
        ]
        await asyncio.sleep(0)
    await asked[0]
    with other_error():
        await asked[1]
    with other_error():
        await asked[2]
    await asked[3]
    found = await db.read(lambda tx: [get(tx, key) for key in ("a", "lost", "b")])
    assert ["v", None, "v"] == found


async def test_cancelling_the_caller_does_not_undo_a_queued_write(db: Db) -> None:
    seen: list[str | None] = []
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
    async with held(db), asyncio.TaskGroup() as tasks:
        # More than there are workers, so that some are certainly still queued.
        asked = [tasks.create_task(db.write(partial(put, key=f"k{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        for task in asked:
            task.cancel()
    for n in range(20):
        while (value := await db.read(partial(get, key=f"k{n}"))) is None:
            await asyncio.sleep(0.001)
        seen.append(value)
    assert 20 * ["v"] == seen
    assert all(task.cancelled() for task in asked)
    assert [] == complaints


async def test_a_read_sees_one_moment(db: Db) -> None:
    await db.write(lambda tx: put(tx, "a", "old"))
    inside, go = threading.Event(), threading.Event()

    def work(tx: Tx) -> list[str | None]:
        first = get(tx, "a")
        inside.set()
        assert go.wait(PATIENCE_S)
        return [first, get(tx, "a"), get(tx, "b")]

    reading = asyncio.ensure_future(db.read(work))
    await eventually(inside.is_set)
    await db.write(partial(put, key="a", value="new"))
    await db.write(partial(put, key="b", value="new"))
    go.set()
    assert ["old", "old", None] == await reading
    assert "new" == await db.read(lambda tx: get(tx, "a"))


async def test_a_read_goes_on_beside_a_write(db: Db) -> None:
    await db.write(lambda tx: put(tx, "a"))
    async with held(db):
        assert "v" == await db.read(lambda tx: get(tx, "a"))


async def test_a_read_changes_nothing(db: Db) -> None:
    with other_error():
        await db.read(lambda tx: put(tx, "a"))
    assert None is await db.read(lambda tx: get(tx, "a"))
    await db.write(lambda tx: put(tx, "a"))


async def test_a_failing_read_leaves_the_next_ones_whole(db: Db) -> None:
    def work(tx: Tx) -> None:
        get(tx, "a")
        raise OddError

    for _ in range(10):
        with pytest.raises(OddError):
            await db.read(work)
        with other_error():
            await db.read(lambda tx: tx.run("meta.unheard"))
    assert None is await db.read(lambda tx: get(tx, "a"))


async def test_rows_come_back_as_they_were(db: Db) -> None:
    body, title = bytes(range(256)), "磁盘 “full” 100 % :now 🙂"

    def work(tx: Tx) -> None:
        add_conversation(tx, "c")
        conversations.set_title(tx, "c", title)
        tx.run("timers.add", id="t", kind="k", subject="", user_id="u", body=body, due_at=0.1 + 0.2,
               created_at=2**40)  # fmt: skip

    await db.write(work)
    timer = await db.read(
        lambda tx: tx.all(lambda *row: row, "timers.due", kind="k", now=1.0, most=9)
    )
    assert [("t", "k", "", "u", body, 0.1 + 0.2)] == timer
    assert bytes is type(timer[0][4])
    found = await db.read(lambda tx: conversations.get(tx, "c"))
    assert found is not None
    assert (title, 1) == (found.title, found.next_position)
    assert None is await db.read(lambda tx: tx.one(lambda least: least, "turns.oldest"))


async def test_a_nul_in_a_text_does_no_harm(db: Db) -> None:
    await db.write(partial(put, key="a", value="x\0y"))
    assert await db.read(partial(get, key="a")) in {"x\0y", "x\N{REPLACEMENT CHARACTER}y"}


async def test_a_statement_tells_how_many_rows_it_changed(db: Db) -> None:
    await db.write(lambda tx: put(tx, "a"))
    assert 0 == await db.write(lambda tx: tx.run("turns.progress", id="none"))
    assert 1 == await db.write(lambda tx: tx.run("meta.set", key="a", value="w"))


async def test_concurrent_decisions_are_as_if_one_after_the_other(place: Place) -> None:
    async with place.opened() as one, place.opened() as two:
        await one.write(lambda tx: add_conversation(tx, "c"))
        asked = [db.write(lambda tx: conversations.advance(tx, "c")) for db in (one, two) * 25]
        assert list(range(1, 51)) == sorted(await asyncio.gather(*asked))


async def test_what_was_written_is_there_at_the_next_opening(place: Place) -> None:
    async with place.opened() as db:
        await db.write(lambda tx: put(tx, "a"))
    async with place.opened() as db:
        assert "v" == await db.read(lambda tx: get(tx, "a"))


async def test_a_closing_store_does_what_was_asked_and_then_refuses(place: Place) -> None:
    async with place.opened() as db:
        asked = asyncio.ensure_future(db.write(lambda tx: put(tx, "a")))
        await asyncio.sleep(0)
    await asked
    with pytest.raises(StoreFailed):
        await db.write(lambda tx: put(tx, "b"))
    with pytest.raises(StoreFailed):
        await db.read(lambda tx: get(tx, "a"))
    async with place.opened() as db:
        assert ["v", None] == await db.read(lambda tx: [get(tx, "a"), get(tx, "b")])


async def test_data_outlives_a_roll_back_of_the_program_by_one_version(place: Place) -> None:
    async with place.opened() as db:
        await db.write(lambda tx: put(tx, "a"))
    place.version(1)
    async with place.opened() as db:
        assert "v" == await db.read(lambda tx: get(tx, "a"))
    place.version(1)
    with pytest.raises(SchemaNewer):
        async with place.opened():
            pytest.fail("it opened data of a far newer version")
