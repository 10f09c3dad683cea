"""Sealed secrets: `secret://name` elsewhere, the text only here, for the origins it is bound to.

Name and origins are sealed with the text: who can write to the table can send none elsewhere.
"""

import re
from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict, replace

from clawdbot.domain.errors import BadInput, Denied
from clawdbot.domain.origin import origin_of
from clawdbot.domain.ports import Tx
from clawdbot.domain.secret import Secret
from clawdbot.store.vault import Vault

PREFIX = "secret://"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_LONGEST = 64 * 1024


class Sealed(msgspec.Struct, frozen=True):
    """A secret as it is kept; `user_id` is whose it is, empty where it is the house's."""

    name: str
    id: str
    sealed: bytes
    origins: bytes
    user_id: str
    created_at: float
    rotated_at: float | None = None

    @property
    def bound(self) -> tuple[str, ...]:
        """Read the origins that it may be sent to."""
        return msgspec.json.decode(self.origins, type=tuple[str, ...])


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A secret about to be kept; without `origins` it is sent nowhere."""

    id: str
    name: str
    text: Secret
    origins: Iterable[str]
    now: float
    user: str = ""


def seal(vault: Vault, new: New) -> Sealed:
    """Check and seal a secret; raises BadInput."""
    if not _NAME.fullmatch(new.name):
        raise BadInput("A secret's name has at most 64 letters, digits, - and _.")
    try:
        origins = sorted({origin_of(origin) for origin in new.origins})
    except ValueError as error:
        message = "A secret is bound to hosts or to addresses that begin with https:// or http://."
        raise BadInput(message) from error
    bare = Sealed(new.name, new.id, b"", msgspec.json.encode(origins), new.user, new.now)
    return _sealed(vault, bare, _checked(new.text))


def renewed(vault: Vault, row: Sealed, id: str, text: Secret, now: float) -> Sealed:  # noqa: A002
    """Seal a new text for a secret; name and origins stay."""
    return _sealed(vault, replace(row, id=id, rotated_at=now), _checked(text))


def put(tx: Tx, row: Sealed) -> None:
    """Keep a secret, in place of an earlier one of its name."""
    tx.run("secrets.put", **asdict(row))


def get(tx: Tx, name: str) -> Sealed | None:
    """Read a secret as it is kept."""
    return tx.one(Sealed, "secrets.get", name=name)


def listed(tx: Tx) -> list[Sealed]:
    """List all secrets by name."""
    return tx.all(Sealed, "secrets.list")


def remove(tx: Tx, name: str) -> bool:
    """Forget a secret; False where there is none of that name."""
    return tx.run("secrets.remove", name=name) == 1


def resolve(tx: Tx, vault: Vault, reference: str, origin: str) -> Secret:
    """Give the text of `secret://name` to send to an address; raises Denied, or SealBroken.

    Call it with the address that is being connected to, after every other check of it.
    """
    row = get(tx, reference.removeprefix(PREFIX)) if reference.startswith(PREFIX) else None
    try:
        known = row is not None and origin_of(origin) in row.bound
    except ValueError:
        known = False
    if row is None or not known:
        raise Denied("There is no such secret for this address.")
    return reveal(vault, row)


def reveal(vault: Vault, row: Sealed) -> Secret:
    """Open a secret for our own use: nothing here checks where it goes."""
    return Secret(vault.open(_binding(row), row.sealed).decode(errors="surrogatepass"))


def reseal(tx: Tx, vault: Vault) -> None:
    """Seal every secret under the newest master key."""
    for row in listed(tx):
        put(tx, _sealed(vault, row, vault.open(_binding(row), row.sealed)))


def _checked(secret: Secret) -> bytes:
    text = secret.reveal().encode(errors="surrogatepass")
    if not 0 < len(text) <= _LONGEST:
        raise BadInput("A secret has at least one character and at most 64 KiB.")
    return text


def _sealed(vault: Vault, row: Sealed, text: bytes) -> Sealed:
    return replace(row, sealed=vault.seal(_binding(row), text))


def _binding(row: Sealed) -> str:
    return f"secrets {row.id} {row.name} {row.origins.decode()}"
