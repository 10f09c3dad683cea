"""A stranger's page as readable text: headings, lists, links and code in Markdown's manner.

Every character is read once. Libraries that build a tree of a page take minutes, or all of the
stack, for some that are small and hostile; what is hidden from people is left out as well.
"""

import re
from collections.abc import Callable
from html import unescape

_TOKEN = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})((?:[^<>"']|"[^"<]*"|'[^'<]*')*)>""")
_HREF = re.compile(r"""\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ALT = re.compile(r"""\salt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_HIDDEN = re.compile(
    r"""\shidden(?:[\s=/]|$)|aria-hidden\s*=\s*["']?true|display\s*:\s*none|visibility\s*:\s*hidden""",
    re.IGNORECASE,
)
_TEXT = re.compile(r"(?:[^<]|<(?![a-zA-Z/!?]))+")
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{0,500})", re.IGNORECASE)
_MAIN = re.compile(r"<(main|article)[\s>]", re.IGNORECASE)
_META = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]{1,20})""", re.IGNORECASE)
_CHARSET = re.compile(
    r"utf-?8|utf-?16(?:-?[lb]e)?|gb\w{1,8}|big5\w{0,8}|iso-8859-\d{1,2}|windows-\d{3,4}|euc-\w\w"
    r"|shift[_-]jis|koi8-[ru]|us-ascii|latin-?1",
    re.IGNORECASE,
)
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_RAW = {"script", "style", "template", "textarea", "title", "xmp", "noscript"}
_LEFT_OUT = {"aside", "button", "footer", "iframe", "nav", "select", "svg"}
# Of these an end need not be written: what follows would be left out with them.
_UNENDED = {
    "area", "base", "body", "br", "col", "dd", "dt", "embed", "head", "hr", "html", "img", "input",
    "li", "link", "meta", "option", "p", "source", "tbody", "td", "th", "thead", "tr", "wbr",
}  # fmt: skip
_BLOCKS = {
    "article", "blockquote", "body", "dd", "div", "dl", "dt", "figure", "form", "header", "main",
    "ol", "p", "pre", "section", "table", "ul",
}  # fmt: skip
_MARKS = {"li": "\n- ", "br": "\n", "tr": "\n", "td": " | ", "th": " | ", "hr": "\n\n"}
_MAIN_LEAST = 200


def decoded(body: bytes, charset: str) -> str:
    """Read bytes as text: by what the server says, a mark, the page's own word, or as UTF-8."""
    marks = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    marked = next((name for mark, name in marks.items() if body.startswith(mark)), "")
    meta = _META.search(body, 0, 4096)
    name = marked or charset or (meta[1].decode() if meta else "utf-8")
    known = name if _CHARSET.fullmatch(name) else "utf-8"
    try:
        return body.decode("gb18030" if known.lower() in {"gb2312", "gbk"} else known, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def readable(html: str, link: Callable[[str], str] = str) -> tuple[str, str]:
    """Give a page's title and its text; `link` makes an address whole, or empty to leave it out."""
    found, main = _TITLE.search(html), _MAIN.search(html)
    title = " ".join(visible(unescape(found[1])).split()) if found else ""
    if main and (end := html.rfind(f"</{main[1]}")) > main.start():
        text = _Reader(link).read(html[main.start() : end])
        if len(text) >= _MAIN_LEAST:
            return title, text
    return title, _Reader(link).read(html)


def visible(text: str) -> str:
    """Take out what a person would not see: controls, joiners, direction marks, tags."""
    return _INVISIBLE.sub("", text)


class _Reader:
    """Reads tokens from left to right; `skipped` counts the open elements of the one left out."""

    def __init__(self, link: Callable[[str], str]) -> None:
        self._link = link
        self._out: list[str] = []
        self._links: list[str] = []
        self._skipping, self._skipped = "", 0
        self._pre = False

    def read(self, html: str) -> str:
        """Read a page, and give its text without needless space."""
        at = 0
        while at < len(html):
            if text := _TEXT.match(html, at):
                self._say(text[0])
                at = text.end()
            else:
                at = self._token(html, at)
        whole = visible("".join(self._out)).replace("[]()", "")
        lines = (line.rstrip() for line in whole.split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def _token(self, html: str, start: int) -> int:
        """Take what begins with `<`, and tell where the next thing begins."""
        if found := _TOKEN.match(html, start):
            name = found[2].lower()
            self._tag(name, found[3], closing=bool(found[1]))
            if found[1] or name not in _RAW:
                return found.end()
            closed = re.compile(f"</{name}", re.IGNORECASE).search(html, found.end())
            return closed.start() if closed else len(html)
        opened, end = ("<!--", "-->") if html.startswith("<!--", start) else ("<", ">")
        if opened == "<" and html[start + 1].isalpha():
            self._say("<")
            return start + 1
        after = html.find(end, start + len(opened))
        return after + len(end) if after >= 0 else len(html)

    def _say(self, text: str) -> None:
        if text and not self._skipped:
            plain = unescape(text)
            self._out.append(plain if self._pre else re.sub(r"\s+", " ", plain))

    def _tag(self, name: str, attributes: str, *, closing: bool) -> None:
        if self._skipped:
            self._skipped += (name == self._skipping) * (-1 if closing else 1)
        elif not closing and _left_out(name, attributes):
            self._skipping, self._skipped = name, 1
        elif name == "a":
            self._anchor(attributes, closing=closing)
        else:
            self._out.append(self._mark(name, attributes, closing=closing))

    def _anchor(self, attributes: str, *, closing: bool) -> None:
        if not closing:
            found = _HREF.search(attributes)
            href = unescape(next(filter(None, found.groups()), "")) if found else ""
            self._links.append(self._link(href.strip()) if href else "")
            self._out.append("[" if self._links[-1] else "")
        elif self._links and (address := self._links.pop()):
            self._out.append(f"]({address})")

    def _mark(self, name: str, attributes: str, *, closing: bool) -> str:
        if name == "pre":
            self._pre = not closing
            return "\n```\n" if closing else "\n\n```\n"
        if name[0] == "h" and name[1:] in "123456" and len(name) == 2:
            return "\n\n" if closing else f"\n\n{'#' * int(name[1])} "
        if name in _BLOCKS:
            return "\n\n"
        if name == "code":
            return "" if self._pre else "`"
        if name == "img":
            found = _ALT.search(attributes)
            return unescape(found[1] or found[2] or "") if found else ""
        return "" if closing else _MARKS.get(name, "")


def _left_out(name: str, attributes: str) -> bool:
    if name in _UNENDED or attributes.endswith("/"):
        return False
    return name in _LEFT_OUT or bool(_HIDDEN.search(attributes))
