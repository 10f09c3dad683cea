"""What a tool server says of its tools, made fit for a model; pure.

All of it is somebody else's text: bounded, without hidden characters, its schema built anew from
the few words of JSON Schema that a model needs. What it claims of a tool's effect is not read.
"""

import re
import unicodedata

import msgspec

from clawdbot.domain.errors import ToolFailed

TOOLS_MOST = 64
_NAME = re.compile(r"[A-Za-z0-9_-]{1,48}", re.ASCII)
_FIELD = re.compile(r"[A-Za-z0-9_.$-]{1,64}", re.ASCII)
_DESCRIPTION_MOST = 1_000
_WORDS_MOST = 300
_NODES_MOST = 400
_DEEP_MOST = 8
_TYPES: dict[object, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
_BOUNDS = {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}

Json = dict[str, object]


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as it is offered: the server's own name for it, words, and what it takes."""

    name: str
    description: str
    schema: Json


class _Told(msgspec.Struct, rename="camel"):
    name: str
    description: str = ""
    title: str = ""
    input_schema: Json = {}


def described(told: bytes) -> tuple[Described, ...]:
    """Read a server's list of tools; raises ToolFailed where it is none."""
    try:
        tools = msgspec.json.decode(told, type=list[_Told])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ToolFailed(f"The server tells something strange of its tools: {error}") from error
    if len(tools) > TOOLS_MOST:
        raise ToolFailed(f"The server has more than {TOOLS_MOST} tools.")
    found = {tool.name: tool for tool in tools if _NAME.fullmatch(tool.name)}
    return tuple(
        Described(
            name=tool.name,
            description=plain(tool.description or tool.title or tool.name, _DESCRIPTION_MOST),
            schema=_arguments(tool.input_schema),
        )
        for tool in found.values()
    )


def misfit(schema: Json, value: object, at: str = "") -> str:
    """Tell what of a value does not fit a schema built here; empty where all does."""
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind] if kind else []
    if kinds and not any(_is(each, value) for each in kinds):
        return f"{at or 'the arguments'}: expected {' or '.join(map(str, kinds))}"
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        return f"{at}: expected one of {choices}"[:_WORDS_MOST]
    options = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list) and all(misfit(_object(each), value, at) for each in options):
        return misfit(_object(options[0]), value, at)
    if isinstance(value, dict):
        return _misfit_fields(schema, value, at)
    items = _object(schema.get("items"))
    wrong = (misfit(items, each, f"{at}[]") for each in value) if isinstance(value, list) else ()
    return next(filter(None, wrong), "")


def plain(text: str, most: int) -> str:
    """Take away what is not seen, and what is too much."""
    seen = (c for c in text[: 2 * most] if c in "\n\t" or unicodedata.category(c)[0] != "C")
    shown = "".join(seen).strip()
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def first_of(group: BaseExceptionGroup[BaseException]) -> str:
    """Tell the first failure of a group, shortened."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else plain(str(first), 300)


def _misfit_fields(schema: Json, value: Json, at: str) -> str:
    fields, required = _object(schema.get("properties")), schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in value:
            return f"{at}.{name}: missing".lstrip(".")
    for name, each in value.items():
        if name not in fields and schema.get("additionalProperties") is False:
            return f"{at}.{name}: there is no such argument"[:_WORDS_MOST].lstrip(".")
        if wrong := misfit(_object(fields.get(name)), each, f"{at}.{name}".lstrip(".")):
            return wrong
    return ""


def _is(kind: object, value: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    whole = kind == "integer" and isinstance(value, float) and value.is_integer()
    return whole or isinstance(value, _TYPES[kind])


def _arguments(schema: Json) -> Json:
    kept = _Schema(schema).kept(schema, 0)
    return {**kept, "type": "object", "properties": kept.get("properties", {})}


class _Schema:
    """Builds a schema anew; references are followed within it, as far as there is room."""

    def __init__(self, whole: Json) -> None:
        definitions = [_object(whole.get(key)) for key in ("$defs", "definitions")]
        self._known = {name: schema for each in definitions for name, schema in each.items()}
        self._room = _NODES_MOST

    def kept(self, schema: object, deep: int) -> Json:
        self._room -= 1
        if self._room < 0 or deep > _DEEP_MOST:
            return {}
        given = _object(schema)
        if isinstance(reference := given.get("$ref"), str):
            return self.kept(self._known.get(reference.rpartition("/")[2]), deep + 1)
        found: Json = {}
        for key, value in given.items():
            match key, value:
                case "properties", {**fields}:
                    names = [name for name in fields if _FIELD.fullmatch(str(name))]
                    found[key] = {name: self.kept(fields[name], deep + 1) for name in names}
                case (("items" | "additionalProperties"), {**inner}):
                    found[key] = self.kept(inner, deep + 1)
                case (("anyOf" | "oneOf"), [*options]) if options:
                    found[key] = [self.kept(each, deep + 1) for each in options]
                case _ if (kept := _word(key, value)) is not None:
                    found[key] = kept
        return found


def _word(key: str, value: object) -> object:
    """Keep what one word of a schema says, where we know the word."""
    match key, value:
        case "type", str() | [*_]:
            kinds = [value] if isinstance(value, str) else value
            known = [kind for kind in kinds if str(kind) in _TYPES]
            return (known if len(known) > 1 else known[0]) if known else None
        case "description", str(text):
            return plain(text, _WORDS_MOST)
        case "enum", [*values]:
            return [each for each in values[:_NODES_MOST] if _small(each)]
        case "required", [*names]:
            return [name for name in names if isinstance(name, str) and _FIELD.fullmatch(name)]
        case "additionalProperties", False:
            return False
    bound = key in _BOUNDS and isinstance(value, int | float)
    return value if bound or (key == "default" and _small(value)) else None


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _small(value: object) -> bool:
    """Tell whether a value may stand in a schema as it is."""
    if isinstance(value, str):
        return len(value) <= _WORDS_MOST and value == plain(value, _WORDS_MOST)
    return value is None or isinstance(value, bool | int | float)
