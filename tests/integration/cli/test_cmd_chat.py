"""`clawdbot chat`: one question and its answer, from a service or without one."""

import json
import os
import pwd
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.command import ended, hurried, running, scripted, shown, started
from tests.integration.cli.conftest import Run
from tests.patience import PATIENCE_S


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    scripted(home)


@pytest.fixture
def service(environ: dict[str, str]):
    with running(environ) as process:
        yield process


def piped(environ: dict[str, str], text: bytes, *args: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "clawdbot", "chat", *args]
    return subprocess.run(
        command, capture_output=True, check=False, env=environ, input=text, timeout=PATIENCE_S
    )


def test_only_the_answer_is_printed(run: Run, service) -> None:
    for question in (["磁盘还剩多少"], ["how", "full", "is", "it"]):
        done = run("chat", *question)
        expected = (0, f"echo: {' '.join(question)}\n", "")
        assert expected == (done.returncode, done.stdout, done.stderr)


def test_a_question_may_be_piped(environ: dict[str, str], service) -> None:
    done = piped(environ, "two\nlines\xff".encode("latin-1"))
    assert (0, "echo: two\nlines\ufffd\n", b"") == (
        done.returncode,
        done.stdout.decode(),
        done.stderr,
    )
    assert 2 == piped(environ, b" \n").returncode


def test_the_person_at_the_machine_owns_what_nobody_set_up(run: Run, service) -> None:
    assert 0 == run("chat", "hello", TZ="Asia/Shanghai", LANG="zh_CN.UTF-8").returncode
    (user,) = json.loads(run("user", "list", "--json").stdout)
    expected = (pwd.getpwuid(os.getuid()).pw_name, "owner", "zh")
    assert expected == (user["name"], user["role"], user["language"])


def test_questions_share_a_conversation_unless_it_has_a_name(run: Run, service) -> None:
    assert "echo: a\n" == run("chat", "a").stdout
    assert "A new conversation begins.\n" == run("chat", "/new").stdout
    assert "echo: b\n" == run("chat", "-c", "other", "b").stdout
    assert 2 == run("chat", "-c", "../x", "b").returncode


def test_what_cannot_be_asked_is_told(environ: dict[str, str], service) -> None:
    done = piped(environ, b"x" * 100_001)
    assert (65, b"") == (done.returncode, done.stdout)
    done = piped(environ, ("字" * 90_000).encode())
    assert (65, b"Error: This message is too long.\n") == (done.returncode, done.stderr)


def test_an_answer_cannot_steer_the_terminal(run: Run, service) -> None:
    assert "a\\x1b[31mb\n" == run("chat", "colour").stdout


def test_ctrl_c_stops_the_answer(environ: dict[str, str], service) -> None:
    with shown(environ, "chat", "slow") as screen:
        screen.wait_for("one")
        screen.type("\x03")
        assert "ten" not in screen.wait_for("(stopped)")
        assert 130 == screen.end()
    with shown(environ, "chat", "after") as screen:
        screen.wait_for("echo: after")
        assert 0 == screen.end()


def test_an_answer_outlives_a_restart_of_the_service(
    run: Run, environ: dict[str, str], home: Path, service
) -> None:
    with started(environ, "chat", "slow") as asking, shown(environ, "chat", "-c", "b", "slow") as b:
        b.wait_for("one")
        ends = time.monotonic() + PATIENCE_S
        while _turns(home) < 2:  # the other one has asked too
            assert time.monotonic() < ends
            time.sleep(0.05)
        hurried(home)
        assert 0 == run("restart").returncode
        b.wait_for("two three four five six seven eight nine ten")
        assert 0 == b.end()
        out, _ = asking.communicate(timeout=PATIENCE_S)
        assert (0, "one two three four five six seven eight nine ten\n") == (asking.returncode, out)


def test_without_a_service_it_says_how_to_start(run: Run, home: Path) -> None:
    done = run("chat", "hello")
    assert (69, "") == (done.returncode, done.stdout)
    assert "Start it with `clawdbot start`, or ask one question with `clawdbot chat --local`." in (
        done.stderr
    )
    assert not (home / "data").exists()


def test_a_question_without_a_service_needs_no_set_up(run: Run, environ: dict[str, str]) -> None:
    done = run("chat", "--local", "hello")
    assert (0, "echo: hello\n", "") == (done.returncode, done.stdout, done.stderr)
    assert b"echo: piped\n" == piped(environ, b"piped", "--local").stdout
    assert 1 == len(json.loads(run("user", "list", "--json").stdout))
    assert 2 == run("chat", "--local").returncode


def test_a_question_without_a_service_starts_no_channel(run: Run, home: Path) -> None:
    with (home / "clawdbot.yaml").open("a") as file:
        file.write('channels: {telegram: {main: {token: "1:a", base_url: "http://127.0.0.1:1"}}}\n')
    assert 0 == run("chat", "--local", "hello").returncode
    assert "telegram" not in (home / "logs/clawdbot.log").read_text()


def test_a_service_that_runs_is_not_doubled(run: Run, service) -> None:
    done = run("chat", "--local", "hello")
    assert (75, "") == (done.returncode, done.stdout)
    assert "Error: The service is running: ask it without --local.\n" == done.stderr


def test_who_waits_for_a_service_that_ended_may_leave(environ: dict[str, str], service) -> None:
    with shown(environ, "chat", "slow") as screen:
        screen.wait_for("one")
        assert 0 == ended(service)
        screen.wait_for("The service is away")
        screen.type("\x03")
        assert 130 == screen.end()


def _turns(home: Path) -> int:
    with closing(sqlite3.connect(home / "data/clawdbot.db")) as db:
        [[count]] = db.execute("SELECT count(*) FROM turns")
        return int(count)
