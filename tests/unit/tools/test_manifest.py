"""What a plugin declares is read strictly, and a lie is not loaded."""

import msgspec
import pytest

from clawdbot.domain.errors import PluginFailed
from clawdbot.domain.policy import Effect
from clawdbot.tools.manifest import (
    Function,
    Parameter,
    Surrounding,
    arguments_of,
    checked,
    digest,
    schema_of,
    wider,
)

CITY = Parameter(name="city", schema={"type": "string"}, required=True)
DAYS = Parameter(name="days", schema={"type": "integer", "description": "x"}, required=False)
WEATHER = Function(name="weather", parameters=(DAYS, CITY), hosts=("api.example.com",))


@pytest.mark.parametrize(
    ("effect", "function"),
    [
        (Effect.READ, Function(name="f")),
        (Effect.READ, Function(name="f", paths=("/srv",))),
        (Effect.WRITE, Function(name="f", paths=("/srv:write",))),
        (Effect.EGRESS, Function(name="f", hosts=("a.example",), paths=("/srv:write",))),
        (Effect.EGRESS, Function(name="f", secrets=("mail",))),
        (Effect.EGRESS, Function(name="f", kind=Surrounding.BROWSER)),
        (Effect.MONEY, Function(name="f", effect=Effect.MONEY, hosts=("a.example",))),
        (Effect.EXEC, Function(name="f", effect=Effect.EXEC)),
    ],
)
def test_the_effect_is_the_graver_of_declared_and_implied(
    effect: Effect, function: Function
) -> None:
    assert effect == function.acts
    assert (function,) == checked([function])


@pytest.mark.parametrize(
    "function",
    [
        Function(name="f", effect=Effect.READ, hosts=("a.example",)),
        Function(name="f", effect=Effect.WRITE, secrets=("mail",)),
        Function(name="f", effect=Effect.READ, paths=("/srv:write",)),
        Function(name="f", effect=Effect.READ, kind=Surrounding.BROWSER),
    ],
)
def test_a_lie_is_told(function: Function) -> None:
    with pytest.raises(PluginFailed, match="its permissions allow"):
        checked([function])


@pytest.mark.parametrize("path", ["/", "//srv", "/srv/../etc", "/srv/", "/srv/./a:write"])
def test_a_path_must_be_plain(path: str) -> None:
    with pytest.raises(PluginFailed, match="not plain"):
        checked([Function(name="f", paths=(path,))])


def test_a_plugin_registers_something_and_nothing_twice() -> None:
    with pytest.raises(PluginFailed, match="no function"):
        checked([])
    with pytest.raises(PluginFailed, match="two functions"):
        checked([Function(name="f"), Function(name="f", timeout=1.0)])


@pytest.mark.parametrize(
    "wrong",
    [
        '{"name": "a b"}',
        '{"name": "a.b"}',
        '{"name": "a", "effect": "none"}',
        '{"name": "a", "timeout": 0}',
        '{"name": "a", "timeout": 1e9}',
        '{"name": "a", "hosts": ["https://a.example"]}',
        '{"name": "a", "hosts": ["a.example\\n"]}',
        '{"name": "a", "hosts": ["*"]}',
        '{"name": "a", "paths": ["srv"]}',
        '{"name": "a", "secrets": ["a/b"]}',
        '{"name": "a", "parameters": [{"name": "__x", "schema": {}, "required": true}]}',
        '{"name": "a", "surprise": 1}',
    ],
)
def test_what_is_not_understood_is_refused(wrong: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrong, type=Function)


def test_arguments_are_typed_and_unknown_ones_refused() -> None:
    kind = arguments_of(WEATHER)
    found = msgspec.json.decode('{"city": "Ulm"}', type=kind)
    assert {"city": "Ulm"} == msgspec.to_builtins(found)
    for wrong in (
        '{"days": 1}',
        '{"city": 1}',
        '{"city": "Ulm", "days": "1"}',
        '{"city":"","x":1}',
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=kind)


def test_the_schema_tells_what_is_required() -> None:
    schema = schema_of(WEATHER)
    assert ["city"] == schema["required"]
    assert {"days": DAYS.schema, "city": CITY.schema} == schema["properties"]
    assert {"type": "object", "properties": {}} == schema_of(Function(name="f"))


@pytest.mark.parametrize(
    "schema", [{"type": "tuple"}, {"enum": [1.5]}, {"anyOf": "x"}, {"type": "array", "items": 1}]
)
def test_a_strange_schema_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(PluginFailed, match="not understood"):
        checked(
            [Function(name="f", parameters=(Parameter(name="a", schema=schema, required=True),))]
        )


@pytest.mark.parametrize(
    ("more", "after"),
    [
        (False, WEATHER),
        (False, Function(name="weather")),
        (True, Function(name="weather", hosts=("api.example.com", "b.example"))),
        (True, Function(name="weather", hosts=("api.example.com",), effect=Effect.MONEY)),
        (True, Function(name="weather", paths=("/srv",))),
        (True, Function(name="weather", kind=Surrounding.BROWSER)),
        (True, Function(name="other")),
    ],
)
def test_more_permission_is_noticed(more: bool, after: Function) -> None:
    assert more is wider([WEATHER], [after])


def test_the_hash_covers_names_and_bytes() -> None:
    hashes = {
        digest(files)
        for files in ({"a": b"b"}, {"a": b"c"}, {"b": b"b"}, {"a": b"b", "c": b""}, {"ab": b""})
    }
    assert 5 == len(hashes)
    assert digest({"a": b"1", "b": b"2"}) == digest({"b": b"2", "a": b"1"})
