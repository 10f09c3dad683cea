"""What is said to belong where something else was written."""

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from clawdbot.config.problems import Problems
from clawdbot.config.shape import plain
from clawdbot.config.tree import Node
from clawdbot.domain.errors import SettingsInvalid
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Seconds, Url


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


WRONG = Node([Node({}, "f:1")], "f:1")


@pytest.mark.parametrize(
    ("expected", "kind"),
    [
        ("..", int),
        ("1 ..", Annotated[int, Meta(ge=1)]),
        ("0 .. 2", Annotated[float, Meta(ge=0, le=2)]),
        ("true | false", bool),
        ("red | blue", Colour),
        ("a | b", Literal["a", "b"]),
        ("[..., ...]", tuple[str, ...]),
        ("30s | 10m | 4h | 7d", Seconds),
        ("30s | 10m | 4h | 7d", Seconds | None),
        ("https://... | http://...", Url),
        ("text", str),
        ("text", Secret),
    ],
)
def test_what_was_expected_is_said(expected: str, kind: object) -> None:
    problems = Problems()
    plain(kind, WRONG, "key", problems)
    with pytest.raises(SettingsInvalid) as caught:
        problems.settle()
    assert f"f:1: key: expected {expected}" == str(caught.value)


@pytest.mark.parametrize(
    ("expected", "kind", "text"),
    [("12", int, "12"), (True, bool, "true"), ("1", str, "1"), (5400, Seconds, "1.5h")],
)
def test_texts_fit_the_types_that_they_spell(expected: object, kind: object, text: str) -> None:
    problems = Problems()
    value = plain(kind, Node(text, "f:1"), "key", problems)
    assert [] == problems.found
    assert str(expected).lower() == str(value).removesuffix(".0")


@pytest.mark.parametrize(("language", "fault"), [("en", "missing"), ("zh", "缺少")])
def test_a_fault_is_told_by_its_key_without_it(language: str, fault: str) -> None:
    problems = Problems()
    problems.say("settings.yaml:1", "{key}: missing", key="tools.x.per_hour")
    with pytest.raises(SettingsInvalid) as found:
        problems.settle()
    assert {"tools.x.per_hour": fault} == found.value.told(language)[1]
