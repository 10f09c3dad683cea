"""What may stand in a log, and how a line of it reads; pure.

Nothing that came from outside can break a line, colour a terminal or show a known secret.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

import msgspec

from clawdbot.domain.secret import Secret

FILE = "logs/clawdbot.log"
LEVELS = ("debug", "info", "warning", "error", "critical")

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SHORTEST = 4  # a shorter secret is no secret, and masking it would blacken every line
_LONGEST = 4000
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31;1m"}


def neutral(text: str) -> str:
    """Write control, direction and zero-width characters as visible escapes."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Redactor:
    """Replaces known secret texts, in the spellings that addresses and dumps give them."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._known: set[str] = set()
        self._pattern = re.compile("(?!)")
        self.learn(*secrets)

    def learn(self, *secrets: Secret) -> None:
        """Know more secrets from now on."""
        for text in (secret.reveal() for secret in secrets):
            if len(text) >= _SHORTEST:
                self._known |= {text, quote(text), quote(text, safe=""), repr(text)[1:-1]}
        if self._known:
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        """Give the text with every known secret, and every password in an address, masked."""
        return _PASSWORD.sub("****", self._pattern.sub("****", text))


def cleaned(value: object, redact: Redactor) -> object:
    """Make a value fit for a log: masked, on one line, of bounded length."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {
                str(cleaned(str(key), redact)): cleaned(below, redact)
                for key, below in value.items()
            }
        case list() | tuple():
            return [cleaned(item, redact) for item in value]
        case _:
            text = redact(str(value))
            return neutral(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def human(event: Mapping[str, object], *, colour: bool = False) -> str:
    """Write an event for a person: a line, and a few more where an exception belongs to it."""
    rest = dict(event)
    at, level, said = (neutral(str(rest.pop(key, ""))) for key in ("at", "level", "event"))
    trace = msgspec.convert(rest.pop("exception", []), list[str])
    words = (neutral(f"{key}={value}") for key, value in rest.items())
    lines = [" ".join([at[:19].replace("T", " "), f"{level:<8}", said, *words])]
    text = "\n".join([*lines, *(f"    {neutral(line)}" for line in trace)])
    return f"{_COLOURS[level]}{text}\x1b[0m" if colour and level in _COLOURS else text
