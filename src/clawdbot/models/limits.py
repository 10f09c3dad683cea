"""What an endpoint's headers say of limits: how much is left, how long to wait; pure.

Points in time are read against the answer's own `date`: no clock of ours takes part.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

import msgspec

_FIELD = re.compile(
    r"(?:x-)?ratelimit-(?P<kind>limit|remaining|reset)(?:-(?P<of>.+))?"
    r"|anthropic-ratelimit-(?P<of_2>.+)-(?P<kind_2>limit|remaining|reset)"
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one limit (requests, tokens ...) is left, and when it is full again."""

    of: str
    remaining: int
    limit: int | None = None
    reset_s: float | None = None


def quotas(headers: Mapping[str, str]) -> tuple[Quota, ...]:
    """Read the rate limits of both protocols."""
    told: dict[str, dict[str, str]] = {}
    for name, value in headers.items():
        if found := _FIELD.fullmatch(name.lower()):
            of = found["of"] or found["of_2"] or "requests"
            told.setdefault(of, {})[found["kind"] or found["kind_2"]] = value
    return tuple(
        Quota(
            of=of,
            remaining=remaining,
            limit=_count(values.get("limit", "")),
            reset_s=_seconds(values.get("reset", ""), headers),
        )
        for of, values in told.items()
        if (remaining := _count(values.get("remaining", ""))) is not None
    )


def wait(headers: Mapping[str, str]) -> float | None:
    """Tell how many seconds the endpoint asks us to wait; None where it does not."""
    if (exact := _seconds(f"{headers.get('retry-after-ms', '')}ms", headers)) is not None:
        return exact
    if (told := _seconds(headers.get("retry-after", ""), headers)) is not None:
        return told
    resets = [q.reset_s for q in quotas(headers) if q.remaining == 0 and q.reset_s is not None]
    return max(resets, default=None)


def _count(text: str) -> int | None:
    found = re.match(r"\d{1,15}", text)
    return int(found[0]) if found else None


def _seconds(text: str, headers: Mapping[str, str]) -> float | None:
    """Read `20`, `6m0s`, `120ms`, an ISO or an HTTP date."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    if re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
    read = datetime.fromisoformat if text[:1].isdigit() else parsedate_to_datetime
    try:
        return max(0.0, (read(text) - parsedate_to_datetime(headers["date"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return None
