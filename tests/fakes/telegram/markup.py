"""Telegram's markup, strictly: HTML, MarkdownV2 and legacy Markdown become text and entities.

What Telegram refuses raises `BadMarkup` with Telegram's words. Offsets count UTF-16 units.
"""

import re
from html import unescape

import msgspec


class Entity(msgspec.Struct, omit_defaults=True):
    """One MessageEntity."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None
    custom_emoji_id: str | None = None


class BadMarkup(Exception):  # noqa: N818 - reads as the sentence it is
    """The markup is not what Telegram accepts."""


HTML_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_TAG_NAME = re.compile(r"<(/?)([^\s>]*)")
_ATTRIBUTE = re.compile(r"""\s*([^\s=>]+)\s*(?:=\s*(?:"([^"]*)"|'([^']*)'|([\w.\-]+)))?""")
_REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")
_LANGUAGE = re.compile(r"[^\s`]+(?=[\s])")
_RESERVED = "_*[]()~`>#+-=|{}.!"
_NAMES = {"text_link": "TextUrl", "custom_emoji": "CustomEmoji", "blockquote": "BlockQuote"}


def utf16(text: str) -> int:
    """Count UTF-16 units, Telegram's measure."""
    return len(text) + sum(character > "\uffff" for character in text)


def parse(text: str, mode: str) -> tuple[str, list[Entity]]:
    """Return the text as a user sees it, and its entities."""
    match mode.lower():
        case "html":
            parser: _Parser = _Html(text)
        case "markdownv2":
            parser = _MarkdownV2(text)
        case "markdown":
            parser = _Markdown(text)
        case "" | "none":
            return text, []
        case _:
            raise BadMarkup("unsupported parse_mode")
    try:
        parser.run()
    except BadMarkup as error:
        raise BadMarkup(f"can't parse entities: {error}") from error
    return "".join(parser.out), sorted(parser.entities, key=lambda e: (e.offset, -e.length))


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out: list[str] = []
        self.units = 0
        self.entities: list[Entity] = []

    def run(self) -> None:
        raise NotImplementedError

    def write(self, text: str) -> None:
        self.out.append(text)
        self.units += utf16(text)

    def byte(self, at: int) -> int:
        return len(self.source[:at].encode())

    def ahead(self, token: str) -> bool:
        return self.source.startswith(token, self.at)

    def keep(self, entity: Entity) -> None:
        entity.length = self.units - entity.offset
        if entity.length > 0 and not (entity.type == "text_link" and not entity.url):
            self.entities.append(entity)


