"""What a server says of its tools reaches a model bounded, visible and without tricks."""

import msgspec
import pytest

from clawdbot.domain.errors import ToolFailed
from clawdbot.tools.described import Json, described, misfit, plain

MANY = msgspec.json.encode([{"name": f"t{n}"} for n in range(65)])


def told(schema: Json, **more: object) -> Json:
    tool = {"name": "t", "description": "d", "inputSchema": schema, **more}
    return described(msgspec.json.encode([tool]))[0].schema


def test_a_schema_keeps_what_a_model_needs() -> None:
    schema: Json = {
        "type": "object",
        "properties": {
            "zone": {"type": "string", "description": "IANA name", "enum": ["UTC", "Asia/Tokyo"]},
            "count": {"type": ["integer", "null"], "minimum": 1, "default": 5},
            "inner": {"$ref": "#/$defs/Inner"},
        },
        "required": ["zone"],
        "additionalProperties": False,
        "$defs": {"Inner": {"type": "array", "items": {"type": "number"}}},
    }
    expected = {key: value for key, value in schema.items() if key != "$defs"}
    assert isinstance(expected["properties"], dict)
    expected["properties"]["inner"] = {"type": "array", "items": {"type": "number"}}
    assert expected == told(schema)


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        ({}, {}),
        ({"type": "string"}, {}),
        ({"properties": {"a": {"pattern": "(a+)+$", "format": "regex"}}}, {"a": {}}),
        ({"properties": {"a": {"$ref": "http://evil.example/s.json"}}}, {"a": {}}),
        (
            {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}},
            {"a": {}},
        ),
        ({"properties": {"a": {"type": "evil", "enum": "x", "minimum": "y"}}}, {"a": {}}),
        ({"properties": {"a b": {}, "x" * 65: {}, "ok": 5}}, {"ok": {}}),
        (
            {"properties": {"a": {"description": "see\u200b\u202e\x1b[2Jthis"}}},
            {"a": {"description": "see[2Jthis"}},
        ),
        ({"properties": {"a": {"enum": ["x\u202ey", "ok", {}]}}}, {"a": {"enum": ["ok"]}}),
    ],
)
def test_what_is_strange_in_a_schema_is_left_out(schema: Json, kept: Json) -> None:
    assert {"type": "object", "properties": kept} == told(schema)


def test_references_that_multiply_stay_bounded() -> None:
    node = {"anyOf": [{"$ref": f"#/$defs/A{n}"} for n in range(10)]}
    schema: Json = {"properties": {"a": node}, "$defs": {f"A{n}": node for n in range(10)}}
    assert 50_000 > len(msgspec.json.encode(told(schema)))


def test_names_and_words_are_bounded() -> None:
    tools = [
        {"name": "good", "description": "x" * 5_000, "inputSchema": {}},
        {"name": "bad name", "inputSchema": {}},
        {"name": "../x", "inputSchema": {}},
        {"name": "n" * 49, "inputSchema": {}},
        {"name": "titled", "title": "A title", "inputSchema": {}},
        {"name": "bare", "inputSchema": {}, "annotations": {"readOnlyHint": True}},
    ]
    found = described(msgspec.json.encode(tools))
    assert ["good", "titled", "bare"] == [tool.name for tool in found]
    assert [1_000, 7, 4] == [len(tool.description) for tool in found]
    assert "ab\nc" == plain("\x00a\u2066b\n\ufeffc\u200d", 9)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b'[{"name": 5}]', b"[1]", b"[" * 90_000, b"\xff", MANY],
)
def test_what_is_no_list_of_tools_is_said(data: bytes) -> None:
    with pytest.raises(ToolFailed):
        described(data)


SCHEMA: Json = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "words": {"type": "array", "items": {"type": "string"}},
        "kind": {"enum": ["a", "b"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "deep": {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]},
    },
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"n": 1}, ""),
        ({"n": 1.0, "words": ["a"], "kind": "a", "either": None, "deep": {"x": True, "y": 1}}, ""),
        ({}, "n: missing"),
        ({"n": True}, "n: expected integer"),
        ({"n": 1, "words": ["a", 2]}, "words[]: expected string"),
        ({"n": 1, "kind": "c"}, "kind: expected one of ['a', 'b']"),
        ({"n": 1, "either": 3}, "either: expected string"),
        ({"n": 1, "deep": {}}, "deep.x: missing"),
        ({"n": 1, "more": 2}, "more: there is no such argument"),
        ([], "the arguments: expected object"),
    ],
)
def test_arguments_are_held_against_the_schema(value: object, wrong: str) -> None:
    assert wrong == misfit(SCHEMA, value)
