"""Breaker and back-off, on a clock of numbers."""

from math import inf

import pytest

from clawdbot.models.breaker import Breaker, BreakerState, backoff


def test_the_wait_grows_and_honours_what_was_asked() -> None:
    assert [0.125, 0.25, 0.5] == [backoff(attempt, None, 0.0) for attempt in range(3)]
    assert [0.25, 0.5, 1.0] == [backoff(attempt, None, 1.0) for attempt in range(3)]
    assert 20.0 == backoff(0, 20.0, 0.5)


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker(3, 30.0)
    for _ in range(2):
        breaker.failed(0.0, hung=False)
        breaker.failed(0.0, hung=False)
        assert inf == breaker.allowance(0.0)
        breaker.succeeded()
    for _ in range(3):
        assert inf == breaker.allowance(0.0)
        breaker.failed(0.0, hung=False)
    assert 0.0 == breaker.allowance(29.9)


def test_a_time_out_opens_it_at_once_and_a_probe_closes_it() -> None:
    breaker = Breaker(3, 30.0)
    breaker.failed(0.0, hung=True)
    assert 0.0 == breaker.allowance(1.0)
    assert 5.0 == breaker.allowance(30.0)
    assert 0.0 == breaker.allowance(31.0), "one probe at a time"
    breaker.succeeded()
    assert inf == breaker.allowance(31.0)


def test_a_probe_that_fails_opens_it_for_longer_and_the_next_has_more_time() -> None:
    breaker, now = Breaker(3, 30.0), 0.0
    breaker.failed(now, hung=True)
    limits = []
    for pause in (30, 60, 120, 240, 480, 600, 600):
        assert 0.0 == breaker.allowance(now + pause - 0.1)
        now += pause
        limits.append(breaker.allowance(now))
        breaker.failed(now, hung=False)
    assert [5, 10, 20, 40, 80, 160, 320] == limits


def test_a_probe_that_was_given_up_is_followed_by_another() -> None:
    breaker = Breaker(1, 30.0)
    breaker.failed(0.0, hung=False)
    assert 5.0 == breaker.allowance(30.0)
    assert 5.0 == breaker.allowance(35.0)


def test_calls_that_had_begun_before_do_not_open_it_for_longer() -> None:
    breaker = Breaker(1, 30.0)
    for _ in range(16):
        breaker.failed(0.0, hung=True)
    assert 5.0 == breaker.allowance(30.0)


@pytest.mark.parametrize(("asked", "spared"), [(50.0, 50.0), (86_400.0, 600.0)])
def test_a_wish_to_wait_is_kept_within_reason(asked: float, spared: float) -> None:
    breaker = Breaker(3, 30.0)
    breaker.hold(0.0, asked)
    assert 0.0 == breaker.allowance(spared - 0.1)
    assert inf == breaker.allowance(spared)


def test_it_tells_how_it_stands() -> None:
    breaker = Breaker(1, 30.0)
    assert (BreakerState.CLOSED, 0.0) == breaker.state(0.0)
    breaker.failed(0.0, hung=False)
    assert (BreakerState.OPEN, 20.0) == breaker.state(10.0)
    assert (BreakerState.PROBING, 0.0) == breaker.state(30.0)
    breaker.allowance(30.0)
    assert (BreakerState.PROBING, 0.0) == breaker.state(31.0)
    breaker.failed(31.0, hung=False)
    assert (BreakerState.OPEN, 60.0) == breaker.state(31.0)
    breaker.allowance(91.0)
    breaker.succeeded()
    assert (BreakerState.CLOSED, 0.0) == breaker.state(92.0)