class _Html(_Parser):
    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.open: list[tuple[str, Entity]] = []

    def run(self) -> None:
        while self.at < len(self.source):
            if self.ahead("<"):
                self._tag()
            elif found := _REFERENCE.match(self.source, self.at):
                self.write(unescape(found[0]))
                self.at = found.end()
            else:
                self.write(self.source[self.at])
                self.at += 1
        if self.open:
            name = self.open[-1][0]
            raise BadMarkup(f'Can\'t find end tag corresponding to start tag "{name}"')

    def _tag(self) -> None:
        begin = self.at
        found = _TAG_NAME.match(self.source, begin)
        if found is None:
            raise BadMarkup(f"Unclosed start tag at byte offset {self.byte(begin)}")
        closing, name = found[1], found[2].lower()
        self.at = found.end()
        if closing:
            self._close(name, begin)
            return
        if name not in HTML_TAGS:
            raise BadMarkup(f'Unsupported start tag "{name}" at byte offset {self.byte(begin)}')
        attributes = self._attributes(begin)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise BadMarkup(
                f'Tag "span" must have class "tg-spoiler" at byte offset {self.byte(begin)}'
            )
        self.open.append((name, self._entity(name, attributes)))

    def _entity(self, name: str, attributes: dict[str, str]) -> Entity:
        entity = Entity(HTML_TAGS[name], self.units, 0)
        match name:
            case "a":
                entity.url = attributes.get("href", "")
            case "tg-emoji":
                entity.custom_emoji_id = attributes.get("emoji-id", "")
            case "code" if attributes.get("class", "").startswith("language-"):
                entity.language = attributes["class"].removeprefix("language-")
            case "blockquote" if "expandable" in attributes:
                entity.type = "expandable_blockquote"
            case _:
                pass
        return entity

    def _attributes(self, begin: int) -> dict[str, str]:
        attributes: dict[str, str] = {}
        while True:
            while self.at < len(self.source) and self.source[self.at].isspace():
                self.at += 1
            if self.ahead(">"):
                self.at += 1
                return attributes
            found = _ATTRIBUTE.match(self.source, self.at)
            if found is None:
                raise BadMarkup(f"Unclosed start tag at byte offset {self.byte(begin)}")
            attributes[found[1].lower()] = unescape(found[2] or found[3] or found[4] or "")
            self.at = found.end()

    def _close(self, name: str, begin: int) -> None:
        offset = self.byte(begin)
        if not self.open:
            raise BadMarkup(f"Unexpected end tag at byte offset {offset}")
        while self.at < len(self.source) and self.source[self.at].isspace():
            self.at += 1
        if not self.ahead(">"):
            raise BadMarkup(f"Unclosed end tag at byte offset {offset}")
        self.at += 1
        opened, entity = self.open.pop()
        if name not in ("", opened):
            raise BadMarkup(
                f'Unmatched end tag at byte offset {offset}, expected "</{opened}>",'
                f' found "</{name}>"'
            )
        self._finish(opened, entity)

    def _finish(self, name: str, entity: Entity) -> None:
        if name == "tg-emoji" and not (entity.custom_emoji_id or "").isdigit():
            raise BadMarkup("Invalid custom emoji identifier specified")
        self.keep(entity)
        kept = self.entities[-1:] == [entity]
        if name == "pre" and kept and len(self.entities) > 1:
            inner = self.entities[-2]
            same = (inner.offset, inner.length) == (entity.offset, entity.length)
            if inner.type == "code" and inner.language and same:
                entity.language = inner.language
                del self.entities[-2]
        if name == "pre" and kept:
            for each in self.entities:
                if each.type == "code":
                    each.language = None


