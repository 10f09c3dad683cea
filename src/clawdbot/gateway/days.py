"""Days as a zone counts them; pure."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def today(now: float, zone: str) -> date:
    """Tell which day it is."""
    return datetime.fromtimestamp(now, ZoneInfo(zone)).date()


def span(day: date, zone: str) -> tuple[float, float]:
    """Tell when a day begins, and the next one."""
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def _midnight(day: date, zone: str) -> float:
    return datetime.combine(day, time(), ZoneInfo(zone)).timestamp()
