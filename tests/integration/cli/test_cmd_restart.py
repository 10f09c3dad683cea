"""`clawdbot restart`: the same process and port, the settings of now."""

import json
from pathlib import Path

import pytest

from tests.fakes.command import ended, running, scripted, started
from tests.integration.cli.conftest import Run


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    scripted(home)


def test_process_and_port_stay_and_the_settings_are_new(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    with running(environ) as process:
        before = json.loads(run("status", "--json").stdout)
        written = (home / "clawdbot.yaml").read_text()
        (home / "clawdbot.yaml").write_text(f"{written}environment: staging\n")
        done = run("restart")
        assert (0, "") == (done.returncode, done.stderr)
        assert f"Clawdbot runs. Control panel: {before['address']}\n" == done.stdout
        after = json.loads(run("status", "--json").stdout)
        assert (before["pid"], before["address"]) == (after["pid"], after["address"])
        assert ("production", "staging") == (before["environment"], after["environment"])
        assert before["since"] < after["since"]
        assert 0 == ended(process)
        assert process.stdout is not None
        assert "Talk to it here with" in process.stdout.read()


def test_the_language_stays(run: Run, environ: dict[str, str]) -> None:
    with started(environ, "--lang", "zh", "start", "--no-browser") as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(3)]
        assert 0 == run("restart").returncode
        assert first[1:] == [process.stdout.readline() for _ in range(3)][1:]
        assert "按 Ctrl-C 停止。\n" == first[2]


def test_settings_that_are_not_valid_stop_nothing(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    with running(environ):
        (home / "clawdbot.yaml").write_text("gatway: {}")
        assert 78 == run("restart").returncode
        assert 0 == run("status").returncode


def test_without_a_service_it_says_so(run: Run) -> None:
    done = run("restart")
    assert 69 == done.returncode
    assert "The service is not running." in done.stderr
