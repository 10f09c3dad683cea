"""Cut a text into pieces that a platform takes; pure.

A piece ends at the best border of its second half: paragraph, line, sentence, word; where there is
none, between two characters as a reader sees them. Code that goes on is closed, and opened again
in the next piece. White space that would stand alone is dropped; but for that and for the repeated
fences, the pieces joined are the text.
"""

import re
import unicodedata
from bisect import bisect_right
from typing import NamedTuple

from clawdbot.domain.caps import Unit
from clawdbot.domain.markup import FENCE

STUB_MAX = 48

_BORDERS = (
    re.compile(r"\n[^\S\n]*\n\s*"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…])[\"')\]]*\s+|(?<=[。！？；])[”’」』）]*\s*"),
    re.compile(r"\s+"),
)
_CHARACTER_MAX = 32
_JOINER = "\u200d"


class _Fence(NamedTuple):
    """A line that opens code or, without `opener`, closes it; no piece ends before `whole`."""

    start: int
    end: int
    mark: str
    opener: str

    @property
    def whole(self) -> int:
        return self.end + 2 if self.opener else self.end


def cut(text: str, text_max: int, unit: Unit) -> list[str]:
    """Split a text into pieces of at most `text_max` (16 or more) units; a blank one has none."""
    fences = _fences(text, text_max // 4)
    spare = max((len(fence.mark) + 1 for fence in fences), default=0)
    pieces: list[str] = []
    start, head = 0, ""
    while start < len(text):
        room = text_max - size(head, unit)
        end = _fit(text, start, room, unit)
        tail, following = "", ""
        if end < len(text):
            end = _border(text, start, _fit(text, start, room - spare, unit))
            end = next((f.start for f in fences if start < f.start < end < f.whole), end)
            fence = next((f for f in reversed(fences) if f.end <= end), None)
            if fence and fence.opener:
                tail = fence.mark if text[end - 1] == "\n" else f"\n{fence.mark}"
                following = f"{fence.opener}\n"
        if text[start:end].strip():
            pieces.append(head + text[start:end] + tail)
        start, head = end, following
    return pieces


def size(text: str, unit: Unit) -> int:
    """Measure a text in a platform's unit."""
    match unit:
        case Unit.UTF16:
            return len(text.encode("utf-16-le", "surrogatepass")) // 2
        case Unit.BYTE:
            return len(text.encode("utf-8", "surrogatepass"))
        case Unit.CODEPOINT:
            return len(text)


def stub(text: str) -> str:
    """Give the first words and an ellipsis: what stands there until the text does, and less."""
    plain = re.sub(r"[*`]+|^[#>\s]+", "", text[: 4 * STUB_MAX], flags=re.MULTILINE)
    words = " ".join(plain.split()).rstrip(" …")
    head = words[: STUB_MAX + 1].rpartition(" ")[0]
    if len(words) > STUB_MAX and len(head) < STUB_MAX // 2:  # a script without spaces
        head = words[: _between(words, 0, STUB_MAX)]
    return f"{head} …" if head else "…"


def _fences(text: str, longest: int) -> list[_Fence]:
    found: list[_Fence] = []
    mark = ""
    for match in FENCE.finditer(text):
        if not mark and len(match[1]) <= longest:
            mark = match[1]
            line = mark + match[2].rstrip()
            opener = line if size(line, Unit.BYTE) <= longest else mark
            found.append(_Fence(match.start(), match.end(), mark, opener))
        elif mark and match[1].startswith(mark) and not match[2].strip():
            found.append(_Fence(match.start(), match.end(), mark, ""))
            mark = ""
    return found


def _fit(text: str, start: int, room: int, unit: Unit) -> int:
    if len(text) - start <= room and size(text[start:], unit) <= room:
        return len(text)
    ends = range(start + 1, min(len(text), start + room) + 1)
    return start + max(1, bisect_right(ends, room, key=lambda end: size(text[start:end], unit)))


def _border(text: str, start: int, end: int) -> int:
    half = start + (end - start) // 2
    for border in _BORDERS:
        found = [m.end() for m in border.finditer(text, half, end + 1) if half < m.start() <= end]
        if found:
            return min(found[-1], end)
    return _between(text, start, end)


def _between(text: str, start: int, end: int) -> int:
    for at in range(end, max(start, end - _CHARACTER_MAX), -1):
        if not _joined(text, at):
            return at
    return end


def _joined(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if _is_flag(before) and _is_flag(after):
        letters = at
        while letters and _is_flag(text[letters - 1]):
            letters -= 1
        return (at - letters) % 2 == 1
    return (
        _JOINER in (before, after)
        or unicodedata.category(after).startswith("M")
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # tags of flags
        or before + after == "\r\n"
    )


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
