"""Settings from real files: which source wins, what is refused, what is said about it."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clawdbot.config.load import Loaded, likely_secrets, load, user_language
from clawdbot.domain.errors import SettingsInvalid
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Protocol, Route, Section, Session, When

PAIR = {"MODEL_ENDPOINT_URL": "https://model.test/v1", "MODEL_PROVIDER_AUTH": "sk-canary"}
CANARY = "canary-5f1e"


class Telegram(Section, frozen=True):
    token: Secret
    base_url: str = "https://api.telegram.test"
    session: Session = Session()


Load = Callable[..., Loaded]
Refuse = Callable[..., list[str]]


@pytest.fixture
def read(tmp_path: Path) -> Load:
    """Load from texts: `own` is clawdbot.yaml, `ours` settings.yaml."""

    def run(
        own: str | bytes = "", ours: str = "", env: str = "", environ: Mapping[str, str] = PAIR
    ) -> Loaded:
        data = own if isinstance(own, bytes) else own.encode()
        (tmp_path / "clawdbot.yaml").write_bytes(data)
        (tmp_path / "settings.yaml").write_text(ours)
        (tmp_path / ".env").write_text(env)
        return load(tmp_path, environ, {"telegram": Telegram})

    return run


@pytest.fixture
def refuse(read: Load) -> Refuse:
    """Load what is not valid and give the problems."""

    def run(*args: object, **sources: object) -> list[str]:
        with pytest.raises(SettingsInvalid) as caught:
            read(*args, **sources)
        assert CANARY not in str(caught.value)
        return str(caught.value).split("\n")

    return run


def test_nothing_written_is_valid_and_offline(read: Load) -> None:
    core = read(environ={}).core
    assert Protocol.OFFLINE is core.providers["fallback"].protocol
    assert "" == core.providers["external"].url
    expected = {
        "default": Route(provider="fallback"),
        "emergency": Route(provider="fallback", max_tokens=500),
    }
    assert expected == core.model_routing


def test_an_endpoint_alone_makes_external_the_default(read: Load) -> None:
    loaded = read()
    external = loaded.core.providers["external"]
    assert ("https://model.test/v1", "sk-canary") == (external.url, external.auth.reveal())
    assert Protocol.OPENAI is external.protocol
    assert "external" == loaded.core.model_routing["default"].provider
    assert "environment" == loaded.origins["providers.external.url"]


def test_the_missions_routing_is_read(read: Load) -> None:
    text = """
model_routing:
  default:
    provider: external
    max_tokens: 2000
    temperature: 0.7
  emergency:
    provider: fallback
    max_tokens: 500
  news: {provider: external, model: m, when: {channels: [telegram], users: [1234]}}
"""
    loaded = read(text)
    assert Route(provider="external") == loaded.core.model_routing["default"]
    assert When(channels=("telegram",), users=("1234",)) == loaded.core.model_routing["news"].when
    assert "clawdbot.yaml:6" == loaded.origins["model_routing.default.temperature"]


def test_the_documents_example_is_what_holds_without_it(read: Load) -> None:
    text = """
providers:
  external: {protocol: openai, url: "${MODEL_ENDPOINT_URL}", auth: "env:MODEL_PROVIDER_AUTH"}
  fallback: {protocol: offline}
channels:
  telegram:
    main: {token: "env:TELEGRAM_BOT_TOKEN", session: {access: pairing, idle: 90, max_age: 2d}}
