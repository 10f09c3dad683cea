"""YAML text as a tree of texts that know their lines; what a text means is for its type to say.

Refuses what settings do not need: aliases, tags, repeated keys, several documents, depth.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from clawdbot.config.problems import Problems

DEPTH = 16

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class Node:
    """A text, a list or a mapping, and the place where it was written."""

    value: "str | list[Node] | Mapping"
    where: str


Mapping = dict[str, Node]


def parse(text: str, file: str, problems: Problems) -> Mapping:
    """Read a file's text; what is wrong goes to the problems."""
    try:
        return _Reader(text, file, problems).document()
    except _StopError:
        pass
    except yaml.MarkedYAMLError as error:
        # The library's own words would quote the line, and a secret may stand there.
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.say(f"{file}:{line}", "not valid YAML")
    except yaml.YAMLError:
        problems.say(file, "control characters are not allowed")
    return {}


class _StopError(Exception):
    """This file has YAML that is not for settings, and that has been told."""


class _Reader:
    """One pass over the parser's events; lazy, so that a bomb is refused before it is read."""

    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=_LOADER))
        self._file = file
        self._problems = problems

    def document(self) -> Mapping:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return {}
        node = self._node(next(self._events), 1)
        next(self._events)
        if not isinstance(more := next(self._events), yaml.StreamEndEvent):
            self._problems.say(self._place(more), "only one YAML document is allowed")
            raise _StopError
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self._problems.say(node.where, "expected keys with values")
            raise _StopError
        return node.value

    def _place(self, event: yaml.Event) -> str:
        return f"{self._file}:{event.start_mark.line + 1 if event.start_mark else 1}"

    def _node(self, event: yaml.Event, depth: int) -> Node | None:
        """Build from an event; None where nothing is written (`key:`, `~`, `null`)."""
        where = self._place(event)
        if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) or event.anchor:
            self._problems.say(where, "anchors and aliases are not allowed")
            raise _StopError
        if event.tag:
            self._problems.say(where, "tags are not allowed")
            raise _StopError
        if depth > DEPTH:
            self._problems.say(where, "nested too deeply")
            raise _StopError
        if isinstance(event, yaml.ScalarEvent):
            nothing = not event.style and event.value in {"", "~", "null"}
            return None if nothing else Node(event.value, where)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(list(self._items(depth + 1)), where)
        return Node(self._pairs(depth + 1), where)

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth) or Node("", self._place(event))

    def _pairs(self, depth: int) -> Mapping:
        pairs: Mapping = {}
        first: dict[str, str] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            where = self._place(event)
            if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:
                self._problems.say(where, "a key must be a plain text")
                raise _StopError
            key = event.value
            node = self._node(next(self._events), depth)
            if key in first:
                self._problems.say(
                    where, "{key}: written twice, first at {first}", key=key, first=first[key]
                )
            elif node:
                pairs[key] = Node(node.value, where)
            first.setdefault(key, where)
        return pairs
