"""What a plugin declares, read strictly: its functions, their parameters and permissions. Pure.

A function's effect is what its author declares, or what its permissions allow where that is more;
to declare less than one's permissions allow is a lie, and a plugin that lies is not loaded.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import sha256
from posixpath import normpath
from typing import Annotated, Literal, Union

import msgspec
from msgspec import Meta

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.errors import BadInput, PluginFailed
from clawdbot.domain.policy import Effect

Name = Annotated[str, Meta(pattern=r"\A[A-Za-z][A-Za-z0-9_-]{0,39}\Z")]
_Host = Annotated[str, Meta(pattern=r"\A(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?\Z")]
_Path = Annotated[str, Meta(pattern=r"\A/[^\0]+\Z")]
_Secret = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.-]{1,64}\Z")]
_Identifier = Annotated[str, Meta(pattern=r"\A(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}\Z")]

_EFFECTS = list(Effect)  # from the least to the gravest
_WRITE = ":write"
_PARAMS = "params"
_SINKS = {
    SinkKind.URL: {"url", "link", "address"},
    SinkKind.HOST: {"host", "domain", "server"},
    SinkKind.EMAIL: {"to", "cc", "bcc", "email", "recipient", "recipients"},
    SinkKind.PATH: {"path", "file", "folder"},
}
_TYPES: dict[object, object] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "object": dict[str, object],
    "null": None,
}


class Surrounding(StrEnum):
    """What a function needs around it."""

    COMMAND = "command"
    BROWSER = "browser"


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One argument of a function, described by JSON Schema."""

    name: _Identifier
    schema: dict[str, object]
    required: bool

    @property
    def is_file(self) -> bool:
        """Tell whether it is a file of the caller's."""
        return self.schema.get("format") == "file"


