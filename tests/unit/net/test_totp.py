"""One-time passwords by the time: RFC 6238's own vectors, the window, a code once."""

import pytest

from clawdbot.net.totp import STEP_S, code, step_of, text_of, uri

KEY = b"12345678901234567890"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_codes_are_those_of_rfc_6238(at: int, expected: str) -> None:
    assert expected == code(KEY, at // STEP_S)


def test_one_step_early_or_late_is_right_and_no_more() -> None:
    here = 1000
    for off, right in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        found = step_of(code(KEY, here + off), KEY, here * STEP_S + 7.5, 0)
        assert (here + off if right else None) == found


def test_a_code_is_good_once_and_none_before_it_either() -> None:
    now = 1000 * STEP_S
    assert step_of(code(KEY, 1000), KEY, now, 1000) is None
    assert step_of(code(KEY, 999), KEY, now, 1000) is None
    assert 1001 == step_of(code(KEY, 1001), KEY, now, 1000)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "\ud800", "２８７０８２"])
def test_what_is_no_code_is_wrong(typed: str) -> None:
    assert step_of(typed, KEY, 59.0, -1) is None


def test_a_code_may_be_typed_with_a_space() -> None:
    assert 1 == step_of("287 082", KEY, 59.0, 0)


def test_an_app_reads_the_key() -> None:
    assert "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" == text_of(KEY)
    assert (
        "otpauth://totp/Clawdbot:Ann%20%E8%89%BE?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=Clawdbot&digits=6&period=30"
    ) == uri(KEY, "Clawdbot", "Ann 艾")
