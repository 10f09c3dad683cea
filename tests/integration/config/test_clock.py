"""Ids sort by their time, also within a millisecond and when the clock is set back."""

from concurrent.futures import ThreadPoolExecutor

from clawdbot.config.clock import SystemClock


class Back(SystemClock):
    """A clock that somebody sets back between any two ids."""

    time = 2_000_000_000.0

    def now(self) -> float:
        self.time -= 3600
        return self.time


def test_ids_are_ulids_that_increase() -> None:
    clock = SystemClock()
    ids = [clock.ulid() for _ in range(5000)]
    assert sorted(set(ids)) == ids
    assert {26} == set(map(len, ids))
    letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    assert set("".join(ids)) <= set(letters)
    value = 0
    for letter in ids[0][:10]:
        value = value * 32 + letters.index(letter)
    assert 60_000 > abs(clock.now() * 1000 - value)


def test_a_clock_set_back_does_not_turn_ids_back() -> None:
    clock = Back()
    ids = [clock.ulid() for _ in range(100)]
    assert sorted(set(ids)) == ids


def test_threads_get_different_ids() -> None:
    clock = SystemClock()
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: clock.ulid(), range(5000)))
    assert len(ids) == len(set(ids))


def test_the_monotonic_clock_goes_on() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
