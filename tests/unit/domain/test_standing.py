"""A standing yes covers what fits its pattern, and nothing that only looks like it."""

import pytest

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.standing import Standing, covers, refuses

URL = (Sink("url", SinkKind.URL),)
PATH = (Sink("path", SinkKind.PATH),)
COMMAND = (Sink("command", SinkKind.COMMAND),)


def _covers(pattern: dict[str, str], sinks: tuple[Sink, ...], arguments: dict[str, object]) -> bool:
    return covers(Standing(id="s", tool="t", pattern=pattern), "t", sinks, arguments)


@pytest.mark.parametrize(
    ("pattern", "sinks", "arguments"),
    [
        ({"url": "https://a.example/x"}, URL, {"url": "https://a.example/x"}),
        ({"url": "https://a.example"}, URL, {"url": "https://A.example/any?q"}),
        ({"url": "*"}, URL, {"url": "https://b.example/"}),
        ({"path": "/srv/docs/"}, PATH, {"path": "/srv/docs/a/b.txt"}),
        ({"path": "a.txt"}, PATH, {"path": ["a.txt", "a.txt"]}),
        ({"command": "git status"}, COMMAND, {"command": ["git", "status"]}),
        ({}, (), {"anything": "at all"}),
        ({"=": '{"a":1,"b":["x"]}'}, (), {"b": ["x"], "a": 1}),
        ({"command": '["git","status"]'}, COMMAND, {"command": ["git", "status"]}),
    ],
)
def test_it_covers(
    pattern: dict[str, str], sinks: tuple[Sink, ...], arguments: dict[str, object]
) -> None:
    assert _covers(pattern, sinks, arguments)


@pytest.mark.parametrize(
    ("pattern", "sinks", "arguments"),
    [
        ({"url": "https://a.example"}, URL, {"url": "https://a.example.evil.example/"}),
        ({"url": "https://a.example"}, URL, {"url": "https://a.example@evil.example/"}),
        ({"url": "https://a.example"}, URL, {"url": "http://a.example/"}),
        ({"url": "https://a.example"}, URL, {"url": "https://a.example:8443/"}),
        ({"url": "https://a.example/x"}, URL, {"url": "https://a.example/x/y"}),
        ({"path": "/srv/docs/"}, PATH, {"path": "/srv/docs/../keys"}),
        ({"path": "/srv/docs/"}, PATH, {"path": "/srv/docs2/a"}),
        ({"path": "a.txt"}, PATH, {"path": ["a.txt", "b.txt"]}),
        ({}, URL, {"url": "https://a.example/"}),
        ({"=": "{}"}, (), {"anything": "at all"}),
        ({"=": '{"a":1}'}, (), {"a": 1, "b": 2}),
        ({"method": "GET"}, URL, {"method": "GET", "url": "https://a.example/"}),
        ({"url": "*", "method": "GET"}, URL, {"method": "POST", "url": "https://a.example/"}),
    ],
)
def test_it_does_not(
    pattern: dict[str, str], sinks: tuple[Sink, ...], arguments: dict[str, object]
) -> None:
    assert not _covers(pattern, sinks, arguments)


def test_it_is_for_one_tool() -> None:
    assert not covers(Standing(id="s", tool="other", pattern={}), "t", (), {})


TO = (Sink("to", SinkKind.EMAIL), Sink("amount", SinkKind.AMOUNT))


@pytest.mark.parametrize(
    ("pattern", "sinks", "arguments", "refused"),
    [
        ({"=": '{"a":1}'}, (), {"a": 1}, True),
        ({"=": '{"a":1}'}, (), {"a": 2}, False),
        ({}, TO, {"to": "x", "amount": 1}, True),
        # A yes must fit every target; of a no it is enough that what it names is there.
        ({"to": "x"}, TO, {"to": "x", "amount": 5}, True),
        ({"to": "x"}, TO, {"to": ["y", "x"], "amount": 5}, True),
        ({"to": "x", "amount": "1"}, TO, {"to": "x", "amount": 5}, False),
        ({"to": "x"}, TO, {"to": "xx"}, False),
        ({"url": "https://a.example"}, URL, {"url": "https://A.example/any"}, True),
        ({"path": "/srv/"}, PATH, {"path": "/srv/a"}, True),
        ({"path": "/srv/"}, PATH, {"path": "/tmp/../srv/a"}, True),
        ({"path": "/srv/"}, PATH, {"path": ["/tmp/a"]}, False),
        ({"command": "git push"}, COMMAND, {"command": ["git", "push"]}, True),
        ({"command": "git"}, COMMAND, {"command": ["git", "push"]}, False),
    ],
)
def test_a_no_meets_whatever_it_names(
    pattern: dict[str, str],
    sinks: tuple[Sink, ...],
    arguments: dict[str, object],
    *,
    refused: bool,
) -> None:
    no = Standing(id="n", tool="t", pattern=pattern)
    assert refused == refuses(no, "t", sinks, arguments)
    assert not refuses(no, "other", sinks, arguments)