class _MarkdownV2(_Parser):
    MARKS = {  # noqa: RUF012 - a constant of a private class
        "**": "bold",
        "__": "underline",
        "||": "spoiler",
        "*": "bold",
        "_": "italic",
        "~": "strikethrough",
        "```": "pre",
        "`": "code",
        "![": "custom_emoji",
        "[": "text_link",
    }

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.open: list[tuple[str, int, Entity]] = []
        self.quote: Entity | None = None

    def run(self) -> None:
        while self.at < len(self.source):
            self._step()
        if self.open:
            self._unfinished()
        if self.quote is not None:
            self.keep(self.quote)

    def _step(self) -> None:
        character = self.source[self.at]
        following = self.source[self.at + 1 : self.at + 2]
        inside = self.open[-1][2].type if self.open else ""
        if character == "\\" and following and following <= "~":
            self.write(following)
            self.at += 2
        elif inside in ("code", "pre"):
            self._verbatim(character)
        elif character == "\n" or (character == ">" and self.at == 0):
            self._line(character)
        elif character in _RESERVED:
            self._mark(character)
        else:
            self.write(character)
            self.at += 1

    def _verbatim(self, character: str) -> None:
        mark = self.open[-1][0]
        if self.ahead(mark):
            self._end(mark)
        elif character == "`":
            raise self._reserved(character)
        else:
            self.write(character)
            self.at += 1

    def _line(self, character: str) -> None:
        if character == "\n":
            self.write("\n")
            self.at += 1
        if self.ahead(">"):
            self.at += 1
            self.quote = self.quote or Entity("blockquote", self.units, 0)
        elif self.quote is not None:
            if self.open:
                self._unfinished()
            self.keep(self.quote)
            self.quote = None

    def _mark(self, character: str) -> None:
        if self.open:
            mark = self.open[-1][0]
            closing = "]" if mark in ("[", "![") else mark
            if self.ahead(closing) and not (closing == "_" and self.ahead("__")):
                self._end(mark)
                return
        for mark, kind in self.MARKS.items():
            if mark != "**" and self.ahead(mark) and not (mark == "`" and self.ahead("```")):
                self.open.append((mark, self.at, Entity(kind, self.units, 0)))
                self.at += len(mark)
                if mark == "```":
                    self._language()
                return
        raise self._reserved(character)

    def _language(self) -> None:
        if found := _LANGUAGE.match(self.source, self.at):
            self.open[-1][2].language = found[0]
            self.at = found.end()
        self.at += 1 if self.ahead("\n") else 0

    def _end(self, mark: str) -> None:
        entity = self.open.pop()[2]
        self.at += 1 if mark in ("[", "![") else len(mark)
        if mark in ("[", "!["):
            url = self._url()
            if mark == "[":
                entity.url = url or self._since(entity.offset)
            elif not url.startswith("tg://emoji?id="):
                raise BadMarkup("Custom emoji entity must contain a tg://emoji URL")
            else:
                entity.custom_emoji_id = url.removeprefix("tg://emoji?id=")
        self.keep(entity)

    def _url(self) -> str:
        if not self.ahead("("):
            return ""
        begin = self.at + 1
        url = ""
        self.at = begin
        while self.at < len(self.source) and not self.ahead(")"):
            self.at += 1 if self.ahead("\\") else 0
            url += self.source[self.at : self.at + 1]
            self.at += 1
        if not self.ahead(")"):
            raise BadMarkup(f"Can't find end of a URL at byte offset {self.byte(begin)}")
        self.at += 1
        return url

    def _since(self, offset: int) -> str:
        encoded = "".join(self.out).encode("utf-16-le")
        return encoded[offset * 2 :].decode("utf-16-le")

    def _reserved(self, character: str) -> BadMarkup:
        return BadMarkup(
            f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
        )

    def _unfinished(self) -> None:
        _, begin, entity = self.open[-1]
        name = _NAMES.get(entity.type, entity.type.capitalize())
        if entity.type == "pre" and entity.language:
            name = "PreCode"
        raise BadMarkup(f"Can't find end of {name} entity at byte offset {self.byte(begin)}")


class _Markdown(_Parser):
    KINDS = {"_": "italic", "*": "bold", "`": "code", "```": "pre", "[": "text_link"}  # noqa: RUF012 - a constant of a private class

    def run(self) -> None:
        while self.at < len(self.source):
            character = self.source[self.at]
            following = self.source[self.at + 1 : self.at + 2]
            if character == "\\" and following and following in "_*`[":
                self.write(following)
                self.at += 2
            elif character in "_*`[":
                self._entity("```" if self.ahead("```") else character)
            else:
                self.write(character)
                self.at += 1

    def _entity(self, mark: str) -> None:
        begin = self.at
        entity = Entity(self.KINDS[mark], self.units, 0)
        self.at += len(mark)
        if mark == "```":
            if found := _LANGUAGE.match(self.source, self.at):
                entity.language = found[0]
                self.at = found.end()
            self.at += 1 if self.ahead("\n") else 0
        end = self.source.find("]" if mark == "[" else mark, self.at)
        if end < 0:
            raise BadMarkup(
                f"Can't find end of the entity starting at byte offset {self.byte(begin)}"
            )
        inner = self.source[self.at : end]
        self.write(inner)
        self.at = end + (1 if mark == "[" else len(mark))
        if mark == "[":
            entity.url = inner
            if self.ahead("("):
                close = self.source.find(")", self.at)
                close = len(self.source) if close < 0 else close
                entity.url = self.source[self.at + 1 : close]
                self.at = close + 1
        self.keep(entity)
