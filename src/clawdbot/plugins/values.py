"""What a function gives back, made fit for JSON without losing what its parts are called."""

import math
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import islice

from clawdbot.plugins.files import File

ITEMS_MOST = 10_000
_DEEPEST = 32
_MORE = "…"
_INT_MOST = 1 << 63


def plain(value: object, deep: int = 0) -> object:
    """Give a value as JSON has it: whatever has named parts becomes an object with these names."""
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value, deep)
        case int():
            return int(value) if -_INT_MOST <= value < _INT_MOST else str(value)
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case str():
            return value.encode(errors="backslashreplace").decode()
    return _composed(value, deep + 1) if deep < _DEEPEST else _MORE


def _composed(value: object, deep: int) -> object:
    names = _names(value)
    if names is not None:
        return {name: plain(getattr(value, name, None), deep) for name in names}
    for kind, give in _KINDS.items():
        if isinstance(value, kind):
            return give(value, deep)
    if hasattr(value, "__fspath__"):
        return plain(value.__fspath__(), deep)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if hasattr(value, "total_seconds"):
        return plain(value.total_seconds(), deep)
    public = {k: v for k, v in getattr(value, "__dict__", {}).items() if not k.startswith("_")}
    return _mapping(public, deep) if public and not callable(value) else plain(str(value), deep)


def _mapping(value: Mapping[object, object], deep: int) -> object:
    pairs = islice(value.items(), ITEMS_MOST)
    return {str(plain(key, deep)): plain(inner, deep) for key, inner in pairs}


def _items(value: Iterable[object], deep: int) -> object:
    items = [plain(inner, deep) for inner in islice(value, ITEMS_MOST + 1)]
    return items if len(items) <= ITEMS_MOST else [*items[:-1], _MORE]


def _bytes(value: bytes | bytearray | memoryview, _: int) -> object:
    return {"base64": b64encode(value).decode(), "size": len(value)}


def _error(value: BaseException, _: int) -> object:
    return {"error": type(value).__name__, "message": plain(str(value))}


def _file(value: File, _: int) -> object:
    return {"file": plain(value.name)}


# In this order: bytes are iterable too.
_KINDS: dict[type, Callable[..., object]] = {
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    BaseException: _error,
    File: _file,
    Mapping: _mapping,
    Iterable: _items,
}


def _names(value: object) -> tuple[str, ...] | None:
    """List the names of a named tuple's, a struct sequence's or a dataclass's parts."""
    kind = type(value)
    if hasattr(kind, "__dataclass_fields__"):
        return tuple(kind.__dataclass_fields__)
    if hasattr(kind, "n_sequence_fields"):
        return tuple(getattr(kind, "__match_args__", ()))
    return tuple(kind._fields) if isinstance(value, tuple) and hasattr(kind, "_fields") else None
