"""YAML text as a tree of texts that know their lines; what a text means is for its type to say.

Refuses what settings do not need: aliases, tags, repeated keys, several documents, depth.
"""

from collections.abc import Iterable, Iterator

import yaml
from msgspec import Struct

from clawdbot.config.problems import Problems

DEPTH = 16

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class Node(Struct, frozen=True):
    """A text, a list or a mapping, and the place where it was written."""

    value: "str | list[Node] | Mapping"
    where: str


Mapping = dict[str, Node]


def parse(text: str, file: str, problems: Problems) -> Mapping:
    """Read a file's text; what is wrong goes to the problems."""
    try:
        # Before anything is built, so that a bomb is refused before it is read.
        for event, english in _refused(yaml.parse(text, Loader=_LOADER)):
            problems.say(_place(file, event), english)
            return {}
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        # The library's own words would quote the line, and a secret may stand there.
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.say(f"{file}:{line}", "not valid YAML")
        return {}
    except yaml.YAMLError:
        problems.say(file, "control characters are not allowed")
        return {}
    node = _node(root, file, problems) if root else None
    if node and not isinstance(node.value, dict):
        problems.say(node.where, "expected keys with values")
    return node.value if node and isinstance(node.value, dict) else {}


def _refused(events: Iterable[yaml.Event]) -> Iterator[tuple[yaml.Event, str]]:
    """Find what has no place in settings."""
    depth = documents = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if isinstance(event, yaml.NodeEvent) and event.anchor:
            yield event, "anchors and aliases are not allowed"
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            yield event, "tags are not allowed"
        elif depth > DEPTH:
            yield event, "nested too deeply"
        elif documents > 1:
            yield event, "only one YAML document is allowed"


def _node(node: yaml.Node, file: str, problems: Problems) -> Node | None:
    """Build from a node of the library's; None where nothing is written (`key:`, `~`, `null`)."""
    where = _place(file, node)
    if isinstance(node, yaml.MappingNode):
        return Node(_pairs(node, file, problems), where)
    if isinstance(node, yaml.SequenceNode):
        items = ((_node(item, file, problems), item) for item in node.value)
        return Node([found or Node("", _place(file, item)) for found, item in items], where)
    plain = isinstance(node, yaml.ScalarNode) and not node.style
    return None if plain and node.value in {"", "~", "null"} else Node(node.value, where)


def _pairs(mapping: yaml.MappingNode, file: str, problems: Problems) -> Mapping:
    pairs: Mapping = {}
    first: dict[str, str] = {}
    for key, value in mapping.value:
        where = _place(file, key)
        if not isinstance(key, yaml.ScalarNode):
            problems.say(where, "a key must be a plain text")
        elif (name := key.value) in first:
            problems.say(
                where, "{key}: written twice, first at {first}", key=name, first=first[name]
            )
        else:
            first[name] = where
            if node := _node(value, file, problems):
                pairs[name] = Node(node.value, where)
    return pairs


def _place(file: str, found: yaml.Event | yaml.Node) -> str:
    return f"{file}:{found.start_mark.line + 1 if found.start_mark else 1}"
