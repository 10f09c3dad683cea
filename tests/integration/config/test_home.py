"""The home folder on a real file system: private, whole, one process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clawdbot.config.home import lock, prepare, resolve, write
from clawdbot.domain.errors import HomeLocked, SettingsInvalid
from tests.patience import PATIENCE_S

HOLD = """
import sys
from pathlib import Path
from clawdbot.config.home import lock

from tests.patience import PATIENCE_S
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_the_folder_is_given_or_named_or_in_the_users_own(tmp_path: Path) -> None:
    environ = {"CLAWDBOT_HOME": str(tmp_path)}
    assert tmp_path / "x" == resolve(environ, str(tmp_path / "x"))
    assert tmp_path == resolve(environ)
    assert Path.home() / ".clawdbot" == resolve({"CLAWDBOT_HOME": ""})


def test_the_folder_and_what_comes_into_it_are_private(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    prepare(home)
    (home / "data").write_text("x")
    assert (0o700, 0o600) == (_mode(home), _mode(home / "data"))


def test_an_open_folder_of_ours_is_closed(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1")
    tmp_path.chmod(0o755)
    prepare(tmp_path)
    assert (0o700, 0o600) == (_mode(tmp_path), _mode(tmp_path / ".env"))


def test_a_strangers_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    tmp_path.chmod(0o755)
    with pytest.raises(SettingsInvalid, match="holds other files"):
        prepare(tmp_path)
    with pytest.raises(SettingsInvalid, match="cannot be used"):
        prepare(tmp_path / "thesis.txt")
    assert 0o755 == _mode(tmp_path)


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("old")
    path.chmod(0o644)
    (tmp_path / "..env.new").symlink_to(tmp_path / "elsewhere")
    write(path, "new\r\n中")
    assert ("new\r\n中".encode(), 0o600) == (path.read_bytes(), _mode(path))
    assert [path] == list(tmp_path.iterdir())


def test_one_process_owns_the_folder_until_it_is_killed(tmp_path: Path) -> None:
    with _holding(tmp_path) as holder:
        with pytest.raises(HomeLocked), lock(tmp_path):
            pass
        assert f"{holder.pid}\n" == (tmp_path / "lock").read_text()
        holder.send_signal(signal.SIGKILL)
        holder.wait(PATIENCE_S)
    with lock(tmp_path):
        assert f"{os.getpid()}\n" == (tmp_path / "lock").read_text()
        with _holding(tmp_path) as second:
            assert 1 == second.wait(PATIENCE_S)
    with lock(tmp_path):
        pass


@contextmanager
def _holding(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that takes the lock; it has it, or has ended, once this is entered."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        yield holder


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
