"""The bus hands facts to its subscribers, in order."""

from clawdbot.domain.bus import Bus
from clawdbot.domain.events import Fact


def test_every_subscriber_hears_a_fact() -> None:
    bus, first, second = Bus(), list[Fact](), list[Fact]()
    bus.subscribe(first.append)
    bus.subscribe(second.append)
    bus.tell("turns", 2, "done")
    assert [Fact(name="turns", value=2, labels=("done",))] == first == second


def test_a_late_subscriber_hears_only_what_follows() -> None:
    bus, late = Bus(), list[Fact]()
    bus.tell("before")
    bus.subscribe(late.append)
    bus.tell("after")
    assert ["after"] == [fact.name for fact in late]
