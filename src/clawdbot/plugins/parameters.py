"""A function's parameters by its type hints: as JSON Schema for whoever calls, and back again.

A parameter without a hint takes anything; one named `params` without a hint is a plain dict of
whatever was given. `Annotated[str, "words"]` describes a parameter.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

from clawdbot.plugins.errors import ArgumentError, PluginError

Schema = dict[str, object]

_SIMPLE: dict[object, Schema] = {
    object: {},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    dict: {"type": "object"},
    list: {"type": "array"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
}
_MADE: dict[object, Callable[[list[object]], object]] = {
    list: list,
    set: set,
    tuple: tuple,
    frozenset: frozenset,
}
_PLAIN = "params"
_VARIADIC = 0x04 | 0x08  # the code takes *args or **kwargs


def parameters(function: Callable[..., object]) -> list[Schema]:
    """List a function's parameters: name, schema, whether it is required."""
    code, hints = _code(function), hints_of(function)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if code.co_posonlyargcount or code.co_flags & _VARIADIC:
        raise PluginError(f"{function.__name__}: give every parameter a name of its own")
    defaults = len(getattr(function, "__defaults__", None) or ())
    optional = set(names[code.co_argcount - defaults : code.co_argcount])
    optional |= set(getattr(function, "__kwdefaults__", None) or ())
    return [
        {"name": name, "schema": _parameter(name, hints), "required": name not in optional}
        | ({"required": False} if _takes_all(name, hints) else {})
        for name in names
    ]


def bound(function: Callable[..., object], arguments: Mapping[str, object]) -> dict[str, object]:
    """Turn JSON arguments into what the hints say; raises ArgumentError."""
    hints, given = hints_of(function), dict(arguments)
    if _takes_all(_PLAIN, hints) and _PLAIN in _code(function).co_varnames:
        given.setdefault(_PLAIN, {})
    try:
        return {name: _converted(hints.get(name, object), value) for name, value in given.items()}
    except ValueError as error:
        raise ArgumentError(str(error)) from error


def hints_of(function: Callable[..., object]) -> dict[str, object]:
    """Read the hints; where there are none, nothing is looked up."""
    if not getattr(function, "__annotations__", None):
        return {}
    return get_type_hints(function, include_extras=True)


def _code(function: Callable[..., object]) -> types.CodeType:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not isinstance(function, types.FunctionType):
        raise PluginError(f"{function!r} is not a function")
    return function.__code__


def _takes_all(name: str, hints: Mapping[str, object]) -> bool:
    return name == _PLAIN and name not in hints


def _parameter(name: str, hints: Mapping[str, object]) -> Schema:
    if _takes_all(name, hints):
        return {"type": "object"}
    try:
        return _schema(hints.get(name, object))
    except TypeError as error:
        raise PluginError(f"{name}: its type cannot be told: {hints[name]}") from error


def _schema(hint: object) -> Schema:
    if isinstance(hint, type) and hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        words = [word for word in inner[1:] if isinstance(word, str)]
        return _schema(inner[0]) | ({"description": words[0]} if words else {})
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in {Union, types.UnionType}:
        return {"anyOf": [_schema(each) for each in inner]}
    kind = origin or hint
    if not isinstance(kind, type):
        raise TypeError
    if issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    if hasattr(kind, "__fspath__"):
        return {"type": "string", "format": "file"}
    if issubclass(kind, Mapping):
        return {"type": "object"}
    if issubclass(kind, Sequence | AbstractSet):
        return {"type": "array"} | ({"items": _schema(inner[0])} if inner else {})
    raise TypeError


def _converted(hint: object, value: object) -> object:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _converted(inner[0], value)
    if origin in {Union, types.UnionType}:
        kinds = [each for each in inner if each is not type(None)]
        return value if value is None or len(kinds) != 1 else _converted(kinds[0], value)
    if isinstance(value, list) and inner and origin in {list, set, tuple, frozenset}:
        return _MADE[origin]([_converted(inner[0], each) for each in value])
    if not isinstance(hint, type):
        return value
    if issubclass(hint, date) and isinstance(value, str):
        return hint.fromisoformat(value)
    if issubclass(hint, Enum) or (hasattr(hint, "__fspath__") and isinstance(value, str)):
        make: Callable[[object], object] = hint
        return make(value)
    return value
