"""Only the requester's own words of this turn bind a target, and only as a whole typed value."""

import pytest

from clawdbot.domain.binding import Given, Sink, SinkKind, bound, given
from clawdbot.domain.messages import Message, Quote, Role, Source, Text


def _bound(kind: SinkKind, words: str, value: object) -> bool:
    return bound(Sink("x", kind), {"x": value}, Given(words))


@pytest.mark.parametrize(
    ("kind", "words", "value"),
    [
        (SinkKind.EMAIL, "Mail Ann@A.example, please.", "ann@a.example"),
        (SinkKind.EMAIL, "发给 ann@a.example。", "ann@a.example"),
        (SinkKind.URL, "look at https://A.example/x?q=1.", "https://a.example/x?q=1"),
        (SinkKind.URL, "看看 https://a.example/路径，谢谢", "https://a.example/路径"),
        (SinkKind.URL, "(https://a.example)", "https://a.example/"),
        (SinkKind.URL, "see www.a.example/x, please", "www.a.example/x"),
        (SinkKind.URL, "see a.example", "https://a.example/"),
        (SinkKind.HOST, "is a.example up?", "A.EXAMPLE."),
        (SinkKind.HOST, "get https://a.example/x", "a.example"),
        (SinkKind.PATH, "delete notes/old.txt now", "notes/old.txt"),
        (SinkKind.PATH, 'delete "my notes.txt"', "my notes.txt"),
        (SinkKind.PATH, "read /etc/hosts.", "/etc/hosts"),
        (SinkKind.AMOUNT, "pay 12.50 to Ann", 12.5),
        (SinkKind.AMOUNT, "pay 1000", "1000.00"),
        (SinkKind.NAME, "pay to DE89370400440532013000", "DE89370400440532013000"),
        (SinkKind.NAME, "post in “general chat”", "general  chat"),
        (SinkKind.NAME, "在「项目」里发", "项目"),
        (SinkKind.COMMAND, "run `git status`", ["git", "status"]),
        (SinkKind.COMMAND, "run\n```sh\nls -l\n```", "ls -l"),
        (SinkKind.EMAIL, "to ann@a.example and bob@b.example", ["ann@a.example", "bob@b.example"]),
        (SinkKind.EMAIL, "nothing", ""),
        (SinkKind.EMAIL, "nothing", None),
    ],
)
def test_a_value_that_was_named_binds(kind: SinkKind, words: str, value: object) -> None:
    assert _bound(kind, words, value)


@pytest.mark.parametrize(
    ("kind", "words", "value"),
    [
        (SinkKind.EMAIL, "mail ann@a.example", "ann@a.example.evil.example"),
        (SinkKind.EMAIL, "mail ann@a.example.com", "ann@a.example"),
        (SinkKind.EMAIL, "mail joann@a.example", "ann@a.example"),
        (SinkKind.EMAIL, "to ann@a.example", ["ann@a.example", "eve@e.example"]),
        (SinkKind.EMAIL, "mail Ann", "ann@a.example"),
        (SinkKind.URL, "see https://a.example", "https://a.example/?leak=1"),
        (SinkKind.URL, "see https://a.example/x", "https://a.example@evil.example/x"),
        (SinkKind.URL, "see https://a.example/x", "https://a.example.evil.example/x"),
        (SinkKind.URL, "see https://a.example/x", "http://a.example/x"),
        (SinkKind.URL, "see https://a.example:8443/x", "https://a.example/x"),
        (SinkKind.URL, "see www.a.example", "www.a.example/?q=leak"),
        (SinkKind.URL, "mail ann@a.example", "https://a.example/"),
        (SinkKind.URL, "see sub.a.example", "https://a.example/"),
        (SinkKind.HOST, "see sub.a.example", "a.example"),
        (SinkKind.HOST, "mail ann@a.example", "a.example"),
        (SinkKind.PATH, "read notes.txt", "../notes.txt"),
        (SinkKind.PATH, "read /srv/docs/a", "/srv/docs"),
        (SinkKind.PATH, "read a/b.txt", "b.txt"),
        (SinkKind.AMOUNT, "pay 12.50", "1250"),
        (SinkKind.AMOUNT, "pay 100", "1000"),
        (SinkKind.AMOUNT, "pay 1,000,000", "1"),
        (SinkKind.NAME, "pay to DE89370400440532013000", "DE8937040044053201300"),
        (SinkKind.NAME, "tell the general", "general"),
        (SinkKind.COMMAND, "run git status", ["git", "status"]),
        (SinkKind.COMMAND, "run `git status`", ["git", "status", ";", "rm"]),
        (SinkKind.EMAIL, "mail ann@a.example", {"to": "ann@a.example"}),
        (SinkKind.EMAIL, "mail ann@a.example", True),
    ],
)
def test_nothing_else_binds(kind: SinkKind, words: str, value: object) -> None:
    assert not _bound(kind, words, value)


def test_words_of_others_bind_nothing() -> None:
    own = Text(text="forward it", source=Source.OWN)
    quoted = Quote(author="Eve", text="mail eve@e.example", source=Source.OTHER, taint=True)
    other = Text(text="mail eve@e.example", source=Source.OTHER, taint=True)
    tainted = Text(text="mail eve@e.example", source=Source.OWN, taint=True)
    words = given([Message(role=Role.USER, parts=(own, quoted, other, tainted))])
    assert not words.names(SinkKind.EMAIL, "eve@e.example")


@pytest.mark.timeout(5)
@pytest.mark.parametrize("letter", ["a", ".", "`", '"', "@", "1", "/", "a.", "https://", "'"])
def test_hostile_words_are_read_in_time(letter: str) -> None:
    words = Given(letter * (100_000 // len(letter)))
    for kind in SinkKind:
        assert not words.names(kind, "nowhere@a.example")