"""
    token = {"TELEGRAM_BOT_TOKEN": "123:abc"}
    for environ in ({}, PAIR):
        loaded = read(text, environ=environ | token)
        assert read(environ=environ).core == loaded.core
        main = loaded.channels["telegram"]["main"]
        assert isinstance(main, Telegram)
        assert "123:abc" == main.token.reveal()
        assert (90, 172_800) == (main.session.idle_s, main.session.max_age_s)
        assert main.token in loaded.secrets


def test_the_sources_have_their_order(read: Load) -> None:
    ours = "timezone: Asia/Tokyo\ngateway: {port: 1, host: 0.0.0.0}\nlanguage: zh"
    loaded = read("gateway: {port: 2}\ntimezone: ${ZONE}", ours, "ZONE=Asia/Shanghai", environ={})
    assert (2, "0.0.0.0") == (loaded.core.gateway.port, loaded.core.gateway.host)
    assert ("Asia/Shanghai", "zh") == (loaded.core.timezone, loaded.core.language)
    assert "settings.yaml:2" == loaded.origins["gateway.host"]
    environ = {"ZONE": "Europe/Paris"}
    assert "Europe/Paris" == read("timezone: ${ZONE}", "", "ZONE=UTC", environ).core.timezone


def test_env_lines_are_a_shells(read: Load) -> None:
    env = "# keys\nexport MODEL_ENDPOINT_URL=http://h/v1 # here\r\nMODEL_PROVIDER_AUTH='a b\"#c'\n"
    external = read(env=env, environ={}).core.providers["external"]
    assert ("http://h/v1", 'a b"#c') == (external.url, external.auth.reveal())
    env = 'MODEL_ENDPOINT_URL="http://h/v1"\n\texport MODEL_PROVIDER_AUTH="q\\"\\$\\n"  # end'
    assert 'q"$\\n' == read(env=env, environ={}).core.providers["external"].auth.reveal()


def test_the_pair_comes_from_one_source(read: Load, refuse: Refuse) -> None:
    env = "MODEL_ENDPOINT_URL=https://other.test\nMODEL_PROVIDER_AUTH=other"
    external = read(env=env).core.providers["external"]
    assert ("https://model.test/v1", "sk-canary") == (external.url, external.auth.reveal())
    assert ".env" == read(env=env, environ={}).origins["providers.external.auth"]
    for name, value in PAIR.items():
        (line,) = refuse(env=env, environ={name: value})
        assert line.startswith("environment: MODEL_ENDPOINT_URL and MODEL_PROVIDER_AUTH belong")
        (line,) = refuse(env=f"{name}={value}", environ={})
        assert line.startswith(".env: ")


def test_an_endpoint_may_say_that_it_has_no_key(read: Load) -> None:
    environ = {"MODEL_ENDPOINT_URL": "http://127.0.0.1:1/v1", "MODEL_PROVIDER_AUTH": ""}
    external = read(environ=environ).core.providers["external"]
    assert ("http://127.0.0.1:1/v1", "") == (external.url, external.auth.reveal())


def test_a_key_follows_an_address_of_its_own_entry_only(read: Load, refuse: Refuse) -> None:
    own = 'providers: {x: {url: "https://x.test", auth: "env:MODEL_PROVIDER_AUTH"}}'
    alone = {"MODEL_PROVIDER_AUTH": "sk-canary"}
    assert "sk-canary" == read(own, environ=alone).core.providers["x"].auth.reveal()
    assert "fallback" == read(own, environ=alone).core.model_routing["default"].provider
    assert not read("providers: {external: {url: https://x.test}}").core.providers["external"].auth
    ours = 'providers: {x: {url: "https://ours.test", auth: "env:MODEL_PROVIDER_AUTH"}}'
    merged = read("providers: {x: {url: https://x.test}}", ours).core.providers["x"]
    assert ("https://x.test", "") == (merged.url, merged.auth.reveal())
    (line,) = refuse('providers: {x: {auth: "env:MODEL_PROVIDER_AUTH"}}')
    assert "clawdbot.yaml:1: providers.x.auth: needs its url in the same entry" == line
    (line,) = refuse(own, environ={})
    assert line.endswith("MODEL_PROVIDER_AUTH is set neither in the environment nor in .env")


def test_every_problem_is_told_at_once_with_its_place(refuse: Refuse) -> None:
    text = f"""gatway: {{port: 1}}
gateway: {{port: 70000, prot: 1}}
gateway: {{}}
timezone: Asia/Bejing
environment: prod
logs: [{CANARY}]
providers:
  x: {{url: "ftp://{CANARY}", timeout_s: soon, protocol: gemini, retries: 4}}
  a b: {{}}
  y: {{url: "https://y.test", auth: "secret://y y", model: "secret://y"}}
