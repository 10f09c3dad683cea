"""What holds on PostgreSQL alone: conflicts, lost connections, one migration of many nodes."""

import asyncio
import re
import threading
from collections.abc import Callable
from functools import partial

import pytest

from clawdbot.domain.errors import StoreFailed
from clawdbot.domain.messages import Source
from clawdbot.domain.ports import Db, Tx
from clawdbot.domain.settings import Store
from clawdbot.durable.journal import Step
from clawdbot.store import logins, notes, postgres, sql
from clawdbot.store.logins import Login
from clawdbot.store.notes import Note
from tests.contract.conftest import SETTINGS, START, Lanes, ObedientClock, PostgresPlace
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow


@pytest.fixture
def place(database: Callable[[], PostgresPlace]) -> PostgresPlace:
    return database()


def note(tx: Tx, name: str) -> bytes:
    notes.add(tx, "u", Note(name, "body", "own", 0, START))
    return b""


def put(tx: Tx, key: str, value: str = "v") -> None:
    tx.run("meta.set", key=key, value=value)


def get(tx: Tx, key: str) -> str | None:
    return tx.one(str, "meta.get", key=key)


async def test_decisions_that_would_contradict_each_other_are_taken_again(db: Db) -> None:
    """Each writes its row if the other's is missing: one of them must come to see the other's."""
    both, runs = threading.Barrier(2), []

    def work(tx: Tx, mine: str, other: str) -> bool:
        runs.append(mine)
        free = get(tx, other) is None
        if len(runs) <= 2:
            both.wait(PATIENCE_S)
        if free:
            put(tx, mine)
        return free

    written = await asyncio.gather(
        db.write(partial(work, mine="a", other="b")), db.write(partial(work, mine="b", other="a"))
    )
    assert [False, True] == sorted(written)
    assert 3 == len(runs)


async def test_two_that_add_the_same_row_are_as_if_one_after_the_other(db: Db) -> None:
    both, runs = threading.Barrier(2), []

    def work(tx: Tx, user: str) -> bool:
        runs.append(user)
        known = logins.get(tx, "h", 0.0) is not None
        if len(runs) <= 2:
            both.wait(PATIENCE_S)
        if not known:
            logins.add(tx, Login("h", user, "browser", "", 0.0, 9.0))
        return not known

    added = await asyncio.gather(*(db.write(partial(work, user=user)) for user in "ab"))
    assert [False, True] == sorted(added)


async def test_lanes_of_many_nodes_do_not_starve_each_other(
    place: PostgresPlace, clock: ObedientClock
) -> None:
    """On small tables rows of different lanes share pages, so that all seem to be in conflict."""

    async def live(lanes: Lanes, lane: str) -> None:
        for _ in range(4):
            turn = await lanes.claim(await lanes.queue(lane))
            for number in range(3):
                step = Step(key=f"{number}", source=Source.MODEL)
                await lanes.journal.transact(turn, step, lambda tx: note(tx, clock.ulid()))
            await lanes.finish(turn)

    async with place.opened() as one, place.opened() as two:
        nodes = [Lanes(one, clock), Lanes(two, clock, node="node-2")]
        await asyncio.gather(*(live(nodes[n % 2], f"c{n}") for n in range(24)))
        kept = await one.read(lambda tx: notes.listed(tx, "u", 999))
    assert 24 * 4 * 3 == len(kept)


async def test_a_lost_connection_is_a_failure_of_the_store_and_then_made_anew(
    place: PostgresPlace,
) -> None:
    import psycopg

    async with place.opened() as db:
        for n in range(8):
            await db.write(partial(put, key=f"k{n}"))
        with psycopg.connect(place.dsn) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        failures = 0
        for n in range(30):
            try:
                await db.write(partial(put, key=f"m{n}"))
            except StoreFailed:
                failures += 1
        assert 1 <= failures <= 4
        assert "v" == await db.read(partial(get, key="m29"))


async def test_nodes_that_open_at_once_bring_the_schema_up_to_date_once(
    place: PostgresPlace,
) -> None:
    async def node() -> None:
        async with place.opened() as db:
            await db.write(partial(put, key="a"))

    await asyncio.gather(*(node() for _ in range(4)))


async def test_without_a_server_opening_fails() -> None:
    with pytest.raises(StoreFailed):
        async with postgres.opened("host=127.0.0.1 port=1 user=nobody", SETTINGS):
            pytest.fail("it opened")


async def test_a_lock_held_too_long_fails_the_write(place: PostgresPlace) -> None:
    import psycopg

    async with postgres.opened(place.dsn, Store(busy_timeout_s=0.2)) as db:
        with psycopg.connect(place.dsn) as other:
            other.execute("LOCK TABLE meta IN EXCLUSIVE MODE")
            with pytest.raises(StoreFailed):
                await db.write(partial(put, key="a"))


async def test_the_server_understands_every_statement(place: PostgresPlace) -> None:
    import psycopg

    async with place.opened():
        pass
    with psycopg.connect(place.dsn) as connection:
        for name, statement in sql.pyformat().items():
            values = dict.fromkeys(re.findall(r"%\((\w+)\)s", statement.decode()))
            try:
                connection.execute(b"EXPLAIN " + statement, values)
            except psycopg.Error as error:
                pytest.fail(f"{name}: {error}")
