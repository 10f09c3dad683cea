"""The home folder: where it is, private to its user, and owned by one process at a time."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from clawdbot.domain.errors import HomeLocked, SettingsInvalid
from clawdbot.domain.text import say

_SOCKET_MOST = 100
_DESCRIPTORS = Path("/proc/self/fd")
_OURS = {".env", "clawdbot.yaml", "settings.yaml", "lock", "logs", "plugins"}


def resolve(environ: Mapping[str, str], given: str = "") -> Path:
    """Tell the folder: as given, else CLAWDBOT_HOME, else `~/.clawdbot`."""
    return Path(given or environ.get("CLAWDBOT_HOME") or "~/.clawdbot").expanduser().absolute()


def prepare(home: Path, language: str = "en") -> None:
    """Make the folder and everything later made by this process private (0700, 0600).

    Refuses a folder that holds other things, so that a wrong setting closes no stranger's folder.
    """
    os.umask(0o077)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = {entry.name for entry in home.iterdir()}
        if names and not names & _OURS:
            raise SettingsInvalid(
                say(
                    language,
                    "{home} holds other files. Choose an empty folder for CLAWDBOT_HOME.",
                    home=home,
                )
            )
        home.chmod(0o700)
        for name in names & {".env", "clawdbot.yaml", "settings.yaml"}:
            (home / name).chmod(0o600)
    except OSError as error:
        raise SettingsInvalid(
            say(
                language,
                "The folder {home} cannot be used: {reason}",
                home=home,
                reason=say(language, error.strerror or str(error)),
            )
        ) from error


def write(path: Path, text: str) -> None:
    """Replace a file by a private one with this text, whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(0o600, exist_ok=False)
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def socket(home: Path) -> str:
    """Name the Unix socket, in the form that fits unix(7)'s 108 bytes on Linux."""
    path = home / "clawdbot.sock"
    if len(os.fsencode(path)) < _SOCKET_MOST or not _DESCRIPTORS.exists():
        return str(path)
    # Open for good: the name holds as long as the process.
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    return str(_DESCRIPTORS / str(folder) / path.name)


@contextmanager
def lock(home: Path) -> Iterator[None]:
    """Own the folder; the kernel frees it with the process, however that ends.

    Raises HomeLocked where another process owns it.
    """
    path = home / "lock"
    path.touch(0o600)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HomeLocked from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
