"""Sealing: AES-256-GCM, bound to the `id` of what is sealed; where keys come from is for `Keys`.

    sealed = version (1 byte) | name of the key (8) | nonce (12) | ciphertext and tag (16)

A value that was changed, cut, moved to another id or sealed under a key that is not here raises
SealBroken, never garbage. The library is loaded with the first value: a start does not pay for it.
"""

import hmac
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from clawdbot.domain.errors import SealBroken

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32

_VERSION = b"\x01"
_NAME_BYTES = 8
_NONCE_BYTES = 12
_HEAD_BYTES = 1 + _NAME_BYTES
_LEAST_BYTES = _HEAD_BYTES + _NONCE_BYTES + 16


class Keys(Protocol):
    """Where the master keys come from."""

    def read(self) -> tuple[bytes, ...]:
        """Give them, the newest first; none where none was made yet."""

    def renew(self) -> None:
        """Put a fresh one in front; raises SettingsInvalid where they are not ours to write."""

    def retire(self) -> None:
        """Keep only the newest."""


class Key:
    """One key and what it seals."""

    __slots__ = ("_cipher", "_text", "name")

    def __init__(self, text: bytes) -> None:
        """Use a key of 32 bytes; its name tells which it is, and nothing of it."""
        self.name = sha256(b"clawdbot key name\0" + text).digest()[:_NAME_BYTES]
        self._text = text
        self._cipher: AESGCM | None = None

    def seal(self, id: str, data: bytes) -> bytes:  # noqa: A002 - the word of the schema
        """Seal bytes for a row."""
        nonce = os.urandom(_NONCE_BYTES)  # decides nothing: a second run seals as well
        head = _VERSION + self.name
        return head + nonce + self._aes().encrypt(nonce, data, head + id.encode())

    def open(self, id: str, sealed: bytes) -> bytes:  # noqa: A002
        """Open what was sealed for a row; raises SealBroken."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see above

        head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        try:
            if len(sealed) < _LEAST_BYTES or not self.made(sealed):
                raise SealBroken
            rest = sealed[_HEAD_BYTES + _NONCE_BYTES :]
            return self._aes().decrypt(nonce, rest, head + id.encode())
        except InvalidTag as error:
            raise SealBroken from error

    def mac(self, text: str) -> str:
        """Name a text as nobody without this key can, not even by guessing it."""
        return hmac.new(self._text, b"clawdbot mac\0" + text.encode(), sha256).hexdigest()

    def made(self, sealed: bytes) -> bool:
        """Tell whether this key sealed it, by its name alone."""
        return sealed[:_HEAD_BYTES] == _VERSION + self.name

    def _aes(self) -> "AESGCM":
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

            self._cipher = AESGCM(self._text)
        return self._cipher


class Vault:
    """Seals under the newest master key, opens under each; keys are read when first needed."""

    def __init__(self, keys: Keys) -> None:
        """Take keys from a source."""
        self._source = keys
        self._keys: tuple[Key, ...] = ()

    def seal(self, id: str, data: bytes) -> bytes:  # noqa: A002
        """Seal bytes for a row; makes the master key where there is none yet."""
        if not (known := self._known()):
            self.renew()
            known = self._known()
        return known[0].seal(id, data)

    def open(self, id: str, sealed: bytes) -> bytes:  # noqa: A002
        """Open what was sealed for a row; raises SealBroken."""
        if not (known := self._known()):
            raise SealBroken("The master key is missing. Bring back the file clawdbot-key.")
        made = (key for key in known if key.made(sealed))
        return next(made, known[0]).open(id, sealed)

    def renew(self) -> None:
        """Seal under a fresh master key from now on; the older ones still open."""
        self._source.renew()
        self._keys = ()

    def retire(self) -> None:
        """Forget the older keys, once everything is sealed under the newest."""
        self._source.retire()
        self._keys = ()

    def _known(self) -> tuple[Key, ...]:
        # The writer's thread asks too: what is given is what was looked at.
        known = self._keys or tuple(map(Key, self._source.read()))
        self._keys = known
        return known
