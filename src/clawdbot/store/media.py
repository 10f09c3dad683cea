"""Files that people sent: a row for each who has it, the bytes on the disk once, by their hash.

A file gets its name in one step, when it is whole and on the disk. A file without a row belongs to
nobody: `Files.sweep` removes it. All of `Files` blocks.
"""

import hashlib
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct, field
from msgspec.structs import asdict

from clawdbot.domain.media import HEAD_BYTES
from clawdbot.domain.ports import Tx

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PREFIX = 2


class Row(Struct, frozen=True):
    """A user's file; `kind` is what its bytes say."""

    id: str
    user_id: str
    hash: str
    name: str
    kind: str
    size: int
    created_at: float


def add(tx: Tx, row: Row) -> None:
    """Keep that a user has a file."""
    tx.run("media.add", **asdict(row))


def get(tx: Tx, user: str, id_: str) -> Row | None:
    """Read a user's file; None where it is not theirs."""
    return tx.one(Row, "media.get", id=id_, user_id=user)


def used(tx: Tx, user: str) -> int:
    """Sum up the bytes that a user has."""
    return tx.one(int, "media.used", user_id=user) or 0


def said(tx: Tx, id_: str, conversation: str, now: float) -> None:
    """Note that a file was part of a message: with its first conversation it will be forgotten."""
    tx.run("media.said", id=id_, conversation=conversation, now=now)


def known(tx: Tx, prefix: str) -> set[str]:
    """List the hashes with a beginning that somebody has."""
    return set(tx.all(str, "media.known", first=prefix, last=f"{prefix}g"))


def expire(tx: Tx, old: float, unsent: float) -> None:
    """Forget files made before `old`, and those made before `unsent` that were never sent."""
    tx.run("media.expire", old=old, unsent=unsent)


def forget(tx: Tx, user: str, most: int) -> set[str]:
    """Forget some of a user's files; give their hashes."""
    return set(tx.all(str, "media.forget", user_id=user, most=most))


class Draft(Struct):
    """A file that is being written, under a name that nobody asks for."""

    name: str
    file: BinaryIO
    size: int = 0
    head: bytes = b""
    _sum: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        """Add to it; raises OSError."""
        self.file.write(data)
        self.file.flush()
        self._sum.update(data)
        self.size += len(data)
        self.head += data[: HEAD_BYTES - len(self.head)]

    @property
    def hash(self) -> str:
        """Tell the hash of what was written."""
        return self._sum.hexdigest()


class Files:
    """The bytes, beneath one folder (0700, files 0600): `ab/cd...` by their SHA-256."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, hashed: str) -> Path:
        """Tell where a file is."""
        return self._root / hashed[:_PREFIX] / hashed[_PREFIX:]

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """Begin a file; what was not kept is gone at the end."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f".{secrets.token_hex(8)}"
        with self._entered() as root:
            fd = os.open(name, _NEW, 0o600, dir_fd=root)
            try:
                with os.fdopen(fd, "wb") as file:
                    yield Draft(name, file)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=root)

    def keep(self, draft: Draft) -> None:
        """Give a whole file its name, on the disk for good."""
        os.fsync(draft.file.fileno())
        prefix, name = draft.hash[:_PREFIX], draft.hash[_PREFIX:]
        with self._entered() as root, suppress(FileExistsError):
            os.mkdir(prefix, 0o700, dir_fd=root)
            os.fsync(root)
        with self._entered() as root, self._entered(prefix) as folder:
            os.rename(draft.name, name, src_dir_fd=root, dst_dir_fd=folder)
            os.fsync(folder)

    def read(self, hashed: str, most: int) -> bytes:
        """Read the first bytes of a file; raises OSError."""
        with self._entered(hashed[:_PREFIX]) as folder:
            fd = os.open(hashed[_PREFIX:], _READ, dir_fd=folder)
        with os.fdopen(fd, "rb") as file:
            return file.read(most)

    def remove(self, hashed: str) -> None:
        """Remove a file that nobody has."""
        with suppress(FileNotFoundError), self._entered(hashed[:_PREFIX]) as folder:
            os.unlink(hashed[_PREFIX:], dir_fd=folder)

    def prefixes(self) -> list[str]:
        """List the folders that there are."""
        return sorted(name for name in self._names() if len(name) == _PREFIX)

    def sweep(self, prefix: str, known: Collection[str]) -> int:
        """Remove from a folder what is not known; sum up the bytes that stay."""
        size = 0
        with self._entered(prefix) as folder, os.scandir(folder) as entries:
            for entry in entries:
                if prefix + entry.name in known:
                    size += entry.stat(follow_symlinks=False).st_size
                else:
                    os.unlink(entry.name, dir_fd=folder)
        return size

    def drafts(self) -> list[str]:
        """List what is being written, or was begun by an earlier life of ours."""
        return [name for name in self._names() if name.startswith(".")]

    def discard(self, drafts: Collection[str]) -> None:
        """Remove what nobody writes on any more."""
        with self._entered() as root:
            for name in drafts:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=root)

    def _names(self) -> list[str]:
        return [path.name for path in self._root.iterdir()] if self._root.exists() else []

    @contextmanager
    def _entered(self, *steps: str) -> Iterator[int]:
        """Open a folder of ours by its handle, following no link."""
        with ExitStack() as stack:
            here = os.open(self._root, _FOLDER)
            stack.callback(os.close, here)
            for step in steps:
                here = os.open(step, _FOLDER, dir_fd=here)
                stack.callback(os.close, here)
            yield here
