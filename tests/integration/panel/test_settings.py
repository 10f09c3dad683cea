"""Settings on their page: values and where they stand, what may be changed, secrets, the bundle.

Covers clawdbot.panel.settings, clawdbot.panel.support and clawdbot.ops.values.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from clawdbot.app.sections import SECTIONS
from clawdbot.app.unseal import unsealed
from clawdbot.config.load import load
from clawdbot.domain.secret import Secret
from clawdbot.panel.settings import Section, Shown
from tests.integration.gateway.conftest import JSON
from tests.integration.panel.conftest import (
    PASSWORD,
    Browser,
    Running,
    add_user,
    browsing,
    running,
)

MODEL_KEY, BOT_TOKEN = "sk-canary-model-4711", "123456:canary-bot-token"
PROXY_PASSWORD, SEALED, FRESH = "canary-proxy-pw", "canary-sealed-text", "canary-rotated-text"
CANARIES = (MODEL_KEY, BOT_TOKEN, PROXY_PASSWORD, SEALED, FRESH, PASSWORD)


@asynccontextmanager
async def opened(home: Path, proxy: str = "") -> AsyncIterator[tuple[Running, Browser]]:
    """Run a service with keys in `.env` and an account, and log its owner in."""
    home.mkdir(mode=0o700, exist_ok=True)
    env = f"MODEL_ENDPOINT_URL=http://127.0.0.1:9/v1\nMODEL_PROVIDER_AUTH={MODEL_KEY}\n"
    (home / ".env").write_text(f"{env}TELEGRAM_BOT_TOKEN={BOT_TOKEN}\n", "utf-8")
    (home / ".env").chmod(0o600)
    account = {"token": "env:TELEGRAM_BOT_TOKEN", "base_url": "http://127.0.0.1:9"}
    channels, turns = {"telegram": {"main": account}}, {"steps": 7}
    async with running(home, channels=channels, turns=turns, net={"proxy": proxy}) as service:
        if not (home / "settings.yaml").exists():
            await service.set_up()
        async with browsing(service) as browser:
            await browser.log_in()
            yield service, browser


async def sections(browser: Browser) -> dict[str, Section]:
    """List what there is."""
    page = await browser.call("GET", "/settings")
    assert 200 == page.status, page.text
    return {each.name: each for each in msgspec.json.decode(page.text, type=list[Section])}


def of(section: Section, key: str) -> Shown:
    return next(each for each in section.settings if each.key == key)


async def test_every_setting_tells_its_value_and_where_it_was_written(short_home: Path) -> None:
    async with opened(short_home) as (_, browser):
        found = await sections(browser)
        steps, tokens = of(found["turns"], "steps"), of(found["turns"], "tokens")
        assert (7, 12, True) == (steps.value, steps.default, steps.fixed == steps.origin)
        assert steps.origin.startswith("clawdbot.yaml:")
        assert (60000, "default", "") == (tokens.value, tokens.origin, tokens.fixed)
        assert "45s" == of(found["models"], "first_token_s").value
        rows = {row.key: row for row in found["providers"].rows}
        auth = rows["providers.external.auth"]
        assert ("****", ".env") == (auth.value, auth.origin.partition(":")[0])
        rows = {row.key: row for row in found["channels"].rows}
        assert "****" == rows["channels.telegram.main.token"].value
        page = (await browser.get("/settings")).text
        assert "<code>connect_timeout_s</code>" in page
        assert steps.origin in page
        for canary in CANARIES:
            assert canary not in page


async def test_what_is_saved_is_written_and_comes_back(short_home: Path) -> None:
    async with opened(short_home) as (_, browser):
        wish: JSON = {"settings": {"timezone": "Asia/Shanghai", "language": "en"}}
        saved = await browser.call("PUT", "/settings", wish)
        assert 204 == saved.status, saved.text
    async with opened(short_home) as (_, browser):
        wish = {"section": "turns", "settings": {"tokens": 50000, "seconds": "5m"}}
        assert 204 == (await browser.call("PUT", "/settings", wish)).status
    written = msgspec.yaml.decode((short_home / "settings.yaml").read_bytes())
    assert "Asia/Shanghai" == written["timezone"]
    assert {"tokens": 50000, "seconds": "5m"} == written["turns"]
    async with opened(short_home) as (_, browser):
        found = await sections(browser)
        tokens, zone = of(found["turns"], "tokens"), of(found[""], "timezone")
        assert (50000, "settings.yaml") == (tokens.value, tokens.origin.partition(":")[0])
        assert ("Asia/Shanghai", "UTC", "") == (zone.value, zone.default, zone.fixed)
        assert "5m" == of(found["turns"], "seconds").value


async def test_what_may_not_be_is_refused_and_changes_nothing(short_home: Path) -> None:
    proxy = f"http://me:{PROXY_PASSWORD}@127.0.0.1:9"
    async with opened(short_home, proxy) as (_, browser):
        before = (short_home / "settings.yaml").read_text("utf-8")
        asks: list[tuple[str, JSON, str]] = [
            ("turns", {"tokens": 0}, "turns.tokens"),
            ("turns", {"seconds": "soon"}, "turns.seconds"),
            ("turns", {"steps": 8}, "clawdbot.yaml:"),
            ("turns", {"stepps": 8}, "no such setting"),
            ("", {"timezone": "Mars/Base"}, "time zone"),
            ("", {"providers": {"x": {"url": "http://x"}}}, "no such setting"),
            ("gateway", {"public_url": "https://${HOME}"}, "environment"),
            ("net", {"proxy": "http://****@127.0.0.1:8"}, "Type it whole"),
            ("providers", {"x": 1}, "no such section"),
        ]
        for section, settings, words in asks:
            wish = {"section": section, "settings": settings}
            refused = await browser.call("PUT", "/settings", wish)
            assert 400 == refused.status, wish
            assert words in msgspec.json.decode(refused.text)["detail"]
        assert before == (short_home / "settings.yaml").read_text("utf-8")
        shown = of((await sections(browser))["net"], "proxy")
        assert "http://****@127.0.0.1:9" == shown.value


async def entry(home: Path, section: str, name: str) -> dict[str, object]:
    """Read an entry as it is shown after the service started anew."""
    async with opened(home) as (_, browser):
        found = {e.name: e for e in (await sections(browser))[section].entries}
        return {each.key: each.value for each in found[name].settings} if name in found else {}


async def test_what_has_a_name_is_added_changed_and_taken_away(short_home: Path) -> None:
    async with opened(short_home) as (_, browser):
        wish: JSON = {"section": "files", "name": "docs", "settings": {"path": "/srv"}}
        assert 204 == (await browser.call("POST", "/settings", wish)).status
    async with opened(short_home) as (_, browser):
        wish = {"section": "tools", "name": "shell", "settings": {"per_hour": 3}}
        assert 204 == (await browser.call("POST", "/settings", wish)).status
    assert {"path": "/srv", "write": False, "roles": ("owner",)} == await entry(
        short_home, "files", "docs"
    )
    async with opened(short_home) as (_, browser):
        page = (await browser.get("/settings")).text
        assert "A folder of this machine" in page
        assert '<bdi translate="no">shell</bdi>' in page
        again = {"section": "tools", "name": "shell", "settings": {"per_hour": 4}}
        assert 400 == (await browser.call("POST", "/settings", again)).status
        assert 204 == (await browser.call("PUT", "/settings", again)).status
    async with opened(short_home) as (_, browser):
        assert 204 == (await browser.call("DELETE", "/settings/files/docs")).status
    assert {"per_hour": 4} == await entry(short_home, "tools", "shell")
    assert {} == await entry(short_home, "files", "docs")


async def test_secrets_with_names_go_in_and_are_forgotten(short_home: Path) -> None:
    at: JSON = {"section": "mcp.servers", "name": "time"}
    async with opened(short_home) as (_, browser):
        settings: JSON = {"command": ["bin/time"], "env": {"TOKEN": SEALED, "OTHER": FRESH}}
        wish = at | {"settings": settings}
        assert 204 == (await browser.call("POST", "/settings", wish)).status
    assert SEALED not in (short_home / "settings.yaml").read_text("utf-8")
    shown = await entry(short_home, "mcp.servers", "time")
    assert ("TOKEN", "OTHER") == shown["env"]
    async with opened(short_home) as (service, browser):
        page = (await browser.get("/settings")).text
        assert 'name="settings.env.TOKEN"' in page
        assert SEALED not in page
        moved = at | {"settings": {"url": "http://127.0.0.1:9"}}
        assert 400 == (await browser.call("PUT", "/settings", moved)).status
        wish = at | {"settings": {"env": {"OTHER": None, "BAD NAME": "x"}}}
        assert 400 == (await browser.call("PUT", "/settings", wish)).status
        wish = at | {"settings": {"env": {"OTHER": None}}}
        assert 204 == (await browser.call("PUT", "/settings", wish)).status
    async with opened(short_home) as (service, browser):
        kept = msgspec.json.decode((await browser.call("GET", "/secrets")).text)
        assert ["mcp-servers-time-env-TOKEN"] == [each["name"] for each in kept]
        loaded = unsealed(load(service.home, {}, SECTIONS))
        assert {"TOKEN": Secret(SEALED)} == loaded.core.mcp.servers["time"].env
    async with opened(short_home) as (_, browser):
        assert 204 == (await browser.call("DELETE", "/settings/mcp.servers/time")).status
    async with opened(short_home) as (_, browser):
        assert [] == msgspec.json.decode((await browser.call("GET", "/secrets")).text)


async def test_a_fault_is_told_in_the_readers_language(short_home: Path) -> None:
    async with opened(short_home) as (_, browser):
        assert 200 == (await browser.call("PATCH", "/me", {"language": "zh"})).status
        assert "en" == of((await sections(browser))[""], "language").value
        wishes: list[tuple[str, JSON, str]] = [
            ("PUT", {"section": "turns", "settings": {"tokens": 0, "seconds": "soon"}}, "应为"),
            ("PUT", {"section": "turns", "settings": {"steps": 9}}, "固定"),
            ("PUT", {"settings": {"timezone": "Mars/Base"}}, "时区"),
            ("PUT", {"settings": {"language": "${HOME}"}}, "clawdbot.yaml"),
            ("PUT", {"section": "search", "settings": {"url": "ftp://x"}}, "应为"),
            ("PUT", {"section": "nothing", "settings": {}}, "没有"),
            ("POST", {"section": "tools", "name": "shell", "settings": {}}, "缺少"),
            ("POST", {"section": "tools", "name": "a b", "settings": {}}, "名称"),
        ]
        for method, wish, words in wishes:
            refused = msgspec.json.decode((await browser.call(method, "/settings", wish)).text)
            read = [refused["detail"], *refused.get("faults", {}).values()]
            assert 400 == refused["status"], wish
            assert all(words in text for text in read), read
            assert not [text for text in read if re.search(r"[A-Za-z]{2,} [a-z]{2,}", text)]


async def test_a_fault_is_told_by_its_key_and_nothing_is_half_saved(short_home: Path) -> None:
    async with opened(short_home) as (_, browser):
        before = (short_home / "settings.yaml").read_text("utf-8")
        asks: list[tuple[str, JSON, dict[str, str]]] = [
            ("PUT", {"section": "turns", "settings": {"tokens": 0, "seconds": "soon"}}, {}),
            ("POST", {"section": "tools", "name": "shell", "settings": {}}, {}),
        ]
        asks[0][2].update({"turns.tokens": "1 ..", "turns.seconds": "30s"})
        asks[1][2].update({"tools.shell.per_hour": "missing"})
        for method, wish, faults in asks:
            refused = msgspec.json.decode((await browser.call(method, "/settings", wish)).text)
            assert faults.keys() == refused["faults"].keys()
            assert all(words in refused["faults"][key] for key, words in faults.items())
        secret: JSON = {"effect": "fly", "env": {"TOKEN": SEALED}}
        wish = {"section": "mcp.servers", "name": "time", "settings": secret}
        assert 400 == (await browser.call("POST", "/settings", wish)).status
        for method, path in (("PUT", "/settings"), ("DELETE", "/settings/tools/none")):
            wish = {"section": "tools", "name": "none", "settings": {"per_hour": 1}}
            assert 404 == (await browser.call(method, path, wish)).status
        for name in ("a.b", "", "x" * 33):
            wish = {"section": "tools", "name": name, "settings": {"per_hour": 1}}
            assert 400 == (await browser.call("POST", "/settings", wish)).status
        assert before == (short_home / "settings.yaml").read_text("utf-8")
        assert [] == msgspec.json.decode((await browser.call("GET", "/secrets")).text)


async def test_a_section_as_it_was_shown_changes_nothing(short_home: Path) -> None:
    proxy = f"http://me:{PROXY_PASSWORD}@127.0.0.1:9"
    async with opened(short_home, proxy) as (_, browser):
        before = (short_home / "settings.yaml").read_text("utf-8")
        for name, section in (await sections(browser)).items():
            given = {each.key: each.value for each in section.settings if each.kind != "secret"}
            wish = {"section": name, "settings": given}
            if given:
                assert 204 == (await browser.call("PUT", "/settings", wish)).status, name
        assert before == (short_home / "settings.yaml").read_text("utf-8")


@pytest.mark.parametrize("role", ["member", "admin"])
async def test_others_get_nothing(service: Running, role: str) -> None:
    add_user(service, "Bob", role=role)
    async with browsing(service) as bob:
        await bob.log_in("Bob")
        for path in ("/settings", "/settings/support"):
            assert 403 == (await bob.get(path)).status
        for method, path in (
            ("GET", "/settings"),
            ("PUT", "/settings"),
            ("POST", "/settings"),
            ("DELETE", "/settings/tools/shell"),
            ("PUT", "/secrets"),
            ("POST", "/secrets/rotate"),
            ("POST", "/secrets/forget"),
        ):
            refused = await bob.call(method, path, {} if method != "GET" else None)
            assert refused.status in {403, 404}, path
    text = (service.home / "settings.yaml").read_text("utf-8")
    assert "Bob" not in text


async def test_a_secret_is_set_rotated_and_removed_and_never_told(
    service: Running, browser: Browser
) -> None:
    add_user(service, "Bob", role="owner")
    await browser.post("/logout", {"csrf": (await browser.get("/me")).csrf})
    await browser.log_in("Bob")
    wish = {"name": "mail", "text": SEALED, "origins": ["https://mail.example"]}
    answers = [await browser.call("PUT", "/secrets", wish)]
    answers.append(await browser.call("POST", "/secrets/rotate", {"name": "mail", "text": FRESH}))
    listed, page = await browser.call("GET", "/secrets"), await browser.get("/settings")
    [row] = msgspec.json.decode(listed.text)
    assert ("mail", ["https://mail.example"]) == (row["name"], row["origins"])
    assert row["rotated_at"]
    assert "<code>mail</code>" in page.text
    assert 400 == (await browser.call("POST", "/secrets/rotate", {"text": FRESH})).status
    trail = await browser.call("GET", "/audit?kind=secret")
    assert ["Bob", "Bob"] == [each["user"] for each in msgspec.json.decode(trail.text)]
    answers.append(await browser.call("POST", "/secrets/forget", {"name": "mail"}))
    assert [204] * 3 == [each.status for each in answers]
    assert [] == msgspec.json.decode((await browser.call("GET", "/secrets")).text)
    for answer in (*answers, listed, page, trail):
        assert SEALED not in answer.text
        assert FRESH not in answer.text


async def test_a_secret_that_a_setting_names_stays(short_home: Path) -> None:
    async with opened(short_home) as (_, browser):
        settings = {"url": "http://127.0.0.1:9/search", "key": SEALED}
        wish = {"section": "search", "settings": settings}
        assert 204 == (await browser.call("PUT", "/settings", wish)).status
    assert SEALED not in (short_home / "settings.yaml").read_text("utf-8")
    async with opened(short_home) as (_, browser):
        assert of((await sections(browser))["search"], "key").value is True
        refused = await browser.call("POST", "/secrets/forget", {"name": "search-key"})
        assert (400, True) == (refused.status, "A setting names this" in refused.text)
        assert SEALED not in (await browser.get("/settings")).text


async def test_the_bundle_tells_much_and_no_secret(short_home: Path) -> None:
    proxy = f"http://me:{PROXY_PASSWORD}@127.0.0.1:9"
    async with opened(short_home, proxy) as (_, browser):
        settings = {"url": "http://127.0.0.1:9/search", "key": SEALED}
        wish = {"section": "search", "settings": settings}
        assert 204 == (await browser.call("PUT", "/settings", wish)).status
    async with opened(short_home, proxy) as (_, browser):
        (short_home / "logs").mkdir(exist_ok=True)
        with (short_home / "logs/clawdbot.log").open("a") as log:
            log.write(f'{{"level":"info","event":"leak {BOT_TOKEN} {SEALED} {proxy}"}}\n')
        page = await browser.get("/settings/support")
        assert 200 == page.status
        assert "clawdbot-support.json" in page.headers["Content-Disposition"]
        for canary in CANARIES:
            assert canary not in page.text
        found = msgspec.json.decode(page.text)
        rows = {row["key"]: row for row in found["settings"]}
        assert "7" == rows["turns.steps"]["value"]
        assert "****" == rows["search.key"]["value"]
        assert ["main"] == [each["account"] for each in found["status"]["channels"]]
        assert {"clawdbot", "python", "system"} == found["versions"].keys()
        assert any(each["area"] == "Record" for each in found["findings"])
        assert any("leak ****" in line for line in found["log"])
