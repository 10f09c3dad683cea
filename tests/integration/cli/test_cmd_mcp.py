"""`clawdbot mcp`: the servers of the settings, with a service and without."""

import json
from pathlib import Path

import msgspec
import pytest

from tests.fakes.command import running, scripted
from tests.integration.cli.conftest import Run
from tests.integration.tools.test_servers import server


@pytest.fixture
def servers(home: Path, tmp_path: Path) -> Path:
    scripted(home)
    folder = tmp_path / "server"
    made = server(folder)
    written = {"mcp": {"servers": {"say": {"command": made.command, "folder": made.folder}}}}
    with (home / "clawdbot.yaml").open("ab") as file:
        file.write(b"\n" + msgspec.yaml.encode(written))
    return folder


def good(run: Run, *args: str) -> str:
    done = run("mcp", *args)
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def test_a_server_is_looked_at_and_trusted_without_a_service(run: Run, servers: Path) -> None:
    assert "say\toff\tread\t\n" == good(run, "list")
    assert "say_echo: Say it again" in good(run, "show", "say")
    assert "say: trusted (read)" in good(run, "trust", "say")
    assert "say\toff\tread\techo\n" == good(run, "list")
    [shown] = json.loads(good(run, "list", "--json"))
    assert "echo" == shown["tools"][0]["name"]
    done = run("mcp", "trust", "other")
    assert 65 == done.returncode
    assert "The settings name no such server." in done.stderr


def test_a_running_service_takes_a_decision_and_the_doctor_tells(
    run: Run, environ: dict[str, str], servers: Path
) -> None:
    with running(environ):
        until(run, "say\tnot trusted\tread\t\n")
        [ill] = doctor(run)
        assert ("MCP: say", False) == (ill["area"], ill["ok"])
        assert "clawdbot mcp trust say" in str(ill["remedy"])
        good(run, "trust", "say")
        until(run, "say\trunning\tread\techo\n")
        [well] = doctor(run)
        assert (True, "tools: 1", "") == (well["ok"], well["text"], well["remedy"])


def until(run: Run, expected: str) -> None:
    """Look again, as a person would, until the list says it."""
    told = [good(run, "list")]
    while expected != told[-1]:
        assert len(told) < 30, told
        told.append(good(run, "list"))


def doctor(run: Run) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("doctor", "--json").stdout)
    return [each for each in found if str(each["area"]).startswith("MCP")]
