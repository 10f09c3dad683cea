"""`clawdbot mcp`: the servers of the settings, with a service and without."""

import json
from pathlib import Path

import msgspec
import pytest

from tests.fakes.command import scripted
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
