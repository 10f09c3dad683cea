"""Secrets for the browser: what a plugin gets in their place, and their text for the broker."""

from collections.abc import Mapping

from msgspec import Struct

from clawdbot.domain.errors import BadInput
from clawdbot.domain.ports import Db, Tx
from clawdbot.domain.secret import Secret
from clawdbot.store import secrets
from clawdbot.store.secrets import PREFIX, Sealed
from clawdbot.store.vault import Vault


class Keyring(Struct, frozen=True):
    """Opens secrets: for an origin that they are bound to, or for the names of their fields."""

    db: Db
    vault: Vault

    async def text(self, name: str, origin: str) -> Secret:
        """Give the text of a secret to send to an origin; raises Denied."""
        return await self.db.read(
            lambda tx: secrets.resolve(tx, self.vault, f"{PREFIX}{name}", origin)
        )

    async def tokens(self, name: str) -> dict[str, str]:
        """Give a token for each field of a secret; raises BadInput."""
        from clawdbot.sandbox import webdriver  # noqa: PLC0415 - for those who browse

        row = await self.db.read(lambda tx: _known(tx, name))
        return webdriver.tokens(name, secrets.reveal(self.vault, row).reveal())

    async def hosts(self, names: frozenset[str]) -> tuple[str, ...]:
        """List the hosts that secrets are bound to, as rules of an allow-list."""
        rows = await self.db.read(lambda tx: [_known(tx, name) for name in sorted(names)])
        return tuple(rule for row in rows for origin in row.bound for rule in _rules(origin))

    async def held(self, value: object, names: set[str]) -> object:
        """Put tokens in place of every `secret://name` in a call's arguments; adds the names."""
        match value:
            case str() if value.startswith(PREFIX) and "#" not in value:
                names.add(name := value.removeprefix(PREFIX))
                return await self.tokens(name)
            case Mapping():
                return {key: await self.held(each, names) for key, each in value.items()}
        return value


def _known(tx: Tx, name: str) -> Sealed:
    if (row := secrets.get(tx, name)) is None:
        raise BadInput("There is no secret of that name.")
    return row


def _rules(origin: str) -> tuple[str, ...]:
    scheme, _, place = origin.partition("://")
    port = place.rpartition("]")[2].partition(":")[2]
    return (place,) if port else (place, f"{place}:{443 if scheme == 'https' else 80}")
