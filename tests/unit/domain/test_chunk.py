"""What is cut fits, loses nothing and stays readable."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clawdbot.domain.caps import Unit
from clawdbot.domain.chunk import STUB_MAX, cut, size, stub

FAMILY = "👨‍👩‍👧‍👦"
LINES = st.lists(
    st.sampled_from(
        [
            "```",
            "```py",
            "~~~~",
            "a",
            "some words, here. And there!",
            "漢字かな。交じり文",
            "",
            "  x = 1",
        ]
    ),
    max_size=40,
).map("\n".join)
TEXTS = st.one_of(
    st.text(max_size=300), LINES, st.text(alphabet="ab \n.。`é👍\u0301", max_size=300)
)
UNITS = st.sampled_from(list(Unit))
SIZES = st.integers(min_value=16, max_value=80)


@given(TEXTS, SIZES, UNITS)
def test_every_piece_fits_and_says_something(text: str, text_max: int, unit: Unit) -> None:
    for piece in cut(text, text_max, unit):
        assert text_max >= size(piece, unit)
        assert piece.strip()


@given(TEXTS, SIZES, UNITS)
def test_the_pieces_are_the_text(text: str, text_max: int, unit: Unit) -> None:
    assume(not re.search(r"\s{6}", text))  # white space that stands alone may go
    assume("```" not in text and "~~~" not in text)
    whole = "".join(cut(text, text_max, unit))
    assert text == whole + text[len(whole) :]
    assert "" == text[len(whole) :].strip()


@given(LINES, SIZES, UNITS)
def test_only_fences_are_repeated(text: str, text_max: int, unit: Unit) -> None:
    pieces = cut(text, text_max, unit)
    assert _said(text) == "".join(map(_said, pieces))


@given(LINES, SIZES, UNITS)
def test_every_piece_but_the_last_closes_its_code(text: str, text_max: int, unit: Unit) -> None:
    for piece in cut(text, text_max, unit)[:-1]:
        mark = ""
        for line in piece.split("\n"):
            found = re.match(r"`{3,}|~{3,}", line)
            if found and not mark:
                mark = found[0]
            elif found and found[0].startswith(mark) and line.strip() == found[0]:
                mark = ""
        assert "" == mark


def test_what_fits_is_left_alone() -> None:
    assert ["a" * 16] == cut("a" * 16, 16, Unit.UTF16)
    assert ["a" * 16, "a"] == cut("a" * 17, 16, Unit.UTF16)


@pytest.mark.parametrize("text", ["", " ", "\n" * 100])
def test_a_blank_text_has_no_pieces(text: str) -> None:
    assert [] == cut(text, 16, Unit.UTF16)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (Unit.CODEPOINT, ["👍" * 16, "👍" * 4]),
        (Unit.UTF16, ["👍" * 8, "👍" * 8, "👍" * 4]),
        (Unit.BYTE, ["👍" * 4] * 5),
    ],
)
def test_each_platform_counts_in_its_unit(unit: Unit, expected: list[str]) -> None:
    assert expected == cut("👍" * 20, 16, unit)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One two.\n\nThree four. Five\nsix seven", "One two.\n\n"),
        ("One two three.\nFour. Five six", "One two three.\n"),
        ("One two three. Four five six", "One two three. "),
        ("One two three four five six", "One two three "),
        ("天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往", "天地玄黄，宇宙洪荒。"),
        ("abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnop"),
    ],
)
def test_the_best_border_is_taken(text: str, first: str) -> None:
    assert first == cut(text, 16, Unit.UTF16)[0]


def test_a_border_just_behind_the_limit_counts() -> None:
    assert ["0123456789abcdef", "\n\nrest"] == cut("0123456789abcdef\n\nrest", 16, Unit.UTF16)


@pytest.mark.parametrize(
    "character", [FAMILY, "e\u0301", "👍🏽", "🇩🇪", "🏴\U000e0067\U000e0062", "☁️"]
)
def test_no_character_is_torn(character: str) -> None:
    for before in range(16):
        text = "x" * before + character + "y" * 40
        assert sum(piece.count(character) for piece in cut(text, 24, Unit.UTF16))


def test_flags_side_by_side_are_told_apart() -> None:
    assert ["x" + "🇩🇪" * 3, "🇩🇪"] == cut("x" + "🇩🇪" * 4, 16, Unit.UTF16)


def test_a_character_without_end_is_torn_after_all() -> None:
    text = "e" + "\u0301" * 99
    assert text == "".join(cut(text, 60, Unit.UTF16))


def test_code_goes_on_in_the_next_piece_with_its_language() -> None:
    code = "\n".join(f"line_{n} = {n}" for n in range(6))
    text = f"See:\n```python\n{code}\n```\nDone."
    assert [
        "See:\n```python\nline_0 = 0\nline_1 = 1\n```",
        "```python\nline_2 = 2\nline_3 = 3\n```",
        "```python\nline_4 = 4\nline_5 = 5\n```\nDone.",
    ] == cut(text, 42, Unit.UTF16)


def test_no_piece_ends_with_an_opening_fence() -> None:
    text = f"{'word ' * 6}\n```sh\n{'ls -l; ' * 3}\n```"
    assert f"{'word ' * 6}\n" == cut(text, 40, Unit.UTF16)[0]


def test_a_long_text_is_cut_in_time() -> None:
    text = "A sentence of some words. " * 40_000
    assert 254 <= len(cut(text, 4096, Unit.UTF16)) <= 260


@given(st.text(max_size=200))
def test_a_stub_says_less_than_the_text(text: str) -> None:
    words = stub(text).removesuffix("…").strip()
    assert STUB_MAX >= len(words)
    assert words == "" or len(words) < len(text)
    assert text != stub(text) or text == "…"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "…"),
        ("Yes.", "…"),
        ("a …", "…"),
        ("Hello there, friend", "Hello there, …"),
        ("# **Plan**\n\n- one `x`\n- two", "Plan - one x - …"),
        ("word " * 20, "word word word word word word word word word …"),
        ("好" * 60, "好" * 48 + " …"),
        ("A " + "好" * 60, "A " + "好" * 46 + " …"),
    ],
)
def test_a_stub_is_the_first_words(text: str, expected: str) -> None:
    assert expected == stub(text)


def _said(text: str) -> str:
    lines = [line for line in text.split("\n") if not re.match(r"\s*(```|~~~)", line)]
    return re.sub(r"\s", "", "".join(lines))
