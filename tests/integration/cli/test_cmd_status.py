"""`clawdbot status`: how the service fares, for people and programs; 69 where none runs."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import clawdbot
from tests.fakes.command import running, scripted
from tests.integration.cli.conftest import Run

TELEGRAM = 'channels: {telegram: {main: {token: "1:a", base_url: "http://127.0.0.1:1"}}}\n'


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    scripted(home)


def test_a_service_that_runs(run: Run, environ: dict[str, str], home: Path) -> None:
    with (home / "clawdbot.yaml").open("a") as file:
        file.write(TELEGRAM)
    with running(environ) as process:
        status = json.loads(run("status", "--json").stdout)
        assert (clawdbot.__version__, process.pid) == (status["version"], status["pid"])
        assert ("", 0, {}) == (status["owner"], status["outbox"], status["turns"])
        shown = dict(line.split("\t") for line in run("status").stdout.splitlines())
        assert "none yet: run `clawdbot setup`" == shown["Owner"]
        assert status["address"] == shown["Control panel"]
        assert "bubblewrap" == shown["Sandbox"]
        assert shown["telegram/main"].startswith("down: ")
        chinese = run("--lang", "zh", "status").stdout
        assert "控制面板\thttp://127.0.0.1:" in chinese


def test_a_paused_channel_is_not_down(run: Run, environ: dict[str, str], home: Path) -> None:
    with (home / "clawdbot.yaml").open("a") as file:
        file.write(TELEGRAM.replace("{token", "{paused: true, token"))
    with running(environ):
        assert "telegram/main\tpaused\n" in run("status").stdout
        assert "telegram/main\t已暂停\n" in run("--lang", "zh", "status").stdout


def test_what_was_not_delivered_is_told_in_words(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    to = '{"channel":"telegram","account":"main","chat":"5"}'
    with running(environ):
        with closing(sqlite3.connect(home / "data" / "clawdbot.db")) as db, db:
            for position, state in enumerate(("unknown", "dead")):
                row = (state, "5", position, to, "", "", "notice", "", "{}", state, 1, "", "", 0, 1)
                db.execute(f"INSERT INTO outbox VALUES ({'?, ' * len(row)} NULL)", row)
        told = json.loads(run("status", "--json").stdout)["undelivered"]
        assert {"unknown", "dead"} == {row["state"] for row in told}
        chinese = run("--lang", "zh", "status").stdout
        assert "telegram/main/5/: 已放弃\n" in chinese
        assert "telegram/main/5/: 不知道是否已送达\n" in chinese


def test_the_systems_own_words_are_told_in_chinese(run: Run) -> None:
    told = run("--home", "/dev/null/x", "--lang", "zh", "start").stderr
    assert "不是文件夹" in told


def test_without_a_service_it_says_how_to_start(run: Run) -> None:
    done = run("status")
    assert (69, "") == (done.returncode, done.stdout)
    assert "Error: The service is not running. Start it with `clawdbot start`.\n" == done.stderr
    done = run("status", "--json")
    assert (69, {"running": False}, "") == (done.returncode, json.loads(done.stdout), done.stderr)
