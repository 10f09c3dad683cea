"""A conversation at the terminal, as a person has it: `clawdbot.cli.terminal`."""

import os
import stat
from pathlib import Path

import pytest

import clawdbot
from tests.fakes.command import Screen, hurried, running, scripted, shown

HINT = "Ctrl-D leaves."
PROMPT = ">"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    scripted(home)
    return {
        "CLAWDBOT_HOME": str(home),
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(clawdbot.__file__).parents[1]),
    }


@pytest.fixture
def service(environ: dict[str, str]):
    with running(environ) as process:
        yield process


def ask(screen: Screen, words: str, answer: str) -> None:
    screen.type(f"{words}\r")
    screen.wait_for(f"{answer}\n")
    screen.wait_for(PROMPT)


def test_a_conversation(environ: dict[str, str], service) -> None:
    home = Path(environ["CLAWDBOT_HOME"])
    with shown(environ, "chat") as screen:
        screen.wait_for(HINT)
        screen.wait_for(PROMPT)
        ask(screen, "hello", "echo: hello")
        ask(screen, "你好", "echo: 你好")
        # Alt-Enter, and a paste, make lines of one message.
        ask(screen, "one\x1b\rtwo", "echo: one\ntwo")
        ask(screen, "\x1b[200~three\nfour\x1b[201~", "echo: three\nfour")
        # Ctrl-C stops the answer, not the conversation; at the prompt it drops the line.
        screen.type("slow\r")
        screen.wait_for("one")
        screen.type("\x03")
        assert "ten" not in screen.wait_for("(stopped)")
        screen.wait_for(PROMPT)
        screen.type("never sent\x03")
        screen.wait_for(PROMPT)
        # Up: what was typed before.
        screen.type("\x1b[A\x1b[A\x1b[A\x1b[A\r")
        screen.wait_for("echo: one\ntwo\n")
        screen.wait_for(PROMPT)
        ask(screen, "facts", "It says: There is no tool 'NoSuchTool'.")
        screen.type("/help\r")
        screen.wait_for(HINT)
        screen.wait_for("/new - begin a new conversation")
        screen.wait_for(PROMPT)
        screen.type("\x04")
        assert 0 == screen.end()
    for path in (home / "terminal", *(home / "terminal").iterdir()):
        assert 0 == stat.S_IMODE(path.stat().st_mode) & 0o077, path
    assert "never sent" not in (home / "terminal/history").read_text()


def test_what_was_typed_is_kept_and_what_was_missed_is_told(
    environ: dict[str, str], service
) -> None:
    with shown(environ, "chat") as screen:
        screen.wait_for(PROMPT)
        ask(screen, "first", "echo: first")
        screen.type("\x04")
        assert 0 == screen.end()
    with shown(environ, "chat", "from elsewhere") as other:
        other.wait_for("echo: from elsewhere")
        assert 0 == other.end()
    with shown(environ, "chat") as screen:
        before = screen.wait_for("echo: from elsewhere\n")
        assert "> from elsewhere" in before
        assert "first" not in before
        screen.type("\x1b[A\r")
        screen.wait_for("echo: first\n")


def test_two_terminals_stay_in_step(environ: dict[str, str], service) -> None:
    with shown(environ, "chat") as one, shown(environ, "chat") as two:
        one.wait_for(PROMPT)
        two.wait_for(PROMPT)
        ask(one, "hello", "echo: hello")
        two.wait_for("> hello\n")
        two.wait_for("echo: hello\n")


def test_a_restart_of_the_service_is_a_pause(environ: dict[str, str], service) -> None:
    with shown(environ, "chat") as screen:
        screen.wait_for(PROMPT)
        screen.type("slow\r")
        screen.wait_for("one")
        hurried(Path(environ["CLAWDBOT_HOME"]))
        with shown(environ, "restart") as other:
            assert 0 == other.end()
        screen.wait_for("two three four five six seven eight nine ten\n")
        screen.wait_for(PROMPT)
        ask(screen, "after", "echo: after")


def test_a_chinese_user_reads_chinese(environ: dict[str, str], service) -> None:
    with shown(environ | {"LANG": "zh_CN.UTF-8"}, "chat") as screen:
        screen.wait_for("Ctrl-D 退出")
        screen.wait_for(PROMPT)
        screen.type("/exit\r")
        assert 0 == screen.end()
