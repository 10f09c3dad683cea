"""What a person would read of a page, in the time it takes to read it once."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdbot.tools.readable import decoded, readable, visible

PAGE = """<!DOCTYPE html><html><head><meta charset=utf-8><title>A &amp; B
</title><style>p { color: red }</style><script>if (a < b) alert("</p>")</script></head>
<body><nav><ul><li><a href="/">Home</a></ul></nav>
<h1>One</h1><p>First   <b>bold</b> &lt;words&gt; <a href="/x?a=1&amp;b=2">link</a>.</p>
<ul><li>a<li>b</ul><pre><code>x = 1
  y</code></pre>
<table><tr><th>k<th>v<tr><td>1<td>2</table><img alt="a cat" src="c.png"><hr>
<p hidden>secret one</p><div style="display: none">secret <div>two</div> three</div>
<span aria-hidden="true">secret four</span><!-- secret <p>five</p> --> tail <svg/>end</body>"""


def test_a_page_is_read_as_a_person_would() -> None:
    title, text = readable(PAGE, lambda href: f"http://a.example{href}")
    assert "A & B" == title
    expected = (
        "# One\n\nFirst bold <words> [link](http://a.example/x?a=1&b=2).\n\n\n- a\n- b\n\n"
        "```\nx = 1\n  y\n```\n\n\n\n | k | v\n | 1 | 2\n\na cat\n\n"
    )
    assert expected.split() == text.split()[: len(expected.split())]
    assert text.endswith("tail end")
    for absent in ("Home", "color", "alert", "two", "three", "four", "five"):
        assert absent not in text
    assert "```\nx = 1\n  y\n```" in text


def test_the_main_part_is_preferred_where_there_is_enough_of_it() -> None:
    main = "<p>" + "word " * 60 + "</p>"
    page = f"<title>t</title><div>menu</div><main>{main}</main><div>foot</div>"
    assert ("t", ("word " * 60).strip()) == readable(page)
    assert "menu" in readable("<div>menu</div><main>short</main>")[1]
    assert "open" in readable("<main>open, and never closed")[1]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a < b and b > c", "a < b and b > c"),
        ("1 <2 <3", "1 <2 <3"),
        ("<a <b>x", "<a x"),
        ("<p title='a > b'>x", "x"),
        ("<p onclick='a < b'>x", "<p onclick='a < b'>x"),
        ("x<!-- never closed", "x"),
        ("x<script>never closed", "x"),
        ("x</", "x"),
        ("x<", "x<"),
        ("x<?php echo 1 ?>y<![CDATA[z]]>", "xy"),
        ("<SCRIPT>a</sCript >x", "x"),
        ("<a href='x'>y", "[y"),
        ("</a></nav></div>x", "x"),
        ("<a href=''></a><a>x</a>", "x"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<nav>a<nav>b</nav>c</nav>d", "d"),
        ("&#x41;&nbsp;&bogus;&#0;", "A &bogus;\ufffd"),
    ],
)
def test_odd_markup_is_read_as_far_as_it_goes(html: str, text: str) -> None:
    assert text == readable(html)[1]


def test_what_nobody_sees_is_taken_out() -> None:
    smuggled = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all")
    assert "plain" == visible(f"pl\u200bai\u202en{smuggled}\x1b\x00\ufeff")
    assert "a\tb\n" == visible("a\tb\n")
    assert "link" == readable("<title>li\u2060nk</title>")[0]


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<a b='", '<a b="', "<!--", "<!", "<?", "</", "</a ", "&", "&#", "<script",
     "<div>", "<ul><li>", "<b><p>", "<main>", "<article", "<title", "<nav>", "<div hidden>",
     "<a href='", " ", "\n", "[]()", "<a display ", "<pre>", "<a/", "x",
     "<table><tr><td>", "<p a=b c=d>"],
)  # fmt: skip
def test_hostile_markup_costs_its_length(piece: str) -> None:
    def cost(size: int) -> float:
        begun = time.process_time()
        readable(f"<main><a {piece * (size // len(piece))}</main>")
        return time.process_time() - begun

    assert cost(80_000) < 40 * cost(8_000) + 0.2  # ten times the length; a square would be 100


@given(st.text() | st.text(alphabet="<>/!-a 'p=\"&;", max_size=300))
def test_anything_is_read(html: str) -> None:
    title, text = readable(html)
    assert "\x00" not in title + text
    assert text == text.strip()


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("é".encode(), "", "é"),
        ("é".encode("latin-1"), "iso-8859-1", "é"),
        ("中文〇".encode("gbk"), "GB2312", "中文〇"),
        (b"<meta charset='gbk'>" + "中".encode("gbk"), "", "<meta charset='gbk'>中"),
        (b'<meta content="text/html; charset=big5">' + "中".encode("big5"), "", None),
        ("é".encode("utf-16"), "ascii", "é"),
        ("\ufeffé".encode(), "gbk", "\ufeffé"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        (b"\xff", "utf-8", "\ufffd"),
        (b"abc", "hex", "abc"),
        (b"abc", "punycode", "abc"),
        (b"abc", "unicode_escape", "abc"),
        (b"abc", "gbxyz", "abc"),
    ],
)
def test_bytes_are_read_in_the_charset_that_was_told(
    body: bytes, charset: str, text: str | None
) -> None:
    assert (text or '<meta content="text/html; charset=big5">中') == decoded(body, charset)


@given(st.binary(), st.text(max_size=12))
def test_no_bytes_and_no_name_fail(body: bytes, charset: str) -> None:
    decoded(body, charset)
