"""Whatever a function gives back arrives as JSON, and its parts keep their names."""

import enum
import json
import shutil
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from clawdbot.plugins.values import ITEMS_MOST, plain


class Point(NamedTuple):
    x: int
    y: tuple[int, ...]


AT = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Mail:
    sender: str
    at: datetime


@dataclass(slots=True)
class Box:
    inside: object


class Colour(enum.Enum):
    RED = "red"


class Loud(enum.IntEnum):
    VERY = 11


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (str(1 << 70), 1 << 70),
        (-(1 << 63), -(1 << 63)),
        (1.5, 1.5),
        ("nan", float("nan")),
        ("inf", float("inf")),
        ("é", "é"),
        ("\\ud800", "\ud800"),
        ({"base64": "AP8=", "size": 2}, b"\0\xff"),
        ({"base64": "YQ==", "size": 1}, memoryview(b"a")),
        ({"x": 1, "y": [2]}, Point(1, (2,))),
        ({"sender": "a", "at": "2026-01-02T00:00:00+00:00"}, Mail("a", AT)),
        ({"inside": {"inside": 1}}, Box(Box(1))),
        ("/a/b", PurePosixPath("/a/b")),
        ("/a", Path("/a")),
        ("2026-01-02", date(2026, 1, 2)),
        (90.0, timedelta(seconds=90)),
        ("red", Colour.RED),
        (11, Loud.VERY),
        ("1.10", Decimal("1.10")),
        ({"error": "ValueError", "message": "no"}, ValueError("no")),
        ([1, 2], (n for n in (1, 2))),
        ([0, 1], range(2)),
        ([1], {1}),
        ({"1": {"b": 2}}, OrderedDict({1: {"b": 2}})),
        ({"a": 1}, SimpleNamespace(a=1, _b=2)),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_becomes_json(expected: object, value: object) -> None:
    found = plain(value)
    assert expected == found
    assert expected == json.loads(json.dumps(found, allow_nan=False))


def test_the_parts_of_what_the_system_tells_keep_their_names() -> None:
    usage = plain(shutil.disk_usage("/"))
    assert isinstance(usage, dict)
    assert ["total", "used", "free"] == list(usage)
    now = plain(time.gmtime(0))
    assert isinstance(now, dict)
    assert 1970 == now["tm_year"]


def test_an_object_without_parts_is_told_by_its_words() -> None:
    assert str(plain) == plain(plain)
    assert "<object object" in str(plain(object()))


def test_a_circle_ends() -> None:
    circle: list[object] = []
    circle.append(circle)
    assert "…" in json.dumps(plain(circle), ensure_ascii=False)


def test_what_never_ends_is_cut() -> None:
    def numbers():
        number = 0
        while True:
            yield number
            number += 1

    found = plain(numbers())
    assert isinstance(found, list)
    assert (ITEMS_MOST + 1, "…") == (len(found), found[-1])
