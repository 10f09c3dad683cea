"""`clawdbot stop`: by the socket, else by the lock's process, never a stranger's."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.command import running, scripted
from tests.integration.cli.conftest import Run
from tests.patience import PATIENCE_S


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    scripted(home)


def test_the_service_ends_cleanly(run: Run, environ: dict[str, str], home: Path) -> None:
    with running(environ) as process:
        done = run("stop")
        assert (0, "The service has stopped.\n", "") == (done.returncode, done.stdout, done.stderr)
        assert 0 == process.wait(PATIENCE_S)
    assert not (home / "clawdbot.sock").exists()


def test_nothing_to_stop_is_no_failure(run: Run) -> None:
    done = run("stop")
    assert (0, "The service does not run.\n", "") == (done.returncode, done.stdout, done.stderr)


def test_a_service_that_does_not_listen_is_found_by_its_lock(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    with running(environ) as process:
        (home / "clawdbot.sock").unlink()
        assert 0 == run("stop").returncode
        assert 0 == process.wait(PATIENCE_S)


def test_a_process_that_does_not_hold_the_lock_is_left_alone(run: Run, home: Path) -> None:
    stranger = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(stranger, stdin=subprocess.PIPE) as process:
        with (home / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(f"{process.pid}\n")
            file.flush()
            done = run("stop")
            assert 77 == done.returncode
            assert "is not ours to stop" in done.stderr
        assert process.poll() is None
