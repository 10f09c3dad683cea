"""Type hints become a schema for whoever calls, and JSON becomes what the hints say."""

import enum
import functools
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

import pytest

from clawdbot.plugins.errors import ArgumentError, PluginError
from clawdbot.plugins.files import File
from clawdbot.plugins.parameters import bound, parameters


class Unit(enum.Enum):
    METRIC = "metric"
    OLD = "old"


def plain(params):
    return params


def typed(
    city: Annotated[str, "The city"],
    days: int = 3,
    *,
    unit: Unit = Unit.METRIC,
    kind: Literal["a", "b"] | None = None,
    when: datetime | None = None,
    tags: list[str] = [],  # noqa: B006
    report: File,
    anything=None,
) -> None:
    pass


def test_a_plain_function_takes_a_dict_of_whatever_was_given() -> None:
    expected = {"name": "params", "schema": {"type": "object"}, "required": False}
    assert [expected] == parameters(plain)
    assert {"params": {}} == bound(plain, {})
    assert {"params": {"a": 1}} == bound(plain, {"params": {"a": 1}})


def test_every_hint_has_its_schema() -> None:
    found = {each["name"]: each for each in parameters(typed)}
    assert {"type": "string", "description": "The city"} == found["city"]["schema"]
    assert ["city", "report"] == [name for name, each in found.items() if each["required"]]
    assert {"enum": ["metric", "old"]} == found["unit"]["schema"]
    assert {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]} == found["kind"]["schema"]
    assert {"type": "array", "items": {"type": "string"}} == found["tags"]["schema"]
    assert {"type": "string", "format": "file"} == found["report"]["schema"]
    assert {} == found["anything"]["schema"]


def test_arguments_become_what_the_hints_say() -> None:
    given = {"city": "Ulm", "unit": "old", "when": "2026-01-02T03:04:05", "report": "a.pdf"}
    found = bound(typed, given)
    assert Unit.OLD is found["unit"]
    assert datetime(2026, 1, 2, 3, 4, 5) == found["when"]  # noqa: DTZ001
    assert isinstance(found["report"], File)
    assert "a.pdf" == found["report"].name
    assert "Ulm" == found["city"]


def test_members_of_lists_are_converted_too() -> None:
    def on(days: list[date], places: set[Path]) -> None:
        pass

    found = bound(on, {"days": ["2026-01-02"], "places": ["a", "a"]})
    assert {"days": [date(2026, 1, 2)], "places": {Path("a")}} == found


@pytest.mark.parametrize("wrong", [{"when": "tomorrow"}, {"unit": "stone"}])
def test_an_argument_that_cannot_be_converted_is_told(wrong: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        bound(typed, wrong)


def test_a_wrapped_function_shows_its_own_parameters() -> None:
    @functools.wraps(plain)
    def wrapper(*args, **kwargs):
        return plain(*args, **kwargs)

    assert ["params"] == [each["name"] for each in parameters(wrapper)]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda *args: args, "name of its own"),
        (lambda **kwargs: kwargs, "name of its own"),
        (lambda a, /: a, "name of its own"),
        (print, "is not a function"),
    ],
)
def test_what_cannot_be_described_is_refused(function, reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        parameters(function)


def test_a_type_that_cannot_be_told_is_refused() -> None:
    def strange(what: complex) -> None:
        pass

    with pytest.raises(PluginError, match="what: its type cannot be told"):
        parameters(strange)
