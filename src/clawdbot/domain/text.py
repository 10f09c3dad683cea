"""Every sentence a user reads, in their language; English is the key, other languages a catalogue.

Catalogues are package data in GNU gettext's format (`locale/<language>/LC_MESSAGES/clawdbot.mo`).
"""

import gettext
import re
from functools import cache
from importlib.resources import files

LANGUAGES = {"en": "English", "zh": "中文"}

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
_WORDS_LEAST = 3
_FOLDERS = {"zh": "zh_CN"}


def say(language: str, english: str, /, **values: object) -> str:
    """Give the sentence in a language (English where unknown), its `{names}` filled in."""
    # The catalogue's entry for nothing is its own header.
    found = english if language == "en" or not english else _catalogue(language).gettext(english)
    return found.format(**values) if values else found


def told(language: str, text: str) -> str:
    """Give a sentence of ours in a language, also where it stands behind places (`host: ...`)."""
    known = say(language, text)
    place, mark, sentence = text.partition(": ")
    return f"{place}: {told(language, sentence)}" if mark and known == text else known


def language_of(tag: str) -> str:
    """Map a language tag (BCP 47 or POSIX: `zh-Hans-CN`, `zh_CN.UTF-8`) to one of ours."""
    return "zh" if tag.lower().startswith("zh") else "en"


def spoken(words: str, default: str) -> str:
    """Tell in which of our languages somebody wrote; the default where it could be either."""
    if _HAN.search(words):
        return "zh"
    plain = not words.startswith("/") and len(_LATIN_WORD.findall(words)) >= _WORDS_LEAST
    return "en" if plain else default


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    folder = str(files("clawdbot") / "locale")
    return gettext.translation("clawdbot", folder, [_FOLDERS.get(language, "en")], fallback=True)
