"""A tool's arguments, derived from its function's signature."""

import inspect
from collections.abc import Callable
from typing import get_type_hints

import msgspec

_NEEDLESS = {
    "additionalProperties", "default", "exclusiveMaximum", "exclusiveMinimum", "maxItems",
    "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern", "title",
}  # fmt: skip


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
    """Describe the arguments as JSON Schema (draft 2020-12), an object without references.

    Bounds and defaults are left out: a model needs few words, and a call is checked anyway.
    """
    whole = msgspec.json.schema(arguments)
    return _brief(whole["$defs"]["Arguments"])


def _brief(schema: dict[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, value in schema.items():
        if key == "properties" and isinstance(value, dict):
            kept[key] = {name: _brief(each) for name, each in value.items()}
        elif isinstance(value, dict):
            kept[key] = _brief(value)
        elif key not in _NEEDLESS and value != []:
            kept[key] = value
    return kept
