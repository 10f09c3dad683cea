"""A tool's arguments, derived from its function's signature."""

import inspect
from collections.abc import Callable
from typing import get_type_hints

import msgspec


def arguments_of(fn: Callable[..., object], skip: int) -> type[msgspec.Struct]:
    """Make the struct that checks a call's arguments; the first `skip` are not the model's."""
    hints = get_type_hints(fn, include_extras=True)
    fields: list[tuple[str, object] | tuple[str, object, object]] = []
    for name, parameter in list(inspect.signature(fn).parameters.items())[skip:]:
        if parameter.default is inspect.Parameter.empty:
            fields.append((name, hints[name]))
        else:
            fields.append((name, hints[name], parameter.default))
    return msgspec.defstruct("Arguments", fields, forbid_unknown_fields=True, frozen=True)


def schema_of(arguments: type[msgspec.Struct]) -> dict[str, object]:
    """Describe the arguments as JSON Schema (draft 2020-12), an object without references."""
    whole = msgspec.json.schema(arguments)
    found = {key: value for key, value in whole["$defs"]["Arguments"].items() if key != "title"}
    return found if found["properties"] else {"type": "object", "properties": {}}
