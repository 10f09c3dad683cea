"""Markup goes, everything else stays."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdbot.domain.markup import Begin, End, Piece, parse

MARKDOWN = st.text(alphabet="ab1 \n*_~`#>|-[]()!\\/.:h漢👍", max_size=120) | st.text(max_size=120)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("**bold** and *it* and ~~no~~", "<bold>bold</> and <italic>it</> and <strike>no</>"),
        ("***both***", "<italic><bold>both</></>"),
        ("**a *b***", "<bold>a <italic>b</></>"),
        ("**one\nline more**", "<bold>one\nline more</>"),
        ("**API**s 和**重点：**内容", "<bold>API</>s 和<bold>重点：</>内容"),
        ("_it_ and snake_case_x and __init__", "<italic>it</> and snake_case_x and __init__"),
        ("2**3*4 and 5*6 a * b * c", "2**3*4 and 5*6 a * b * c"),
        ("**/*.py and **/*.js /*c*/", "**/*.py and **/*.js /*c*/"),
        ("*a **b* c**", "<italic>a **b</> c**"),
        ("**not yet", "**not yet"),
        ("a\\*b\\* C:\\new", "a*b* C:\\new"),
        ("`x*y*z` ``a`b``", "<code>x*y*z</> <code>a`b</>"),
        ("`open *it*", "`open <italic>it</>"),
        ("[a *b*](https://x.y/z_(q)?r=1)", "<link https://x.y/z_(q)?r=1>a <italic>b</></>"),
        ('![cat](http://c.at "title")', "<link http://c.at>cat</>"),
        ("<https://x.y>", "https://x.y"),
        ("[x](javascript:y) [x](tg://user?id=1)", "[x](javascript:y) [x](tg://user?id=1)"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
    ],
)
def test_styles_within_a_line(text: str, expected: str) -> None:
    assert expected == _shown(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Title **x** #\n\ntext", "<bold>Title x</>\n\ntext"),
        ("#hashtag", "#hashtag"),
        ("- *a\n- b*\n\n* c\n  1. **d**", "- *a\n- b*\n\n* c\n  1. <bold>d</>"),
        ("> q *i*\n> r\nafter", "<quote>q <italic>i</>\nr</>\nafter"),
        ("a\n```py x\nb = *c*\n\n```\nd", "a\n<block py>b = *c*\n</>\nd"),
        ("```\nnot yet", "<block>not yet</>"),
        ("1. x:\n   ```\n   y\n     z\n   ```", "1. x:\n<block>y\n  z</>"),
        ("~~~~\n```\n~~~\n~~~~", "<block>```\n~~~</>"),
        ("```one``` line", "<code>one</> line"),
        ("|a|b|\n|-|:-:|\n|1|2|\nend", "<block>|a|b|\n|-|:-:|\n|1|2|</>\nend"),
        ("a | b\nc | d", "a | b\nc | d"),
        ("a\n\n\n  b \n---\n", "a\n\n\n  b \n---\n"),
    ],
)
def test_blocks(text: str, expected: str) -> None:
    assert expected == _shown(text)


@given(MARKDOWN)
def test_styles_nest_and_the_text_is_a_part_of_what_was_written(text: str) -> None:
    pieces = parse(text)
    is_open: list[str] = []
    for piece in pieces:
        match piece:
            case Begin():
                is_open.append(piece.style)
            case End():
                assert is_open.pop() == piece.style
            case _:
                pass
    assert [] == is_open
    written = iter(text)
    assert all(character in written for piece in pieces for character in _text(piece))


@given(st.text(alphabet="ab1 \n漢👍.,:-()!/{}<&\"'=+", max_size=200))
def test_a_text_without_markup_stays_as_it_is(text: str) -> None:
    assert text.replace("\n", "") == "".join(map(_text, parse(text))).replace("\n", "")


@pytest.mark.parametrize(
    "part",
    ["*a ", "**a a* ", "`", "` `` ", "[a](http://x", "[", "_a ", "|-", " ", "> ", "\\", "<http://"],
)
def test_no_text_takes_long(part: str) -> None:
    text = part * (8192 // len(part))
    began = time.process_time()
    parse(f"{text}\n{text}")
    assert 1.0 > time.process_time() - began


def _shown(text: str) -> str:
    return "".join(_tag(piece) for piece in parse(text))


def _tag(piece: Piece) -> str:
    match piece:
        case Begin():
            return f"<{' '.join(filter(None, [piece.style, piece.detail]))}>"
        case End():
            return "</>"
        case _:
            return piece


def _text(piece: Piece) -> str:
    return piece if isinstance(piece, str) else ""
