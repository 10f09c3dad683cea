"""Markdown becomes HTML that is safe to show, and nothing is loaded from anywhere."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdbot.panel.markdown import LENGTH_MAX, render

# What a page, a tool or a name may try, in the forms that slipped through somewhere.
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](/logout)",
    "[x](//evil.example/x)",
    "![x](javascript:alert(1))",
    "![x](https://evil.example/p.png?q=secret)",
    '[x](https://a.b "t\\" onclick=alert(1) \\"")',
    '```"><img src=x onerror=alert(1)>\nx\n```',
    "`<b>`<iframe src=//evil.example>",
    "<https://a.b/\"onmouseover='alert(1)'>",
    "| <script> | <img src=x> |\n|---|---|\n| <style>*{} | x |",
    "<!--<img src=--><img src=x onerror=alert(1)//>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "[a]: https://a.b '<img src=x>'\n[a]",
    '<form action="/logout"><button>x</button></form>',
    "https://a.b/<script>alert(1)</script>",
    "\u202e<b onclick=x>\u202c",
    "<div class=table style=position:fixed>x</div>",
]
SAFE_TAG = re.compile(
    r"</?(?:a|blockquote|br|code|del|div|em|h[1-6]|hr|li|ol|p|pre|s|strong|table|tbody|td|th|thead"
    r"|tr|ul)(?: (?:href=\"(?:https?:|mailto:)[^\"<>]*\"|title=\"[^\"<>]*\"|target=\"_blank\""
    r"|rel=\"noopener noreferrer nofollow\"|align=\"\w+\"|class=\"table\"|start=\"\d+\""
    r"|data-lang=\"[^\"<>]*\"))*>"
)


def unsafe(html: str) -> str:
    """Give what is left once every allowed tag is taken out, if it could still be markup."""
    left = SAFE_TAG.sub("", html)
    return left if "<" in left or ">" in left else ""


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_becomes_harmless_html(text: str) -> None:
    assert "" == unsafe(render(text))


@given(st.text(alphabet="<>&\"'`*_~[]()!#|-:/ahref\n\t javscipt=x0", max_size=200))
def test_nothing_but_allowed_tags_comes_out(text: str) -> None:
    assert "" == unsafe(render(text))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a *b* **c** ~~d~~ `e`", "<em>b</em> <strong>c</strong> <s>d</s> <code>e</code>"),
        ("one\ntwo", "one<br>\ntwo"),
        ("- a\n- b", "<li>a</li>"),
        ("3. a", '<ol start="3">'),
        ("```py\n<b>\n```", '<pre data-lang="py"><code>&lt;b&gt;\n</code></pre>'),
        ("    x", "<pre><code>x\n</code></pre>"),
        ("|a|b|\n|-|-:|\n|1|2|", '<div class="table"><table>'),
        ("|a|b|\n|-|-:|\n|1|2|", '<td align="right">2</td>'),
        ("**标题：**内容", "<strong>标题：</strong>内容"),
        ("中文**“引”**是", "中文<strong>“引”</strong>是"),
        ("2*3*4 and snake_case_name", "snake_case_name"),
        ("5 * 3", "5 * 3"),
        ("![a cat](https://a.b/c.png)", ">a cat</a>"),
        ("![](https://a.b/c.png)", ">https://a.b/c.png</a>"),
    ],
)
def test_markdown_is_shown(text: str, html: str) -> None:
    assert html in render(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see https://a.b/c_d_e.", "https://a.b/c_d_e"),
        ("(https://a.b/c)", "https://a.b/c"),
        ("https://a.b/c_(d)", "https://a.b/c_(d)"),
        ("看https://a.b/c，好", "https://a.b/c"),
        ("<https://a.b>", "https://a.b"),
        ("[x](https://a.b)", "https://a.b"),
    ],
)
def test_an_address_becomes_a_link_that_tells_nobody_where_it_was(text: str, address: str) -> None:
    link = f'<a href="{address}" target="_blank" rel="noopener noreferrer nofollow">'
    assert link in render(text)
    assert 1 == render(text).count("<a ")


def test_an_address_in_code_is_no_link() -> None:
    assert "<a " not in render("`https://a.b`\n\n```\nhttps://a.b\n```")


@pytest.mark.parametrize(
    "text", ["*a **a ", "[", "![a", "[a](", "|a|\n|-|\n", "> ", "~~a ", "\n- "]
)
def test_text_made_to_tire_the_parser_is_done_in_time(text: str) -> None:
    begun = time.thread_time()
    render(text * (LENGTH_MAX // 5 // len(text)))
    assert 2.0 > time.thread_time() - begun


def test_a_very_long_text_is_shown_as_it_is() -> None:
    assert render("<b>" + "x" * LENGTH_MAX).startswith("<pre>&lt;b&gt;xxx")
