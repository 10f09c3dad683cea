"""The patient database: tries again what the store could not do, and nothing else."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import DiskLow, Failure, Fenced, SchemaNewer, StoreFailed
from clawdbot.domain.events import Fact
from clawdbot.domain.ports import Db, Tx
from clawdbot.durable.patient import Patient

T = TypeVar("T")


class Moody:
    """A database that fails in the given ways before it works."""

    def __init__(self, db: Db, *failures: Failure) -> None:
        self.db = db
        self.failures = list(failures)

    async def write(self, fn: Callable[[Tx], T]) -> T:
        self._fail()
        return await self.db.write(fn)

    async def read(self, fn: Callable[[Tx], T]) -> T:
        self._fail()
        return await self.db.read(fn)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


async def test_it_tries_again_until_the_store_works_and_tells_each_failure(db: Db) -> None:
    facts, bus = list[Fact](), Bus()
    bus.subscribe(facts.append)
    patient = Patient(Moody(db, StoreFailed(), DiskLow()), bus)
    await patient.write(lambda tx: tx.run("meta.set", key="a", value="1"))
    assert [("StoreFailed",), ("DiskLow",)] == [fact.labels for fact in facts]
    patient = Patient(Moody(db, StoreFailed()), bus)
    assert "1" == await patient.read(lambda tx: tx.one(str, "meta.get", key="a"))


@pytest.mark.parametrize("failure", [Fenced(), SchemaNewer()])
async def test_what_no_waiting_mends_is_raised_at_once(failure: Failure, db: Db) -> None:
    moody = Moody(db, failure, StoreFailed())
    with pytest.raises(type(failure)):
        await Patient(moody, Bus()).write(lambda tx: tx.run("meta.set", key="a", value="1"))
    assert 1 == len(moody.failures)


async def test_what_the_function_raises_is_raised_at_once(db: Db) -> None:
    def work(tx: Tx) -> None:
        raise Fenced

    with pytest.raises(Fenced):
        await Patient(db, Bus()).write(work)
