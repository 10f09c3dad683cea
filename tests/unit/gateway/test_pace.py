"""Token buckets: a burst passes at once, then the refill decides."""

from clawdbot.domain.caps import Pace
from clawdbot.domain.inbound import Address
from clawdbot.gateway.pace import Pacer

PACE = Pace(per_s=30, burst=30, chat_per_s=1, chat_burst=3, group_per_s=1 / 3, group_burst=2)
ANN = Address(channel="telegram", account="main", chat="1")
BOB = Address(channel="telegram", account="main", chat="2")
GROUP = Address(channel="telegram", account="main", chat="-3", group=True)


def test_a_burst_passes_and_the_next_waits() -> None:
    pacer = Pacer(PACE)
    assert [0.0, 0.0, 0.0, 1.0, 2.0] == [pacer.wait(ANN, 100.0) for _ in range(5)]


def test_chats_do_not_wait_for_each_other() -> None:
    pacer = Pacer(PACE)
    for _ in range(5):
        pacer.wait(ANN, 100.0)
    assert 0.0 == pacer.wait(BOB, 100.0)


def test_the_account_as_a_whole_has_a_limit() -> None:
    pacer = Pacer(PACE)
    addresses = [Address(channel="telegram", account="main", chat=str(n)) for n in range(31)]
    waits = [pacer.wait(address, 100.0) for address in addresses]
    assert [0.0] * 30 == waits[:30]
    assert waits[30] > 0


def test_groups_are_slower() -> None:
    pacer = Pacer(PACE)
    assert [0.0, 0.0, 3.0] == [round(pacer.wait(GROUP, 100.0), 6) for _ in range(3)]


def test_waiting_refills() -> None:
    pacer = Pacer(PACE)
    for _ in range(3):
        pacer.wait(ANN, 100.0)
    assert not pacer.free(ANN, 100.5)
    assert pacer.free(ANN, 101.0)
    assert 0.0 == pacer.wait(ANN, 101.0)


def test_no_pace_never_waits() -> None:
    pacer = Pacer(None)
    assert [0.0] * 100 == [pacer.wait(ANN, 0.0) for _ in range(100)]
    assert pacer.free(ANN, 0.0)
