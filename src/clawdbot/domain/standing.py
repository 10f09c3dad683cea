"""A standing yes or no: for a tool, where its arguments fit a pattern, until it ends. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from clawdbot.domain.approval import canonical, written
from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.origin import place_of

ANYTHING = "*"
# In place of an argument's name: all arguments, as JSON, and no others.
EXACTLY = "="


class Standing(Struct, frozen=True, kw_only=True):
    """What somebody answered in advance; `pattern` names an argument's value, `*` for any.

    `=` names all of a call's arguments at once. A URL's pattern may be an origin
    (`https://a.example`), a path's a folder (it ends in `/`).
    """

    id: str
    tool: str
    pattern: Mapping[str, str]


def covers(
    standing: Standing, tool: str, sinks: tuple[Sink, ...], arguments: Mapping[str, object]
) -> bool:
    """Tell whether a standing yes is for this call: every target of it fits the pattern."""
    if standing.tool != tool:
        return False
    if EXACTLY in standing.pattern:
        return standing.pattern[EXACTLY] == canonical(arguments)
    kinds = {sink.argument: sink.kind for sink in sinks}
    return all(
        _fits(standing.pattern.get(name, ""), kinds.get(name), arguments.get(name, ""))
        for name in {*kinds, *standing.pattern}
    )


def refuses(
    standing: Standing, tool: str, sinks: tuple[Sink, ...], arguments: Mapping[str, object]
) -> bool:
    """Tell whether a standing no is for this call: all that it names is there, whatever else is."""
    if standing.tool != tool:
        return False
    if EXACTLY in standing.pattern:
        return standing.pattern[EXACTLY] == canonical(arguments)
    kinds = {sink.argument: sink.kind for sink in sinks}
    return all(
        _touches(pattern, kinds.get(name), arguments.get(name, ""))
        for name, pattern in standing.pattern.items()
    )


def _touches(pattern: str, kind: SinkKind | None, value: object) -> bool:
    """Tell whether a value, or one of several, is what was refused; a path that turns may be."""
    if isinstance(value, list | tuple) and kind is not SinkKind.COMMAND:
        return any(_touches(pattern, kind, one) for one in value) or _fits(pattern, kind, value)
    turns = kind is SinkKind.PATH and ".." in str(value).split("/")
    return turns or _fits(pattern, kind, value)


def _fits(pattern: str, kind: SinkKind | None, value: object) -> bool:
    if pattern in {ANYTHING, written(value)}:
        return True
    if isinstance(value, list | tuple) and kind is not SinkKind.COMMAND:
        return all(_fits(pattern, kind, one) for one in value)
    words = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if kind is SinkKind.URL and pattern.count("/") == 2 and place_of(words) == pattern.lower():
        return True
    if kind is SinkKind.PATH and pattern.endswith("/") and ".." not in words.split("/"):
        return words.startswith(pattern)
    return words == pattern
