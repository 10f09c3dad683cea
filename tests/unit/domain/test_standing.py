"""A standing yes covers what fits its pattern, and nothing that only looks like it."""

import pytest

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.standing import Standing, covers

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
