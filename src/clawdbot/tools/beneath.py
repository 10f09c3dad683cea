"""Files beneath a folder, and nowhere else: every step of a path is opened in the folder before it.

No link is followed, no step may be `..`, and a file that is swapped for a link while we look is
refused. Writes are atomic: the whole new file or the old one. Blocks; call it on a thread.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from clawdbot.domain.errors import ToolFailed

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
READ_MOST = 4 * 1024 * 1024


class Beneath:
    """A folder of the host, as far as one may look into it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes:
        """Read a file of at most READ_MOST bytes."""
        with (
            self._parent(path) as (folder, name),
            _opened(name, folder, path) as fd,
            os.fdopen(os.dup(fd), "rb") as file,
        ):
            data = file.read(READ_MOST + 1)
        if len(data) > READ_MOST:
            raise ToolFailed(f"{path} is larger than {READ_MOST >> 20} MiB.")
        return data

    def write(self, path: str, data: bytes) -> None:
        """Put a file in place of what is there, making the folders that lead to it."""
        with self._parent(path, make=True) as (folder, name):
            _refuse_others(name, folder, path)
            fresh = f".{secrets.token_hex(8)}"
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=folder)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(fd)
                os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with suppress(FileNotFoundError):
                    os.unlink(fresh, dir_fd=folder)
                raise

    def walk(self, path: str, most: int) -> list[tuple[str, int]]:
        """List files beneath a folder with their sizes, sorted; a folder's own name ends in `/`."""
        with self._folder(_steps(path), path) as folder:
            return list(_walked(folder, "", most))

    @contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        *above, name = _steps(path) or [""]
        if not name:
            raise ToolFailed("Name a file.")
        with self._folder(above, path, make=make) as folder:
            yield folder, name

    @contextmanager
    def _folder(self, steps: list[str], path: str, *, make: bool = False) -> Iterator[int]:
        with ExitStack() as stack:
            try:
                here = _entered(self._root, None, stack)
                for step in steps:
                    if make:
                        _made(step, here)
                    here = _entered(step, here, stack)
            except OSError as error:
                raise ToolFailed(f"There is no folder on the way to {path}.") from error
            yield here


def _entered(step: Path | str, above: int | None, stack: ExitStack) -> int:
    folder = os.open(step, _FOLDER, dir_fd=above)
    stack.callback(os.close, folder)
    return folder


def _made(step: str, above: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(step, 0o700, dir_fd=above)


def _steps(path: str) -> list[str]:
    steps = [step for step in path.split("/") if step not in {"", "."}]
    if ".." in steps or "\0" in path or path.startswith("/"):
        raise ToolFailed(f"{path!r} leads out of the folder.")
    return steps


@contextmanager
def _opened(name: str, folder: int, path: str) -> Iterator[int]:
    try:
        fd = os.open(name, os.O_RDONLY | _FILE, dir_fd=folder)
    except OSError as error:
        raise ToolFailed(f"There is no file {path}.") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ToolFailed(f"{path} is no ordinary file.")
        yield fd
    finally:
        os.close(fd)


def _refuse_others(name: str, folder: int, path: str) -> None:
    """Refuse to replace what is no ordinary file."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise ToolFailed(f"{path} is no ordinary file.")


def _walked(folder: int, above: str, most: int) -> Iterator[tuple[str, int]]:
    count = 0
    for name in sorted(os.listdir(folder)):
        entry = os.stat(name, dir_fd=folder, follow_symlinks=False)
        place = f"{above}{name}"
        if stat.S_ISREG(entry.st_mode):
            found = iter([(place, entry.st_size)])
        elif stat.S_ISDIR(entry.st_mode):
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                found = iter([(f"{place}/", 0), *_walked(inner, f"{place}/", most - count)])
            finally:
                os.close(inner)
        else:
            continue
        for one in found:
            if count >= most:
                return
            count += 1
            yield one
