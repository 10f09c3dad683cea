"""`clawdbot.app.unseal`: what settings name is opened for their own address, beside the owner."""

from functools import partial
from pathlib import Path

import pytest

from clawdbot.app.sections import SECTIONS
from clawdbot.app.unseal import DATA_FILE, unsealed
from clawdbot.channels.telegram.settings import Settings
from clawdbot.config.key import FILE, MasterKey
from clawdbot.config.load import Loaded, load
from clawdbot.domain.errors import SettingsInvalid
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Store
from clawdbot.store import secrets, sqlite
from clawdbot.store.vault import Vault

SETTINGS = """
providers:
  one: {url: "https://one.test/v1", auth: "secret://one"}
  two: {url: "https://two.test", auth: "env:TWO"}
mcp: {servers: {time: {command: [x], env: {KEY: "secret://time", MORE: "env:TWO"}}}}
search: {url: "http://search.test", key: "secret://search"}
channels:
  telegram:
    main: {token: "secret://bot", secret: "secret://hook", base_url: "http://127.0.0.1:81"}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "clawdbot.yaml").write_text(SETTINGS)
    (tmp_path / "data").mkdir()
    return load(tmp_path, {"TWO": "second"}, SECTIONS)


def kept(loaded: Loaded, name: str, *origins: str) -> secrets.Sealed:
    vault = Vault(MasterKey(loaded.home, {}))
    new = secrets.New(id=name, name=name, text=Secret(f"text-{name}"), origins=origins, now=1.0)
    return secrets.seal(vault, new)


async def test_secrets_are_opened_while_the_database_is_in_use(loaded: Loaded) -> None:
    rows = [
        kept(loaded, "one", "one.test"),
        kept(loaded, "bot", "http://127.0.0.1:81"),
        kept(loaded, "hook", "http://127.0.0.1:81"),
        kept(loaded, "search", "http://search.test"),
        kept(loaded, "time"),
    ]
    async with sqlite.opened(loaded.home / DATA_FILE, Store()) as db:
        for row in rows:
            await db.write(partial(secrets.put, row=row))
        found = unsealed(loaded)
    auth = {name: provider.auth.reveal() for name, provider in found.core.providers.items()}
    assert ("text-one", "second") == (auth["one"], auth["two"])
    assert Secret("text-search") == found.core.search.key
    server = found.core.mcp.servers["time"]
    assert {"KEY": Secret("text-time"), "MORE": Secret("second")} == server.env
    main = found.channels["telegram"]["main"]
    assert isinstance(main, Settings)
    assert ("text-bot", "text-hook") == (main.token.reveal(), main.secret.reveal())
    # All that is to be masked in logs, and no name of a secret.
    assert not any(s.reveal().startswith("secret://") for s in found.secrets)
    assert {"text-one", "text-bot", "text-hook"} <= {s.reveal() for s in found.secrets}


async def test_every_one_that_cannot_be_is_told_with_its_place(loaded: Loaded) -> None:
    with pytest.raises(SettingsInvalid) as told:
        unsealed(loaded)
    assert not (loaded.home / DATA_FILE).exists(), "looking must not make a database"
    row = kept(loaded, "one", "two.test")
    async with sqlite.opened(loaded.home / DATA_FILE, Store()) as db:
        await db.write(lambda tx: secrets.put(tx, row))
        with pytest.raises(SettingsInvalid) as now:
            unsealed(loaded)
    place = "clawdbot.yaml:3: providers.one.auth: "
    lines, after = str(told.value).split("\n"), str(now.value).split("\n")
    assert f"{place}there is no secret one; set it with `clawdbot secret set one`" == lines[0]
    assert (
        f"{place}the secret one is not bound to this address; set it again with --origin"
        == (after[0])
    )
    assert 5 == len(lines) == len(after)


def test_settings_without_secrets_cost_nothing(tmp_path: Path) -> None:
    loaded = load(tmp_path, {}, SECTIONS)
    (tmp_path / FILE).write_text("not even a key")
    assert loaded is unsealed(loaded)
