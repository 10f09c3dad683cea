"""`clawdbot.cli.screen`: text that only grows, whatever order frames come in."""

import asyncio
from pathlib import Path

import pytest

from clawdbot.cli.output import Terminal
from clawdbot.cli.screen import Screen
from clawdbot.gateway.frames import Ack, Delta, Error, Final, FromServer, Reset, Said, Tool
from tests.patience import PATIENCE_S

ACK = Ack(key="k", conversation="main", outcome="turn", turn="t")
RESET = Reset(conversation="main", turn="t")


def delta(text: str, turn: str = "t") -> Delta:
    return Delta(conversation="main", turn=turn, attempt=1, seq=1, text=text)


def final(text: str, turn: str = "t", state: str = "done") -> Final:
    return Final(conversation="main", turn=turn, event=1, text=text, state=state)


def said(text: str, turn: str) -> Said:
    return Said(conversation="main", turn=turn, text=text)


def tool(name: str, text: str = "") -> Tool:
    return Tool(conversation="main", turn="t", name=name, text=text)


def make(*, grows: bool = True) -> Screen:
    terminal = Terminal(home=Path("/nowhere"), language="en", environ={})
    return Screen(terminal, grows=grows)


@pytest.mark.parametrize(
    ("frames", "shown"),
    [
        ([RESET, delta("one "), delta("two"), final("one two")], "one two\n"),
        ([delta("one\n"), final("one")], "one\n"),
        ([delta("one"), final("one\n(stopped)", state="stopped")], "one\n(stopped)\n"),
        ([final("whole")], "whole\n"),
        ([delta("one"), final("(Emergency model) one")], "one\n(Emergency model)\n"),
        ([delta("one"), final("another")], "one\nanother\n"),
        (
            [delta("I look."), RESET, tool("disk"), RESET, delta("Half."), final("Half.")],
            "I look.\n(uses disk)\nHalf.\n",
        ),
        (
            [delta("on"), RESET, delta("one two"), final("one two")],
            "on\n(The answer starts over.)\none two\n",
        ),
        ([tool("disk"), tool("disk", "half"), final("a")], "(uses disk)\n(uses disk: half)\na\n"),
        ([delta("on"), RESET, final("one two")], "on\none two\n"),
        ([delta("no", "other"), final("no", "other"), final("yes")], "no\nyes\n"),
        (
            [
                delta("my"),
                said("theirs", "u"),
                final("answer", "u"),
                delta(" own"),
                final("my own"),
            ],
            "my\n> theirs\nanswer\n own\n",
        ),
        ([delta("a\x1b]0;x\x07\u202eb\r\nc\td"), final("")], "a\\x1b]0;x\\x07\\u202eb\nc\td\n"),
    ],
)
def test_nothing_shown_is_taken_back(
    frames: list[FromServer], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = make()
    for frame in (ACK, *frames):
        screen.show(frame)
    assert (shown, "") == capsys.readouterr()


def test_a_pipe_gets_the_answer_alone(capsys: pytest.CaptureFixture[str]) -> None:
    screen = make(grows=False)
    frames = (ACK, said("x", "u"), delta("on"), RESET, tool("disk"), final("x", "u"), final("one"))
    for frame in frames:
        screen.show(frame)
    screen.lost()
    screen.lost()
    assert ("one\n", "(The service is away; waiting for it.)\n") == capsys.readouterr()


class Sent:
    """A dialogue whose answers are known."""

    def __init__(self, screen: Screen, *frames: FromServer) -> None:
        self._screen = screen
        self._frames = frames

    async def send(self, text: str) -> None:
        for frame in self._frames:
            self._screen.show(frame)


@pytest.mark.parametrize(
    ("frames", "state"),
    [
        ([ACK, final("x")], "done"),
        ([ACK, final("x", state="dead")], "dead"),
        ([Ack(outcome="duplicate", turn="t"), final("x")], "done"),
        ([Ack(outcome="duplicate")], "done"),
        ([Ack(outcome="control", notice="A new conversation begins.")], "done"),
        ([Ack(outcome="refused", notice="No.")], "failed"),
        ([Error(code="not kept", text="The disk is almost full.", key="k")], "failed"),
    ],
)
async def test_how_an_answer_ended(frames: list[FromServer], state: str) -> None:
    screen = make()
    async with asyncio.timeout(PATIENCE_S):
        assert state == await screen.ask(Sent(screen, *frames), "words")  # type: ignore[arg-type]


async def test_what_comes_before_the_confirmation_is_shown_in_its_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = make()
    frames = (delta("one "), said("theirs", "u"), ACK, delta("two"), final("one two"))
    async with asyncio.timeout(PATIENCE_S):
        assert "done" == await screen.ask(Sent(screen, *frames), "words")  # type: ignore[arg-type]
    assert "one \n> theirs\ntwo\n" == capsys.readouterr().out


async def test_an_answer_may_even_come_before_the_confirmation() -> None:
    screen = make(grows=False)
    async with asyncio.timeout(PATIENCE_S):
        assert "done" == await screen.ask(Sent(screen, final("x"), ACK), "words")  # type: ignore[arg-type]