model_routing: {{default: {{provider: extrenal, temperature: hot}}, news: {{}}}}
channels:
  telegrm: {{}}
  telegram: {{main: {{session: {{idle: -4h, retention: 30d, while_busy: never}}}}}}
net: {{proxy: ["{CANARY}"], ca_file: "a\\0b"}}
language:
xyzzy: 1
"""
    place = "clawdbot.yaml"
    session = f"{place}:14: channels.telegram.main.session"
    expected = [
        f"{place}:1: gatway: unknown; did you mean gateway?",
        f"{place}:2: gateway.port: expected 0 .. 65535",
        f"{place}:2: gateway.prot: unknown; did you mean gateway.port?",
        f"{place}:3: gateway: written twice, first at clawdbot.yaml:2",
        f"{place}:4: timezone: unknown time zone",
        f"{place}:5: environment: expected production | staging | test",
        f"{place}:6: logs: expected a section with keys of its own",
        f"{place}:8: providers.x.url: expected https://... | http://...",
        f"{place}:8: providers.x.timeout_s: expected 30s | 10m | 4h | 7d",
        f"{place}:8: providers.x.protocol: expected openai | anthropic | offline | scripted",
        f"{place}:8: providers.x.retries: expected 0 .. 3",
        f"{place}:9: providers.a b: a name has at most 32 letters, digits, - and _",
        f"{place}:10: providers.y.auth: only a key or password is written secret://NAME",
        f"{place}:10: providers.y.model: only a key or password is written secret://NAME",
        f"{place}:11: extrenal: unknown; did you mean external?",
        f"{place}:11: model_routing.default.temperature: expected 0 .. 2",
        f"{place}:11: model_routing.news.provider: missing",
        f"{place}:13: channels.telegrm: unknown; did you mean channels.telegram?",
        f"{place}:14: channels.telegram.main.token: missing",
        f"{session}.idle: expected 30s | 10m | 4h | 7d",
        f"{session}.retention: no channel of this version uses it",
        f"{session}.while_busy: expected queue | collect | interrupt",
        f"{place}:15: control characters are not allowed",
        f"{place}:15: net.proxy: expected text",
    ]
    told = refuse(text)
    assert told.pop().startswith(f"{place}:17: xyzzy: unknown; known here: audit, budgets,")
    assert expected == sorted(told, key=expected.index)
    assert [line.split(": ")[0] for line in expected] == [line.split(": ")[0] for line in told]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x [1]\nb: [*x, *x]", "clawdbot.yaml:1: anchors and aliases are not allowed"),
        ("a: *x", "clawdbot.yaml:1: anchors and aliases are not allowed"),
        ("&x gateway: {}", "clawdbot.yaml:1: anchors and aliases"),
        ("? [a, b]\n: c", "clawdbot.yaml:1: a key must be a plain text"),
        (
            "\nlanguage: !!python/object/apply:os.system [x]",
            "clawdbot.yaml:2: tags are not allowed",
        ),
        ("language: !x en", "clawdbot.yaml:1: tags are not allowed"),
        ("language: en\n---\nlanguage: zh", "clawdbot.yaml:2: only one YAML document is allowed"),
        ("- language", "clawdbot.yaml:1: expected keys with values"),
        (f"gateway: {{port: 1\n  {CANARY}: [", "clawdbot.yaml:2: not valid YAML"),
        ("a: " + "[" * 100_000, "clawdbot.yaml:1: nested too deeply"),
        ("a: " + "{b: " * 100_000, "clawdbot.yaml:1: nested too deeply"),
        ("a: \x1b[31m", "clawdbot.yaml: control characters are not allowed"),
        (b"language: en\nx: \xff", "clawdbot.yaml:2: not UTF-8 text"),
        (b"\xff\xfel\x00a\x00", "clawdbot.yaml:1: not UTF-8 text"),
        ("#" * 1_048_577, "clawdbot.yaml: larger than 1 MiB"),
        ("language: ${" + "A" * 10 + "}", "clawdbot.yaml:1: AAAAAAAAAA is set neither in the"),
        ("net: {proxy: ${}}", "clawdbot.yaml:1:"),
        ("gateway: {port: 1" + "0" * 5000 + "}", "clawdbot.yaml:1: gateway.port: expected"),
        ("models: {first_token_s: .inf}", "clawdbot.yaml:1: models.first_token_s: expected"),
        ("timezone: ../../../etc/passwd", "clawdbot.yaml:1: timezone: unknown time zone"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_dangerous_yaml_is_refused(text: str | bytes, problem: str, refuse: Refuse) -> None:
    assert [] != [line for line in refuse(text) if line.startswith(problem)]


def test_a_bomb_costs_nothing(refuse: Refuse) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20)
    )
    assert ["clawdbot.yaml:1: anchors and aliases are not allowed"] == refuse(bomb)


def test_a_control_character_from_the_environment_is_refused(refuse: Refuse) -> None:
    (line,) = refuse("net:\n  ca_file: ${X}", environ={"X": "a\x1bb"})
    assert "clawdbot.yaml:2: control characters are not allowed" == line
    (line,) = refuse(environ=PAIR | {"MODEL_PROVIDER_AUTH": "a\udc80"})
    assert "environment: control characters are not allowed" == line


@pytest.mark.parametrize("line", ["NAME", "export", "1A=b", "A='b", 'A="b" c', "A B=c", "=x"])
def test_a_broken_env_line_is_refused_unseen(line: str, refuse: Refuse) -> None:
    assert [".env:2: expected NAME=value"] == refuse(env=f"X=1\n{line}\n")
    assert [".env:2: X: written twice"] == refuse(env="X=1\nexport X=2")


def test_only_files_are_read(tmp_path: Path, refuse: Refuse, read: Load) -> None:
    read()
    (tmp_path / ".env").unlink()
    (tmp_path / ".env").mkdir()
    (tmp_path / "settings.yaml").unlink()
    os.mkfifo(tmp_path / "settings.yaml")
    with pytest.raises(SettingsInvalid) as caught:
        load(tmp_path, {}, {})
    assert [".env: not a file", "settings.yaml: not a file"] == str(caught.value).split("\n")


def test_the_working_folder_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clawdbot.yaml").write_text("language: zh")
    (tmp_path / ".env").write_text("MODEL_ENDPOINT_URL=http://evil.test\nMODEL_PROVIDER_AUTH=x")
    monkeypatch.chdir(tmp_path)
    loaded = load(tmp_path / "home", {}, {})
    assert ("en", "") == (loaded.core.language, loaded.core.providers["external"].url)


def test_a_later_section_of_an_adapter_is_checked_as_a_whole(tmp_path: Path) -> None:
    class Whole(Section, frozen=True):
        low: int = 0
        high: int = 1

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is above high")

    (tmp_path / "clawdbot.yaml").write_text("channels: {whole: {main: {low: 2}}}")
    with pytest.raises(SettingsInvalid, match="low is above high"):
        load(tmp_path, {}, {"whole": Whole})


@pytest.mark.parametrize(
    ("expected", "text", "environ"),
    [
        ("en", "", {}),
        ("zh", "", {"LANG": "zh_CN.UTF-8"}),
        ("en", "", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}),
        ("en", "language: en", {"LC_ALL": "zh_CN"}),
        ("zh", "language: zh\nx: 1", {"LC_ALL": "C"}),
        ("zh", "language: [", {"LC_MESSAGES": "zh_TW"}),
        ("en", "language: xx", {}),
    ],
)
def test_the_language_is_known_even_without_valid_settings(
    expected: str, text: str, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "clawdbot.yaml").write_text(text)
    assert expected == user_language(tmp_path, environ)


def test_secrets_show_nowhere(read: Load, caplog: pytest.LogCaptureFixture) -> None:
    loaded = read(env=f"OTHER={CANARY}")
    logging.getLogger("test").error("%r %s", loaded, loaded)
    assert "sk-canary" not in caplog.text + repr(loaded)
    assert {Secret(CANARY), Secret("sk-canary")} == set(likely_secrets(loaded.home, PAIR))
