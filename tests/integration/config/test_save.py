"""What we write: nothing that is not valid, nothing that is fixed elsewhere, nothing half."""

from pathlib import Path

import pytest

from clawdbot.config.load import Loaded, load
from clawdbot.config.save import Value, set_env, set_settings
from clawdbot.domain.errors import SettingsInvalid
from clawdbot.domain.secret import Secret

PAIR = {"MODEL_ENDPOINT_URL": Secret("https://m.test"), "MODEL_PROVIDER_AUTH": Secret("k'\"$`\\ #")}


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    return load(tmp_path, {}, {})


def test_keys_go_to_the_env_file_and_other_lines_stay(loaded: Loaded) -> None:
    path = loaded.home / ".env"
    path.write_text("# mine\nexport MODEL_PROVIDER_AUTH=old\nMODEL_ENDPOINT_URL=x\nA='b'  # c\n")
    external = set_env(loaded, PAIR).core.providers["external"]
    assert ("https://m.test", "k'\"$`\\ #") == (external.url, external.auth.reveal())
    lines = path.read_text().split("\n")
    assert ["# mine", "A='b'  # c", ""] == [lines[0], *lines[3:]]
    assert 0o600 == path.stat().st_mode & 0o777
    assert [path] == list(loaded.home.iterdir())


def test_settings_go_to_our_file_and_none_takes_away(loaded: Loaded) -> None:
    values: dict[str, Value] = {
        "gateway.port": 9000,
        "timezone": "Asia/Shanghai",
        "providers.x.url": "http://x.test",
    }
    after = set_settings(loaded, values | {"gateway.trusted_proxies": ["10.0.0.1", "${not"]})
    assert (9000, "Asia/Shanghai") == (after.core.gateway.port, after.core.timezone)
    assert ("10.0.0.1", "${not") == after.core.gateway.trusted_proxies
    after = set_settings(after, {"gateway.port": None, "language": "zh"})
    assert (8080, "zh") == (after.core.gateway.port, after.core.language)
    assert "http://x.test" == load(loaded.home, {}, {}).core.providers["x"].url
    assert 0o600 == (loaded.home / "settings.yaml").stat().st_mode & 0o777


def test_what_is_fixed_elsewhere_is_refused_with_its_place(loaded: Loaded) -> None:
    own = loaded.home / "clawdbot.yaml"
    own.write_text("language: zh\n")
    environ = {name: secret.reveal() for name, secret in PAIR.items()}
    fixed = load(loaded.home, environ, {}, language="en")
    with pytest.raises(SettingsInvalid, match=r"language is fixed by clawdbot\.yaml:1\. Change"):
        set_settings(fixed, {"language": "en"})
    with pytest.raises(SettingsInvalid, match=r"providers\.external\.url is fixed by environment"):
        set_settings(fixed, {"providers.external.url": "https://evil.test"})
    with pytest.raises(SettingsInvalid, match="MODEL_ENDPOINT_URL is fixed by environment"):
        set_env(fixed, PAIR)
    assert [own] == list(loaded.home.iterdir())
    assert "language: zh\n" == own.read_text()


def test_what_would_not_be_valid_is_not_written(loaded: Loaded) -> None:
    for key in ("gateway.prot", "gateway.port", "providers.a b.url"):
        with pytest.raises(SettingsInvalid, match=r"settings\.yaml:"):
            set_settings(loaded, {key: "x"})
    with pytest.raises(SettingsInvalid, match="belong together"):
        set_env(loaded, {"MODEL_PROVIDER_AUTH": Secret("alone")})
    with pytest.raises(SettingsInvalid, match="control characters"):
        set_env(loaded, PAIR | {"X": Secret("a'\nMODEL_ENDPOINT_URL=http://evil.test")})
    assert [] == list(loaded.home.iterdir())
