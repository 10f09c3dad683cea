"""What we write: nothing that is not valid, nothing that is fixed elsewhere, nothing half."""

from pathlib import Path

import pytest

from clawdbot.config.load import Loaded, load
from clawdbot.config.save import prepared
from clawdbot.domain.errors import SettingsInvalid
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Value

PAIR = ("MODEL_ENDPOINT_URL", "MODEL_PROVIDER_AUTH")
ENDPOINT = {
    "providers.external.url": "https://new.test",
    "providers.external.auth": "secret://model",
}


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    return load(tmp_path, {}, {})


def again(loaded: Loaded) -> Loaded:
    return load(loaded.home, loaded.environ, loaded.sections)


def test_settings_go_to_our_file_and_none_takes_away(loaded: Loaded) -> None:
    values: dict[str, Value] = {
        "gateway.port": 9000,
        "timezone": "Asia/Shanghai",
        "providers.x.url": "http://x.test",
    }
    prepared(loaded, values | {"gateway.trusted_proxies": ["10.0.0.1", "${not"]})()
    after = again(loaded)
    assert (9000, "Asia/Shanghai") == (after.core.gateway.port, after.core.timezone)
    assert ("10.0.0.1", "${not") == after.core.gateway.trusted_proxies
    prepared(after, {"gateway.port": None, "language": "zh"})()
    after = again(loaded)
    assert (8080, "zh") == (after.core.gateway.port, after.core.language)
    assert "http://x.test" == after.core.providers["x"].url
    assert "port" not in (loaded.home / "settings.yaml").read_text()
    path = loaded.home / "settings.yaml"
    assert 0o600 == path.stat().st_mode & 0o777
    assert [path] == list(loaded.home.iterdir())


def test_nothing_is_written_before_it_is_asked_for(loaded: Loaded) -> None:
    save = prepared(loaded, {"language": "zh"})
    assert [] == list(loaded.home.iterdir())
    save()
    assert "zh" == again(loaded).core.language


def test_an_endpoint_of_the_env_file_makes_way_for_a_new_one(loaded: Loaded) -> None:
    path = loaded.home / ".env"
    path.write_text("# mine\nexport MODEL_PROVIDER_AUTH=old\nMODEL_ENDPOINT_URL=http://x\nA='b'\n")
    before = again(loaded)
    assert Secret("old") == before.core.providers["external"].auth
    prepared(before, ENDPOINT, PAIR)()
    external = again(loaded).core.providers["external"]
    assert ("https://new.test", "secret://model") == (external.url, external.auth.reveal())
    assert "# mine\nA='b'\n" == path.read_text()
    assert 0o600 == path.stat().st_mode & 0o777


def test_the_env_file_and_the_environment_stand_above_what_set_up_wrote(loaded: Loaded) -> None:
    prepared(loaded, ENDPOINT | {"providers.external.model": "m"})()
    pair = {"MODEL_ENDPOINT_URL": "http://own.test", "MODEL_PROVIDER_AUTH": ""}
    (loaded.home / ".env").write_text("".join(f"{k}={v}\n" for k, v in pair.items()))
    for found in (again(loaded), load(loaded.home, pair, {})):
        external = found.core.providers["external"]
        assert ("http://own.test", Secret(""), "m") == (external.url, external.auth, external.model)
    assert ".env" == again(loaded).origins["providers.external.url"]


def test_what_is_fixed_elsewhere_is_refused_with_its_place(loaded: Loaded) -> None:
    own = loaded.home / "clawdbot.yaml"
    own.write_text("language: zh\n")
    environ = {PAIR[0]: "https://m.test", PAIR[1]: "key"}
    fixed = load(loaded.home, environ, {})
    with pytest.raises(SettingsInvalid, match=r"language is fixed by clawdbot\.yaml:1\. Change"):
        prepared(fixed, {"language": "en"})
    with pytest.raises(SettingsInvalid, match=r"providers\.external\.url is fixed by environment"):
        prepared(fixed, {"providers.external.url": "https://evil.test"})
    with pytest.raises(SettingsInvalid, match="MODEL_ENDPOINT_URL is fixed by environment"):
        prepared(fixed, {}, PAIR)
    assert [own] == list(loaded.home.iterdir())
    assert "language: zh\n" == own.read_text()


def test_what_would_not_be_valid_is_not_written(loaded: Loaded) -> None:
    for key in ("gateway.prot", "gateway.port", "providers.a b.url"):
        with pytest.raises(SettingsInvalid, match=r"settings\.yaml:"):
            prepared(loaded, {key: "x"})
    assert [] == list(loaded.home.iterdir())
