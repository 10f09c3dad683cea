"""Markdown to safe HTML: what a model, a tool or a page wrote, shown to people.

Nothing is loaded from anywhere: an image becomes a link, for its address could carry a secret
away. Raw HTML stays text, and what is left passes a list of allowed tags. Knows no page.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from html import escape

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline, emphasis
from markdown_it.token import Token

# A longer text is shown as it is: rendering must not hold everybody else up.
LENGTH_MAX = 40_000

_KEPT = 256
_ADDRESS = re.compile(r"https?://[^\s<>\"'`|，。；：！？、（）《》“”【】]+")
_TRAILING = ".,;:!?*_~"
_CHINESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_TAGS = (
    "a blockquote br code del div em h1 h2 h3 h4 h5 h6 hr li ol p pre s strong"
    " table tbody td th thead tr ul"
)
_CLEANER = nh3.Cleaner(
    tags=set(_TAGS.split()),
    attributes={
        "a": {"href", "title"},
        "ol": {"start"},
        "pre": {"data-lang"},
        "td": {"align"},
        "th": {"align"},
    },
    allowed_classes={"div": {"table"}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)


@lru_cache(maxsize=_KEPT)
def render(text: str) -> str:
    """Make safe HTML of Markdown."""
    if len(text) > LENGTH_MAX:
        return f"<pre>{escape(text)}</pre>"
    return _CLEANER.clean(_MARKDOWN.render(text))


def _image(_: object, tokens: Sequence[Token], index: int, *__: object) -> str:
    address = escape(str(tokens[index].attrGet("src") or ""))
    return f'<a href="{address}">{escape(tokens[index].content) or address}</a>'


def _fence(_: object, tokens: Sequence[Token], index: int, *__: object) -> str:
    language = escape(tokens[index].info.strip().split(" ")[0][:30])
    label = f' data-lang="{language}"' if language else ""
    return f"<pre{label}><code>{escape(tokens[index].content)}</code></pre>\n"


def _open_table(*_: object) -> str:
    return '<div class="table"><table>'


def _close_table(*_: object) -> str:
    return "</table></div>"


def _begin_or_end(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the library's shape
    """Let a mark begin and end beside a Chinese word, where CommonMark waits for a space."""
    begin, known = state.pos, len(state.delimiters)
    if not emphasis.tokenize(state, silent):
        return False
    before, after = state.src[begin - 1 : begin], state.src[state.pos : state.pos + 1]
    for delimiter in state.delimiters[known:]:
        delimiter.open |= bool(_CHINESE.match(before)) and not after.isspace() and bool(after)
        delimiter.close |= bool(_CHINESE.match(after)) and not before.isspace() and bool(before)
    return True


def _finish(state: StateCore) -> None:
    """Make links of bare addresses, and of a column's style an attribute that our policy allows."""
    for token in state.tokens:
        if token.children:
            token.children = list(_linked(token.children))
        style = str(token.attrs.pop("style", ""))
        if style:
            token.attrs["align"] = style.removeprefix("text-align:")


def _linked(children: Iterable[Token]) -> Iterator[Token]:
    depth = 0
    for token in children:
        depth += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "text" and not depth:
            yield from _addresses(token.content)
        else:
            yield token


def _addresses(text: str) -> Iterator[Token]:
    at = 0
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(_TRAILING)
        if address.endswith(")") and "(" not in address:
            address = address.rstrip(")" + _TRAILING)
        yield Token("text", "", 0, content=text[at : match.start()])
        yield Token("link_open", "a", 1, attrs={"href": address})
        yield Token("text", "", 0, content=address)
        yield Token("link_close", "a", -1)
        at = match.start() + len(address)
    yield Token("text", "", 0, content=text[at:])


def _made() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True})
    markdown.enable(["table", "strikethrough"])
    markdown.inline.ruler.at("emphasis", _begin_or_end)
    markdown.core.ruler.push("finish", _finish)
    for name, rule in (
        ("image", _image),
        ("fence", _fence),
        ("code_block", _fence),
        ("table_open", _open_table),
        ("table_close", _close_table),
    ):
        markdown.add_render_rule(name, rule)
    return markdown


_MARKDOWN = _made()
