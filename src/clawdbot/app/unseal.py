"""`secret://name` in the settings becomes its text, where the section's own address may have it.

Reads the database beside whoever owns it, and nothing at all where no setting names a secret.
"""

from collections.abc import Iterator
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from clawdbot.config.key import MasterKey
from clawdbot.config.load import Loaded
from clawdbot.config.problems import Problems
from clawdbot.domain.origin import place_of
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Mcp
from clawdbot.store import secrets, sqlite
from clawdbot.store.secrets import PREFIX
from clawdbot.store.vault import Vault

S = TypeVar("S", bound=msgspec.Struct)

DATA_FILE = "data/clawdbot.db"


def unsealed(loaded: Loaded) -> Loaded:
    """Open every sealed secret of the settings; raises SettingsInvalid with a line for each bad."""
    own = {
        name: value
        for name in loaded.core.__struct_fields__
        if isinstance(value := getattr(loaded.core, name), msgspec.Struct)
    }
    servers = loaded.core.mcp.servers
    sections: list[msgspec.Struct] = [*own.values(), *loaded.core.providers.values()]
    sections += servers.values()
    sections += [section for kind in loaded.channels.values() for section in kind.values()]
    if not any(named for section in sections for named in _named(section)):
        return loaded
    opening = _Opening(loaded)
    opened: dict[str, msgspec.Struct] = {
        name: opening.section(section, name) for name, section in own.items()
    }
    providers = {
        name: opening.section(section, f"providers.{name}")
        for name, section in loaded.core.providers.items()
    }
    opened["mcp"] = Mcp(
        servers={n: opening.section(each, f"mcp.servers.{n}") for n, each in servers.items()}
    )
    channels = {
        kind: {
            name: opening.section(section, f"channels.{kind}.{name}")
            for name, section in accounts.items()
        }
        for kind, accounts in loaded.channels.items()
    }
    opening.problems.settle()
    return replace(
        loaded,
        core=msgspec.structs.replace(loaded.core, providers=providers, **opened),
        channels=channels,
        secrets=(*loaded.secrets, *opening.opened),
    )


class _Opening:
    """The secrets of one store, and what is wrong with what the settings want of them."""

    def __init__(self, loaded: Loaded) -> None:
        self.problems = Problems()
        self.opened: list[Secret] = []
        self._loaded = loaded
        self._vault = Vault(MasterKey(loaded.home, loaded.environ))
        path = loaded.home / DATA_FILE
        rows = sqlite.glance(path, secrets.listed) if path.exists() else []
        self._rows = {row.name: row for row in rows}

    def section(self, section: S, key: str) -> S:
        """Give a section with its secrets opened."""
        address = getattr(section, "url", "") or getattr(section, "base_url", "")
        fields: dict[str, object] = {}
        for field, name in _named(section):
            text = self._text(name, f"{key}.{field}", address)
            of, _, inner = field.partition(".")
            whole = fields.get(of, getattr(section, of))
            fields[of] = {**whole, inner: text} if isinstance(whole, dict) else text
        return msgspec.structs.replace(section, **fields) if fields else section

    def _text(self, name: str, key: str, address: str) -> Secret:
        row = self._rows.get(name)
        if row is None:
            self._say(
                key,
                "{key}: there is no secret {name}; set it with `clawdbot secret set {name}`",
                name,
            )
        elif address and place_of(address) not in row.bound:
            self._say(
                key,
                "{key}: the secret {name} is not bound to this address; set it again with --origin",
                name,
            )
        else:
            self.opened.append(text := secrets.reveal(self._vault, row))
            return text
        return Secret("")

    def _say(self, key: str, english: str, name: str) -> None:
        self.problems.say(self._loaded.origins.get(key, "default"), english, key=key, name=name)


def _named(section: msgspec.Struct) -> Iterator[tuple[str, str]]:
    """Find the fields of a section (`env.TOKEN`, one by a name) that name a sealed secret."""
    for field in section.__struct_fields__:
        value = getattr(section, field)
        by_name = value if isinstance(value, dict) else {}
        for key, each in {field: value, **{f"{field}.{n}": v for n, v in by_name.items()}}.items():
            if isinstance(each, Secret) and each.reveal().startswith(PREFIX):
                yield key, each.reveal().removeprefix(PREFIX)
