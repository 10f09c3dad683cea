"""Does a tree of texts fit a settings struct? Every misfit is told, with what belongs there.

Gives plain data that msgspec then converts without fail; knows no section by name.
"""

import re
from types import NoneType
from typing import get_args, get_origin

import msgspec
from msgspec import inspect

from clawdbot.config.problems import Problems
from clawdbot.config.tree import Node
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Seconds, Section, Url, seconds

_SECRET = re.compile(r"secret://[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def plain(kind: object, node: Node, key: str, problems: Problems) -> object:
    """Check a node against a type and give its plain data."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, node, key, problems)
    if get_origin(kind) is dict:
        return named(get_args(kind)[1], node, key, problems)
    if NoneType in get_args(kind):
        return plain(get_args(kind)[0], node, key, problems)
    return _leaf(kind, node, key, problems)


def named(kind: object, node: Node, key: str, problems: Problems) -> dict[str, object]:
    """Check a mapping whose keys are names that the user gives."""
    values: dict[str, object] = {}
    for name, child in mapping(node, key, problems).items():
        if _NAME.fullmatch(name):
            values[name] = plain(kind, child, f"{key}.{name}", problems)
        else:
            problems.say(
                child.where,
                "{key}: a name has at most 32 letters, digits, - and _",
                key=f"{key}.{name}",
            )
    return values


def mapping(node: Node, key: str, problems: Problems) -> dict[str, Node]:
    """Give a node's pairs, or none and a problem."""
    if isinstance(node.value, dict):
        return node.value
    problems.say(node.where, "{key}: expected a section with keys of its own", key=key)
    return {}


def decode(kind: type, value: object) -> Secret:
    """Build what msgspec does not know (its `dec_hook`)."""
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError(kind)


def _struct(
    kind: type[msgspec.Struct], node: Node, key: str, problems: Problems
) -> dict[str, object]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, object] = {}
    pairs = mapping(node, key, problems)
    for name, child in pairs.items():
        path = f"{key}.{name}" if key else name
        if name in fields:
            values[name] = plain(fields[name].type, child, path, problems)
        elif issubclass(kind, Section) and name in kind.later:
            problems.say(child.where, "{key}: no channel of this version uses it", key=path)
        else:
            problems.unknown(child.where, path, list(fields))
    for name, field in fields.items():
        if field.required and name not in pairs:
            problems.say(node.where, "{key}: missing", key=f"{key}.{name}")
    return values


def _leaf(kind: object, node: Node, key: str, problems: Problems) -> object:
    written = node.value
    value: object = [item.value for item in written] if isinstance(written, list) else written
    try:
        if kind == Seconds:
            value = seconds(str(value))
        msgspec.convert(value, kind, strict=False, dec_hook=decode)
    except (ValueError, msgspec.ValidationError):
        problems.say(node.where, "{key}: expected {this}", key=key, this=_expected(kind))
    named = str(written).startswith("secret://")
    if named and not (kind is Secret and _SECRET.fullmatch(str(written))):
        problems.say(node.where, "{key}: only a key or password is written secret://NAME", key=key)
    return value


def _expected(kind: object) -> str:
    """Describe a type without words, so that no language is needed."""
    if kind == Seconds:
        return "30s | 10m | 4h | 7d"
    if kind == Url:
        return "https://... | http://..."
    match inspect.type_info(kind):
        case inspect.IntType(ge=low, le=high) | inspect.FloatType(ge=low, le=high):
            return f"{'' if low is None else low} .. {'' if high is None else high}".strip()
        case inspect.VarTupleType() | inspect.ListType():
            return "[..., ...]"
        case inspect.BoolType():
            return "true | false"
        case inspect.EnumType(cls=cls):
            return " | ".join(str(member.value) for member in cls)
        case inspect.LiteralType(values=values):
            return " | ".join(map(str, values))
    return "text"
