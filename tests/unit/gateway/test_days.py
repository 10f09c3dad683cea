"""A day is as long as its zone says."""

from datetime import date

import pytest

from clawdbot.gateway.days import span, today

HOUR_S = 3600


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", date(2026, 3, 28)), ("Asia/Shanghai", date(2026, 3, 29))],
)
def test_today_is_the_zones_own(zone: str, day: date) -> None:
    evening = 1774724400.0  # 2026-03-28 19:00 UTC
    assert day == today(evening, zone)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2026, 3, 29), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Kolkata", date(2026, 10, 25), 24),
    ],
)
def test_a_day_ends_where_the_next_begins(zone: str, day: date, hours: int) -> None:
    begin, end = span(day, zone)
    assert hours * HOUR_S == end - begin
    assert day == today(begin, zone) == today(end - 1, zone)
    assert day != today(begin - 1, zone)
    assert day != today(end, zone)
