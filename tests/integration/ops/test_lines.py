"""What may stand in a log line."""

import pytest

from clawdbot.domain.secret import Secret
from clawdbot.ops.lines import Redactor, cleaned, human, neutral

CANARY = Secret("123:can'ary/+")


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("a\\r\\nb", "a\r\nb"),
        ("\\x1b[31mred\\x1b]0;title\\x07", "\x1b[31mred\x1b]0;title\x07"),
        ("\\x9b2J\\x7f\\x00", "\x9b2J\x7f\x00"),
        ("\\u202eevil\\u2066\\u200b\\ufeff", "\u202eevil\u2066\u200b\ufeff"),
        ("a\\u2028b\\u2029\\x85", "a\u2028b\u2029\x85"),
        ("\\ud800", "\ud800"),
        ("磁盘 é 🙂", "磁盘 é 🙂"),
    ],
)
def test_what_steers_a_terminal_becomes_visible(expected: str, text: str) -> None:
    assert expected == neutral(text)


@pytest.mark.parametrize(
    "text",
    [
        "bot123:can'ary/+/getMe",
        "?key=123%3Acan%27ary%2F%2B",
        "?key=123%3Acan%27ary/%2B",
        repr({"a": "x\\123:can'ary/+"}),
    ],
)
def test_a_known_secret_is_masked_in_every_spelling(text: str) -> None:
    masked = Redactor([CANARY])(text)
    assert "ary" not in masked
    assert "****" in masked


def test_secrets_can_be_learned_later_and_short_texts_are_none() -> None:
    redact = Redactor([Secret(""), Secret("abc")])
    assert "abc canary" == redact("abc canary")
    redact.learn(Secret("canary"), Secret("canary-longer"))
    assert "**** ****" == redact("canary-longer canary")


def test_a_password_in_an_address_is_masked() -> None:
    assert "http://****@proxy:1 a@b" == Redactor()("http://user:pw@proxy:1 a@b")


def test_values_are_masked_by_type_at_every_depth() -> None:
    value = {"a\n": [Secret("x"), (b"\x1b", None, 1.5)], "e": ValueError("123:can'ary/+")}
    expected = {"a\\n": ["****", ["b'\\x1b'", None, 1.5]], "e": "****"}
    assert expected == cleaned(value, Redactor([CANARY]))


def test_a_long_value_is_cut_after_masking() -> None:
    text = "x" * 3995 + CANARY.reveal() + "y" * 9000
    assert "x" * 3995 + "****" + "y…" == cleaned(text, Redactor([CANARY]))


def test_a_line_for_people_holds_one_line_for_each_thing() -> None:
    event = {"at": "2026-11-22T10:00:00.123Z", "level": "info", "event": "a\nb", "turn": "T\x1b"}
    assert "2026-11-22 10:00:00 info     a\\nb turn=T\\x1b" == human(event)
    assert human(event) == human(event, colour=True)
    failed = human({"level": "error", "event": "no"}, colour=True)
    assert failed.startswith("\x1b[31m")
    assert failed.endswith("no\x1b[0m")
