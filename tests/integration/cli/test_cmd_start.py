"""`clawdbot start`: in the foreground, in the background, once a folder, never half."""

import os
import re
import signal
import stat
import urllib.request
from pathlib import Path

import pytest

from tests.fakes.command import ended, fed, running, scripted, started
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_cmd_setup import PASSWORD


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    scripted(home)


@pytest.fixture
def background(run: Run):
    """Start services in the background; they end with the test."""
    yield lambda *args, **more: run("start", "--background", *args, **more)
    assert 0 == run("stop", PYTHONSAFEPATH="1").returncode


def test_the_foreground_tells_the_set_up_link_what_is_next_and_how_to_stop(
    environ: dict[str, str],
) -> None:
    with started(environ, "start", "--no-browser") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert re.fullmatch(
            r"Clawdbot runs\. Set it up within 15 minutes at http://127\.0\.0\.1:\d+/setup#\S{20,}\n",
            lines[0],
        )
        assert ["Talk to it here with `clawdbot chat`.\n", "Stop it with Ctrl-C.\n"] == lines[1:]
        assert 0 == ended(process, signal.SIGINT)
        assert ("", "") == process.communicate()


def test_who_owns_the_assistant_gets_no_set_up_link(environ: dict[str, str]) -> None:
    args = ("--name", "Ada", "--stdin", "password")
    done = fed(environ, f"{PASSWORD}\n", "setup", *args)
    assert 0 == done.returncode, done.stderr
    with started(environ, "start", "--no-browser") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert re.fullmatch(r"Clawdbot runs\. Control panel: http://127\.0\.0\.1:\d+\n", first)


def test_a_second_service_on_the_folder_is_refused(run: Run, environ: dict[str, str]) -> None:
    with running(environ):
        done = run("start", "--no-browser")
        assert (75, "") == (done.returncode, done.stdout)
        assert "Another clawdbot uses this data folder" in done.stderr
        assert 75 == run("start", "--background").returncode


def test_the_background_runs_on_and_is_private(run: Run, background: Run, home: Path) -> None:
    done = background()
    assert (0, "") == (done.returncode, done.stderr)
    address, pid = re.findall(r"http://127\.0\.0\.1:\d+|process \d+", done.stdout)
    with urllib.request.urlopen(f"{address}/readyz") as answer:
        assert 200 == answer.status
    assert pid.split()[1] in run("status").stdout
    log = home / "logs/start.log"
    assert (0o600, "") == (stat.S_IMODE(log.stat().st_mode), log.read_text())
    assert 0 == run("stop").returncode
    assert 69 == run("status").returncode


def test_the_port_is_an_option(background: Run, run: Run) -> None:
    port = _free_port()
    assert f"http://127.0.0.1:{port}/" in background("--port", str(port)).stdout


def test_what_keeps_the_background_from_starting_is_told(run: Run, home: Path) -> None:
    (home / "clawdbot.yaml").write_text("gatway: {port: 0}")
    done = run("start", "--background")
    assert (78, "") == (done.returncode, done.stdout)
    assert "The service did not start.\n" in done.stderr
    assert "clawdbot.yaml:1: gatway: unknown; did you mean gateway?" in done.stderr


def test_a_taken_port_is_told(run: Run, environ: dict[str, str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for how in ("--no-browser", "--background"):
            done = run("start", how, "--port", port)
            assert (1, "") == (done.returncode, done.stdout)
            assert f"127.0.0.1:{port}: This port is in use." in done.stderr


def test_a_module_in_the_working_folder_is_not_ours(background: Run, tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text("raise SystemExit('planted')")
    assert 0 == background(PYTHONSAFEPATH="1").returncode


def test_no_browser_is_opened_where_nobody_looks(environ: dict[str, str], tmp_path: Path) -> None:
    tools, seen = tmp_path / "bin", tmp_path / "seen"
    tools.mkdir()
    (tools / "xdg-open").write_text(f'#!/bin/sh\necho "$1" >> {seen}\n')
    (tools / "xdg-open").chmod(0o755)
    path = f"{tools}:{environ['PATH']}"
    remote = {"DISPLAY": ":0", "PATH": path, "SSH_TTY": "/dev/pts/0"}
    with started(environ | remote, "start") as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 0 == ended(process)
    assert not seen.exists()


def test_the_folder_is_private(environ: dict[str, str], home: Path) -> None:
    home.chmod(0o755)
    old = os.umask(0o022)
    try:
        with running(environ):
            pass
    finally:
        os.umask(old)
    ours = [home, *(path for path in home.rglob("*") if path.name != "script.yaml")]
    assert set() == {path for path in ours if path.stat().st_mode & 0o077}


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