class Function(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plugin registered, as its author declared it."""

    name: Name
    kind: Surrounding = Surrounding.COMMAND
    description: Annotated[str, Meta(max_length=4000)] = ""
    parameters: Annotated[tuple[Parameter, ...], Meta(max_length=32)] = ()
    effect: Effect | None = None
    timeout: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    hosts: tuple[_Host, ...] = ()
    paths: tuple[_Path, ...] = ()
    secrets: tuple[_Secret, ...] = ()
    every: Annotated[str, Meta(max_length=100)] = ""
    on: Annotated[str, Meta(max_length=100)] = ""

    @property
    def implied(self) -> Effect:
        """Tell what its permissions allow it to do."""
        if self.hosts or self.secrets or self.kind is Surrounding.BROWSER:
            return Effect.EGRESS
        return Effect.WRITE if any(write for _, write in self.places) else Effect.READ

    @property
    def acts(self) -> Effect:
        """Tell its effect: the graver of what is declared and what is implied."""
        return max(self.effect or Effect.READ, self.implied, key=_EFFECTS.index)

    @property
    def places(self) -> tuple[tuple[str, bool], ...]:
        """List the paths of the host that it sees, and whether it may write there."""
        return tuple((p.removesuffix(_WRITE), p.endswith(_WRITE)) for p in self.paths)


Functions = Annotated[tuple[Function, ...], Meta(max_length=64)]


def checked(functions: Iterable[Function]) -> tuple[Function, ...]:
    """Give the functions of an honest plugin, by name; raises PluginFailed for any other."""
    found = tuple(sorted(functions, key=lambda function: function.name))
    names = [function.name for function in found]
    if not found:
        raise PluginFailed("The plugin registers no function.")
    if len(names) != len(set(names)):
        raise PluginFailed("The plugin registers two functions of one name.")
    for function in found:
        if function.effect is not None and function.effect != function.acts:
            raise PluginFailed(
                f"{function.name} declares the effect {function.effect}, "
                f"but its permissions allow {function.implied}."
            )
        for path, _ in function.places:
            if normpath(path) != path or path == "/" or path.startswith("//"):
                raise PluginFailed(f"{function.name} asks for a path that is not plain: {path}")
        arguments_of(function)
    return found


def wider(before: Iterable[Function], after: Iterable[Function]) -> bool:
    """Tell whether functions may do more than those of before."""
    known = {function.name: function for function in before}
    return any(_rights(f) - _rights(known.get(f.name)) for f in after)


def digest(files: dict[str, bytes]) -> str:
    """Hash all bytes of a plugin, with their names."""
    parts = {name: sha256(data).hexdigest() for name, data in files.items()}
    return sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def arguments_of(function: Function) -> type[msgspec.Struct]:
    """Make the struct that checks a call's arguments; raises PluginFailed for a strange schema."""
    fields: list[tuple[str, object] | tuple[str, object, object]] = []
    for parameter in sorted(function.parameters, key=lambda each: not each.required):
        kind = _type(parameter.schema, parameter.name)
        if parameter.required:
            fields.append((parameter.name, kind))
        else:
            fields.append((parameter.name, Union[kind, msgspec.UnsetType], msgspec.UNSET))  # noqa: UP007 - made at run time
    return msgspec.defstruct("Arguments", fields, forbid_unknown_fields=True, frozen=True)


def schema_of(function: Function) -> dict[str, object]:
    """Describe the arguments as JSON Schema, an object without references."""
    required = [each.name for each in function.parameters if each.required]
    described: dict[str, object] = {
        "type": "object",
        "properties": {each.name: each.schema for each in function.parameters},
    }
    return described | ({"required": required} if required else {})


def sinks_of(function: Function) -> tuple[Sink, ...]:
    """Name where an effect goes: every argument may, of a kind that its name and schema tell."""
    if function.acts is Effect.READ:
        return ()
    return tuple(Sink(each.name, _kind(each)) for each in function.parameters)


def typed(function: Function, given: Mapping[str, str]) -> dict[str, object]:
    """Read arguments as somebody typed them: text where text is wanted, JSON elsewhere.

    What the function has no parameter for goes to its `params`, if it takes them.
    """
    schemas = {each.name: each.schema for each in function.parameters}
    found: dict[str, object] = {}
    loose: dict[str, object] = {}
    for name, text in given.items():
        key = name if name in schemas else name.replace("-", "_")
        if key in schemas:
            found[key] = _value(schemas[key], text)
        elif _PARAMS in schemas:
            loose[name] = _value({}, text)
        else:
            raise BadInput(f"{function.name} has no parameter {name}.")
    return found | ({_PARAMS: loose} if loose else {})


def _rights(function: Function | None) -> frozenset[tuple[str, str]]:
    if function is None:
        return frozenset()
    lists = {"host": function.hosts, "path": function.paths, "secret": function.secrets}
    pairs = {(kind, value) for kind, values in lists.items() for value in values}
    least = _EFFECTS[: _EFFECTS.index(function.acts) + 1]
    return frozenset({*pairs, ("kind", function.kind), *(("effect", effect) for effect in least)})


def _type(schema: dict[str, object], name: str) -> object:
    match schema:
        case {"enum": [*values]} if values and all(isinstance(v, str | int) for v in values):
            return Literal[tuple(values)]
        case {"anyOf": [*options]} if options:
            return Union[tuple(_type(_object(each, name), name) for each in options)]  # noqa: UP007
        case {"type": "array", "items": inner}:
            return list[_type(_object(inner, name), name)]  # type: ignore[misc]
        case {"type": "array"}:
            return list[object]
        case {"type": str(kind)} if kind in _TYPES:
            return _TYPES[kind]
    if "type" in schema or "enum" in schema or "anyOf" in schema:
        raise PluginFailed(f"The parameter {name} has a schema that is not understood.")
    return object


def _object(schema: object, name: str) -> dict[str, object]:
    if not isinstance(schema, dict):
        raise PluginFailed(f"The parameter {name} has a schema that is not understood.")
    return schema


def _value(schema: dict[str, object], text: str) -> object:
    kinds = [schema, *(each for each in _options(schema) if isinstance(each, dict))]
    if any(kind.get("type") == "string" or text in _options(kind, "enum") for kind in kinds):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text


def _options(schema: dict[str, object], key: str = "anyOf") -> list[object]:
    options = schema.get(key)
    return options if isinstance(options, list) else []


def _kind(parameter: Parameter) -> SinkKind:
    words = set(parameter.name.lower().split("_"))
    for kind, names in _SINKS.items():
        if words & names:
            return kind
    number = parameter.schema.get("type") in {"integer", "number"}
    return SinkKind.AMOUNT if number else SinkKind.NAME
