"""`clawdbot status`: how the service fares, for people and programs; 69 where none runs."""

import json
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
        assert shown["telegram/main"].startswith("down: ")
        chinese = run("--lang", "zh", "status").stdout
        assert "控制面板\thttp://127.0.0.1:" in chinese


def test_without_a_service_it_says_how_to_start(run: Run) -> None:
    done = run("status")
    assert (69, "") == (done.returncode, done.stdout)
    assert "Error: The service is not running. Start it with `clawdbot start`.\n" == done.stderr
    done = run("status", "--json")
    assert (69, {"running": False}, "") == (done.returncode, json.loads(done.stdout), done.stderr)
