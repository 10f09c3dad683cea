"""The words of a text, for finding it again; pure.

Most scripts as whole words, without case and accents. Chinese, Japanese and Korean as overlapping
pairs of letters, which needs no dictionary: 数据库 is 数据, 据库 and, where it ends, 库. So any
stretch that somebody looks for is a row of such words. Each letter of theirs is a word of its own,
too, after all others: one letter is looked for often, and is the beginning of too many.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, groupby, islice
from operator import add
from typing import NamedTuple

from msgspec import Struct

QUERY_MOST = 200
_INDEXED_MOST = 6000  # of each text; PostgreSQL tells places up to 16,383
_WORD_MOST = 64
_PHRASES_MOST = 16
_OPEN_LEAST = 3  # two letters begin too many words
_BEFORE, _EXCERPT = 40, 200

_PAIRED = (
    "\u3005-\u3007\u3041-\u3096\u309d\u309e\u30a1-\u30fa\u30fc-\u30fe\u31f0-\u31ff\u3400-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
)
_MARKS = "\u0300-\u036f\u3099\u309a\uff9e\uff9f"
# Read with the first text that is not plain: the sets take 10 ms, of every start.
_compiled = cache(re.compile)
_RUN = f"((?:[{_PAIRED}][{_MARKS}]*)+)|(?:[^\\W_{_PAIRED}{_MARKS}][{_MARKS}]*)+"
_LETTER = f"[{_PAIRED}][{_MARKS}]*"
_PAIRED_LETTER = f"[{_PAIRED}]"
_PLAIN = re.compile("[a-z0-9]+")
_ACCENT = re.compile("[\u0300-\u036f]")
_BLANK = re.compile(r"\s+")
_NO_LETTER = re.compile(r"[\W_]")
_QUOTED = re.compile('["“”„「」『』]([^"“”„「」『』]*)["“”„「」『』]?|([^\\s"“”„「」『』]+)')


class Word(NamedTuple):
    """A word as it is looked for, and where it stands in its text."""

    text: str
    start: int
    end: int


class Phrase(Struct, frozen=True):
    """Words that must follow each other; of an `open` one the last may go on."""

    words: tuple[str, ...]
    open: bool = False

    @property
    def letter(self) -> bool:
        """Tell whether it is but a letter that has a word of its own in the index."""
        return self.open and len(self.words) == len(self.words[0]) == 1


class Piece(Struct, frozen=True):
    """A piece of an excerpt; `hit`: this is what was looked for."""

    text: str
    hit: bool = False


def indexed(texts: Iterable[str]) -> str:
    """Write the words of some texts, one space between them."""
    words = list(chain.from_iterable(islice(_every(text), _INDEXED_MOST) for text in texts))
    whole = "".join(words)
    letters = [] if whole.isascii() else sorted(set(_compiled(_PAIRED_LETTER).findall(whole)))
    return " ".join([*words, *letters])


def phrases(query: str) -> tuple[Phrase, ...]:
    """Read what somebody looks for: words, "words in a row", of the last maybe the beginning."""
    found: list[Phrase] = []
    query = query[:QUERY_MOST].rstrip()
    for match in _QUOTED.finditer(query):
        words = list(_words(match[1] or match[2] or ""))
        if not words:
            continue
        last = words[-1]
        single = _compiled(_PAIRED_LETTER).fullmatch(last.text) is not None
        if single and len(words) > 1 and last.start < words[-2].end:
            words.pop()  # the end of a pair, not a word that begins
            single = False
        goes_on = match[2] is not None and match.end() == len(query)
        spelled = tuple(word.text for word in words)
        found.append(Phrase(spelled, open=single or (goes_on and len(last.text) >= _OPEN_LEAST)))
    return tuple(found[:_PHRASES_MOST])


def excerpt(text: str, wanted: Sequence[Phrase]) -> tuple[Piece, ...]:
    """Cut a text around what was looked for; nothing where it is not there."""
    words = list(islice(_words(text), _INDEXED_MOST))
    spans = sorted(span for phrase in wanted for span in _places(words, phrase))
    if not spans:
        return ()
    begin = max(0, spans[0][0] - _BEFORE)
    end = min(len(text), begin + _EXCERPT)
    pieces, at = [Piece("…")] if begin else [], begin
    for start, stop in spans:
        if stop > at and start < end:
            pieces.append(Piece(text[at : max(at, start)]))
            pieces.append(Piece(text[max(at, start) : min(stop, end)], hit=True))
            at = min(stop, end)
    pieces.append(Piece(text[at:end] + ("…" if end < len(text) else "")))
    kinds = groupby((piece for piece in pieces if piece.text), key=lambda piece: piece.hit)
    return tuple(
        Piece(_BLANK.sub(" ", "".join(piece.text for piece in same)), hit) for hit, same in kinds
    )


def _every(text: str) -> Iterable[str]:
    if text.isascii():  # the same, sooner
        return [word[:_WORD_MOST] for word in _PLAIN.findall(text.lower())]
    return (word for run in _compiled(_RUN).finditer(text) for word in _spelled(run))


def _words(text: str) -> Iterator[Word]:
    for run in _compiled(_RUN).finditer(text):
        starts, (_, end) = [run.start()], run.span()
        if run[1] is not None:
            starts = [letter.start() for letter in _compiled(_LETTER).finditer(text, *run.span())]
        # A pair ends where the letter after it begins; the last letter stands alone.
        ends = [*starts[2:], end, end]
        yield from map(Word, _spelled(run), starts, ends)


def _spelled(run: re.Match[str]) -> list[str]:
    if run[1] is not None:
        letters = _folded(run[0])
        return [*map(add, letters, letters[1:]), letters[-1]]
    # What a sign stands for may have more in it than letters: of ㎧ the stroke goes.
    word = run[0].lower() if run[0].isascii() else _NO_LETTER.sub("", _folded(run[0]))
    return [word[:_WORD_MOST]] if word else []


def _folded(word: str) -> str:
    plain = _ACCENT.sub("", unicodedata.normalize("NFKD", word).casefold())
    return unicodedata.normalize("NFC", plain)


def _places(words: Sequence[Word], phrase: Phrase) -> Iterator[tuple[int, int]]:
    """Find where a phrase stands, from its first letter to its last."""
    *whole, last = phrase.words
    for index, end in enumerate(words[len(whole) :]):
        if end.text == last:
            stop = end.end
        elif phrase.open and end.text.startswith(last):
            stop = min(end.end, end.start + len(last))
        else:
            continue
        if whole == [word.text for word in words[index : index + len(whole)]]:
            yield words[index].start, stop
