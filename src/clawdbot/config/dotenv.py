"""The lines of a `.env` file: `[export ]NAME=value`, quotes and comments as in a shell.

Nothing in a value is substituted or run, and a name stands once.
"""

import re
from collections.abc import Collection

from clawdbot.config.problems import Problems

_NAME = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*")
_QUOTED = {
    "'": re.compile(r"'([^']*)'\s*(?:#.*)?"),
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?'),
}


def parse(text: str, file: str, problems: Problems) -> dict[str, str]:
    """Read the text; lines that cannot be read go to the problems."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{file}:{number}"
        if not (line := line.strip()) or line.startswith("#"):
            continue
        name, value = _split(line)
        if value is None:
            problems.say(where, "expected NAME=value")
        elif name in values:
            problems.say(where, "{key}: written twice", key=name)
        else:
            values[name] = value
    return values


def without(text: str, names: Collection[str]) -> str:
    """Give the text without the lines that set these names, every other line as it was."""
    lines = text.split("\n")
    return "\n".join(line for line in lines if _split(line.strip())[0] not in names)


def _split(line: str) -> tuple[str, str | None]:
    """Part a line into its name and value; None for the value where it is not such a line."""
    left, equals, right = line.partition("=")
    name = _NAME.fullmatch(left)
    if not name or not equals:
        return "", None
    quote = right.lstrip()[:1]
    if quote not in _QUOTED:
        return name[1], re.split(r"\s#", right, maxsplit=1)[0].strip()
    found = _QUOTED[quote].fullmatch(right.strip())
    if not found:
        return name[1], None
    return name[1], found[1] if quote == "'" else re.sub(r'\\(["\\$`])', r"\1", found[1])
