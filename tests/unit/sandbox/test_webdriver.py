"""Commands are read strictly and written anew; a typed secret closes what could show it."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdbot.domain.errors import Denied
from clawdbot.sandbox.webdriver import (
    ELEMENT,
    Command,
    Frame,
    Kind,
    check,
    fields,
    read,
    secretly,
    shows,
    tokens,
)

SESSION = "0123456789abcdef" * 2
NODE = f"f.{'A' * 32}.d.{'B' * 32}.e.7"
TOKEN = "secret://mail#password"


def ask(method: str, path: str, body: object = None) -> Command:
    frame = {"method": method, "path": f"/session/{SESSION}{path}", "body": body or {}}
    return read(msgspec.json.decode(json.dumps(frame), type=Frame), SESSION)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("DELETE", "", Kind.END),
        ("GET", "/title", Kind.PLAIN),
        ("POST", "/refresh", Kind.PLAIN),
        ("GET", "/window/handles", Kind.WINDOWS),
        ("GET", f"/element/{NODE}/text", Kind.PLAIN),
        ("GET", f"/element/{NODE}/property/value", Kind.FIELD),
        ("POST", f"/element/{NODE}/click", Kind.PLAIN),
        ("POST", f"/element/{NODE}/submit", Kind.SUBMIT),
        ("GET", f"/element/{NODE}/screenshot", Kind.SHOW),
        ("GET", "/screenshot", Kind.SHOW),
        ("GET", "/source", Kind.SHOW),
        ("GET", "/cookie/a", Kind.COOKIE),
    ],
)
def test_a_command_on_the_list_is_understood(method: str, path: str, kind: Kind) -> None:
    command = ask(method, path)
    assert (kind, method, path[1:]) == (command.kind, command.method, command.path)


@pytest.mark.parametrize(
    ("path", "body", "understood"),
    [
        ("/url", {"url": "http://a", "x": 1}, {"url": "http://a"}),
        ("/elements", {"using": "xpath", "value": "//a"}, {"using": "xpath", "value": "//a"}),
        (f"/element/{NODE}/value", {"text": "hi", "value": ["hi"]}, {"text": "hi"}),
        ("/frame", {"id": {ELEMENT: NODE, "x": 1}}, {"id": {ELEMENT: NODE}}),
        ("/frame", {"id": None}, {"id": None}),
        ("/timeouts", {"implicit": 5, "x": 1}, {"implicit": 5}),
    ],
)
def test_a_body_is_written_anew(path: str, body: object, understood: object) -> None:
    assert understood == msgspec.to_builtins(ask("POST", path, body).body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/url", {"url": 1}),
        ("/url", ["http://a"]),
        ("/element", {"using": "css", "value": "a"}),
        ("/window", {"handle": "../x"}),
        ("/window", {"handle": "A" * 33}),
        ("/timeouts", {"pageLoad": -1}),
        ("/frame", {"id": "x"}),
        ("/execute/sync", {"script": "x"}),
    ],
)
def test_a_body_that_is_another_is_refused(path: str, body: object) -> None:
    with pytest.raises(Denied):
        ask("POST", path, body)


@given(st.text(max_size=60))
def test_no_path_but_those_of_the_list_is_understood(path: str) -> None:
    known = ask("GET", "/url")
    for tried in (path, f"/url{path}", f"/{path}/url", f"{path}/url"):
        try:
            command = ask("GET", tried)
        except Denied:
            continue
        assert command == known or command.path == tried[1:] != "url"
        assert command.path.isascii()
        assert not set("%\\?#\r\n ") & set(command.path)
        assert ".." not in command.path


@pytest.mark.parametrize(
    "url",
    ["file:///a", "chrome://x", "data:,x", "about:blank", " http://a", "http:/", ""],
)  # fmt: skip
def test_only_the_web_is_opened(url: str) -> None:
    with pytest.raises(Denied):
        check(ask("POST", "/url", {"url": url}), typed=False, shown=False)
    check(ask("POST", "/url", {"url": "HTTPS://a"}), typed=False, shown=False)


BEFORE: list[tuple[str, str, object]] = [
    ("POST", "/execute/sync", {"script": "1", "args": []}),
    ("GET", "/cookie", None),
    ("GET", f"/element/{NODE}/property/value", None),
    ("GET", f"/element/{NODE}/attribute/outerHTML", None),
    ("POST", f"/element/{NODE}/value", {"text": "\ue009a"}),
    ("POST", "/actions", {"actions": [{"type": "key", "actions": [{"value": "\ue03d"}]}]}),
    ("POST", "/element", {"using": "css selector", "value": "[VALUE^=a]"}),
    ("POST", "/element", {"using": "css selector", "value": r"[v\61lue]"}),
    ("POST", f"/element/{NODE}/elements", {"using": "xpath", "value": ".//@*"}),
]
WHILE_SHOWN: list[tuple[str, str, object]] = [
    ("GET", "/source", None),
    ("GET", "/screenshot", None),
    ("GET", f"/element/{NODE}/screenshot", None),
    ("POST", "/actions", {"actions": []}),
]
AFTER: list[tuple[str, str, object]] = [
    ("POST", "/url", {"url": "http://a"}),
    ("GET", f"/element/{NODE}/text", None),
    ("GET", f"/element/{NODE}/property/href", None),
    ("GET", f"/element/{NODE}/attribute/aria-label", None),
    ("POST", f"/element/{NODE}/value", {"text": "hi\ue007"}),
    ("POST", "/element", {"using": "css selector", "value": '[id="user"]'}),
    ("POST", "/element", {"using": "xpath", "value": "//a[@href='/in' and text()='x']"}),
]


@pytest.mark.parametrize(("method", "path", "body"), BEFORE)
def test_a_typed_secret_closes_what_could_tell_it(method: str, path: str, body: object) -> None:
    command = ask(method, path, body)
    check(command, typed=False, shown=False)
    for shown in (True, False):
        with pytest.raises(Denied):
            check(command, typed=True, shown=shown)


@pytest.mark.parametrize(("method", "path", "body"), WHILE_SHOWN)
def test_pictures_wait_until_its_page_is_gone(method: str, path: str, body: object) -> None:
    command = ask(method, path, body)
    check(command, typed=True, shown=False)
    with pytest.raises(Denied):
        check(command, typed=True, shown=True)


@pytest.mark.parametrize(("method", "path", "body"), AFTER)
def test_ordinary_work_goes_on(method: str, path: str, body: object) -> None:
    check(ask(method, path, body), typed=True, shown=True)


def test_a_token_is_read_with_the_keys_after_it() -> None:
    assert None is secretly("hunter2")
    found = secretly(f"{TOKEN}\ue007\ue004")
    assert found is not None
    assert ("mail", "password", "\ue007\ue004") == (found.secret, found.field, found.keys)


@pytest.mark.parametrize(
    "text", [f"x{TOKEN}", f"{TOKEN}{TOKEN}", "secret://", "secret://mail", f"{TOKEN} "]
)
def test_a_token_among_other_words_is_refused(text: str) -> None:
    with pytest.raises(Denied):
        secretly(text)


def test_a_secret_is_a_password_or_names_its_fields() -> None:
    both = '{"username": "ann", "password": "x"}'
    assert {"username": "ann", "password": "x"} == fields(both)
    assert {"username": "secret://m#username", "password": "secret://m#password"} == tokens(
        "m", both
    )
    for text in ("hunter2", "{", '{"a": 1}', "[1]", '"x"', "1234"):
        assert {"password": text} == fields(text)


WORD = 'p4 "ß<&+/'


@pytest.mark.parametrize(
    "told",
    [
        WORD,
        f"so {WORD} it is",
        "?word=p4+%22%C3%9F%3C%26%2b%2F",
        "#p4%20%22ß%3c&+/",
        "p4 &quot;ß&lt;&amp;+/",
        '{"word": "p4 \\"\\u00df<&+/"}',
        "cDQgIsOfPCYrLw==",
    ],
)
def test_a_secret_is_found_in_every_usual_spelling(told: str) -> None:
    for answer in (told, {"value": [1, {"text": told}]}, {told: None}):
        assert shows(answer, [WORD])
    assert not shows({"value": ["p4", '"ß<&+/', 4, None]}, [WORD])


def test_what_is_found_everywhere_is_not_looked_for() -> None:
    assert not shows("abc", ["abc", ""])
