"""Read the Markdown that models write, for platforms with a markup of their own; pure.

Every character that is not markup stays where it is: spaces, list marks, HTML, and what only looks
like markup (`2**3*4`, `__init__`, `**/*.py`). Styles nest properly, and the text never grows.
"""

import re
from enum import StrEnum

from msgspec import Struct, field

FENCE = re.compile(r"^[^\S\n]*(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)

_HEADING = re.compile(r" {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$")
_QUOTE = re.compile(r" {0,3}> ?")
_RULER = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_APART = re.compile(r"\s*$|\s*(?:```|~~~|[-*+]\s|\d+[.)]\s)| {0,3}(?:>|#{1,6}\s)")
_INLINE = re.compile(
    r"\\(?P<escaped>[\\`*_~\[\]#>|])"
    r"|(?<!`)(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|!?\[(?P<label>[^\[\]]+)\]\(\s*<?(?P<address>(?:https?://|mailto:)[^\s<>()]*"
    r"(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+\"[^\"\n]*\")?\s*\)"
    r"|<(?P<bare>(?:https?://|mailto:)[^\s<>]+)>"
    r"|(?P<run>\*+|~~|(?<!_)_(?!_))",
    re.DOTALL,
)
_WAITING_MAX = 50  # how many unfinished marks are looked through for a partner


class Style(StrEnum):
    """What can be shown."""

    BOLD = "bold"
    ITALIC = "italic"
    STRIKE = "strike"
    CODE = "code"
    BLOCK = "block"
    LINK = "link"
    QUOTE = "quote"


class Begin(Struct, frozen=True):
    """A style begins; `detail` is a link's address or the language of a block of code."""

    style: Style
    detail: str = ""


class End(Struct, frozen=True):
    """The style that began last ends; `detail` is the same as where it began."""

    style: Style
    detail: str = ""


Piece = str | Begin | End


def parse(text: str) -> list[Piece]:
    """Read a Markdown text, finished or not, as visible text between beginnings and ends."""
    lines = text.split("\n")
    pieces: list[Piece] = []
    at = 0
    while at < len(lines):
        if at:
            pieces.append("\n")
        block, at = _block(lines, at)
        pieces += block
    return pieces


class _Run(Struct):
    """Marks of emphasis in a row: those that found no partner stay visible."""

    mark: str
    count: int
    opens: bool
    closes: bool
    ends: list[Piece] = field(default_factory=list)
    begins: list[Piece] = field(default_factory=list)

    def pairs(self, closer: "_Run") -> bool:
        """Tell whether the two are a pair: a double mark is not two single ones."""
        return self.mark == closer.mark and {1, 2} != {self.count, closer.count}


def _block(lines: list[str], at: int) -> tuple[list[Piece], int]:
    if opening := FENCE.match(lines[at]):
        return _code(lines, at, opening)
    end = at + 1
    if _is_table(lines, at):
        while end < len(lines) and "|" in lines[end]:
            end += 1
        return [Begin(Style.BLOCK), "\n".join(lines[at:end]), End(Style.BLOCK)], end
    if _QUOTE.match(lines[at]):
        while end < len(lines) and _QUOTE.match(lines[end]):
            end += 1
        said = "\n".join(_QUOTE.sub("", line, count=1) for line in lines[at:end])
        return [Begin(Style.QUOTE), *_inline(said), End(Style.QUOTE)], end
    if heading := _HEADING.match(lines[at]):
        title = [p for p in _inline(heading[1]) if isinstance(p, str) or p.style != Style.BOLD]
        return [Begin(Style.BOLD), *title, End(Style.BOLD)], end
    while end < len(lines) and not _APART.match(lines[end]) and not _is_table(lines, end):
        end += 1
    return _inline("\n".join(lines[at:end])), end


def _code(lines: list[str], at: int, opening: re.Match[str]) -> tuple[list[Piece], int]:
    mark, info = opening[1], opening[2].split()
    indent = opening.start(1)
    end = at + 1
    while end < len(lines):
        closing = FENCE.match(lines[end])
        if closing and closing[1].startswith(mark) and not closing[2].strip():
            break
        end += 1
    code = [line[min(indent, len(line) - len(line.lstrip())) :] for line in lines[at + 1 : end]]
    language = info[0] if info else ""
    begin, final = Begin(Style.BLOCK, language), End(Style.BLOCK, language)
    return [begin, "\n".join(code), final], end + 1


def _is_table(lines: list[str], at: int) -> bool:
    following = lines[at + 1] if at + 1 < len(lines) else ""
    return "|" in lines[at] and "|" in following and _RULER.match(following) is not None


def _inline(text: str) -> list[Piece]:
    items: list[Piece | _Run] = []
    at = 0
    for match in _INLINE.finditer(text):
        items.append(text[at : match.start()])
        at = match.end()
        if match["run"]:
            items.append(_run(match))
        elif match["code"]:
            items += [Begin(Style.CODE), match["code"], End(Style.CODE)]
        elif match["label"]:
            address = match["address"]
            items += [
                Begin(Style.LINK, address),
                *_inline(match["label"]),
                End(Style.LINK, address),
            ]
        else:
            items.append(match["escaped"] or match["bare"])
    items.append(text[at:])
    _pair([item for item in items if isinstance(item, _Run)])
    pieces: list[Piece] = []
    for item in items:
        if isinstance(item, _Run):
            pieces += [*item.ends, item.mark * item.count, *item.begins]
        else:
            pieces.append(item)
    return pieces


def _run(match: re.Match[str]) -> _Run:
    before = match.string[match.start() - 1 : match.start()] or " "
    after = match.string[match.end() : match.end() + 1] or " "
    mark = match["run"][0]
    count = len(match["run"])
    # Marks inside a word or a path are none; only a double one may end before a letter (**API**s).
    ends_well = not _is_word(after, mark) or (count > 1 and not after.isdigit())
    return _Run(
        mark,
        count,
        opens=not after.isspace() and not _is_word(before, mark),
        closes=not before.isspace() and ends_well,
    )


def _is_word(character: str, mark: str) -> bool:
    return character == "/" or (character.isalnum() and (mark == "_" or character.isascii()))


def _pair(runs: list[_Run]) -> None:
    waiting: list[_Run] = []
    for run in runs:
        while run.closes and run.count:
            back = range(len(waiting) - 1, max(-1, len(waiting) - 1 - _WAITING_MAX), -1)
            found = next((n for n in back if waiting[n].pairs(run)), None)
            if found is None:
                break
            opener = waiting[found]
            double = run.count > 1 and opener.count > 1
            style = Style.BOLD if double else Style.ITALIC
            if run.mark == "~":
                style = Style.STRIKE
            opener.begins.insert(0, Begin(style))
            run.ends.append(End(style))
            opener.count -= 1 + double
            run.count -= 1 + double
            del waiting[found + (opener.count > 0) :]
        if run.opens and run.count:
            waiting.append(run)
