"""The master key: a systemd credential, else a private file that is made with the first secret.

Both hold keys of 64 hexadecimal digits, a line each, the newest first.
"""

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from clawdbot.config.home import write
from clawdbot.domain.errors import SettingsInvalid

FILE = "clawdbot-key"

_BYTES = 32
_LIMIT = 4096


class MasterKey:
    """Gives the store's vault its keys (the port `Keys`)."""

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        """Look for the credential first; nothing is read yet."""
        given = Path(environ.get("CREDENTIALS_DIRECTORY") or home, FILE)
        self._given = given.parent != home and given.exists()
        self._path = given if self._given else home / FILE

    def read(self) -> tuple[bytes, ...]:
        """Give the keys, the newest first; none where no file was made yet."""
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._wrong("The master key cannot be read.") from error
        try:
            self._check(os.fstat(file).st_mode)
            lines = os.read(file, _LIMIT).split()
        finally:
            os.close(file)
        try:
            keys = tuple(bytes.fromhex(line.decode("ascii")) for line in lines)
        except ValueError as error:
            raise self._malformed() from error
        if not keys or {len(key) for key in keys} != {_BYTES}:
            raise self._malformed()
        return keys

    def renew(self) -> None:
        """Put a fresh key in front; systemd's credential must have been given one already."""
        if not self._given:
            self._write((secrets.token_bytes(_BYTES), *self.read()))
        elif len(self.read()) == 1:
            raise self._wrong(
                "The master key comes from systemd. Put a new one on a line before it, restart, "
                "and rotate again."
            )

    def retire(self) -> None:
        """Keep only the newest key; a credential is systemd's to change."""
        if not self._given:
            self._write(self.read()[:1])

    def _write(self, keys: tuple[bytes, ...]) -> None:
        write(self._path, "".join(f"{key.hex()}\n" for key in keys))

    def _check(self, mode: int) -> None:
        if not stat.S_ISREG(mode):
            raise self._wrong("The master key cannot be read.")
        if mode & 0o077:
            raise self._wrong("Others can read the master key. Run `chmod 600` on this file.")

    def _malformed(self) -> SettingsInvalid:
        return self._wrong("A master key is 64 hexadecimal digits on a line of its own.")

    def _wrong(self, sentence: str) -> SettingsInvalid:
        return SettingsInvalid(f"{self._path}: {sentence}")
