"""What msgspec says of a value that does not fit, told in the reader's language. Pure."""

import re

from clawdbot.domain.text import say

# The first that fits: later ones are wider.
_SENTENCES = (
    "Expected `{kind}`, got `{got}`",
    "Expected `{kind}` of length {bound}",
    "Expected `{kind}` matching regex {pattern}",
    "Expected `{kind}` that's a multiple of {number}",
    "Expected `{kind}` {bound}",
    "Object missing required field `{name}`",
    "Object contains unknown field `{name}`",
    "Invalid enum value {got}",
    "Invalid value {got}",
    "Invalid RFC3339 encoded datetime",
    "Integer value out of range",
    "Number out of range",
    "Input data was truncated",
    "JSON is malformed: {why}",
)
_NAMED = re.compile(r"\\{(\w+)\\}")


def told(language: str, text: str) -> str:
    """Tell it in a language; what is no such sentence stays as it is."""
    sentence, mark, place = text.partition(" - at `")
    for english in _SENTENCES:
        pattern = _NAMED.sub(r"(?P<\1>.+)", re.escape(english))
        if found := re.fullmatch(pattern, sentence, re.DOTALL):
            words = say(language, english, **found.groupdict())
            if not mark:
                return words
            return say(language, "{words} - at `{place}`", words=words, place=place[:-1])
    return text
