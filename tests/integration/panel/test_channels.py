"""Channel accounts on their page: added, tested, paused, changed; proved by the next turn.

Covers clawdbot.panel.channels, clawdbot.panel.configured, clawdbot.panel.places,
clawdbot.panel.offered.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest

from clawdbot.panel.channels import Shown
from tests.fakes.telegram import TOKEN, UNLIMITED, TelegramServer
from tests.integration.gateway.conftest import JSON
from tests.integration.panel.conftest import Browser, Running, add_user, browsing, running
from tests.patience import PATIENCE_S

USER = 4711
CANARY = "4711:canary-token"


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    """Run a Telegram of our own."""
    async with TelegramServer(pace=UNLIMITED) as server:
        yield server


@asynccontextmanager
async def opened(
    home: Path, account: JSON | None = None, **gateway: object
) -> AsyncIterator[tuple[Running, Browser]]:
    """Run a service, perhaps with an account in its user's own file, and log its owner in."""
    channels = {"telegram": {"main": account}} if account is not None else {}
    core: JSON = {"channels": channels, "gateway": {"port": 0, **gateway}}
    async with running(home, None, None, **core) as service:  # type: ignore[arg-type]
        if not (home / "settings.yaml").exists():
            await service.set_up()
        async with browsing(service) as browser:
            await browser.log_in()
            yield service, browser


async def shown(browser: Browser) -> list[Shown]:
    """List the accounts."""
    page = await browser.call("GET", "/channels")
    assert 200 == page.status, page.text
    return msgspec.json.decode(page.text, type=list[Shown])


async def secrets(browser: Browser) -> list[str]:
    """Name the sealed secrets."""
    listed = msgspec.json.decode((await browser.call("GET", "/secrets")).text)
    return [each["name"] for each in listed]


def wish(server: TelegramServer, **more: object) -> JSON:
    """Give what the form for a new account sends."""
    session = {"access": "allowlist", "allow": [str(USER)]}
    settings = {"token": TOKEN, "base_url": server.url, "pace": "off", "session": session}
    return {"kind": "telegram", "account": "main", "settings": settings | more}


def written(home: Path) -> str:
    """Read what we wrote beside what set-up did: nothing."""
    return (home / "settings.yaml").read_text("utf-8").removeprefix("{}\n")


async def answered(server: TelegramServer) -> list[str]:
    """Say something, and give what comes back."""
    said = await server.user_says(USER, USER, "hello")
    await server.wait_for(
        USER, lambda chat: any(m.id > said.message_id and m.text == "echo: hello" for m in chat)
    )
    return await server.answers(USER)


async def test_an_account_is_added_paused_and_taken_away(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(short_home) as (_, browser):
        assert "No channel is set up yet." in (await browser.get("/channels")).text
        assert 204 == (await browser.call("POST", "/channels", wish(telegram))).status
    text = written(short_home)
    assert "secret://channels-telegram-main-token" in text
    assert TOKEN not in text
    async with opened(short_home) as (_, browser):
        assert "echo: hello" in await answered(telegram)
        (account,) = await shown(browser)
        assert (True, "", False) == (account.health.up, account.fixed, account.health.paused)
        assert account.beats[-1].up
        page = (await browser.get("/channels")).text
        assert TOKEN not in page
        assert "strangers knock with a code" in page
        assert 204 == (await browser.call("POST", "/channels/telegram/main/pause")).status
    asked = len(telegram.requests.since(0))
    async with opened(short_home) as (_, browser):
        (account,) = await shown(browser)
        assert (False, True) == (account.health.up, account.health.paused)
        assert "Paused: it neither receives nor sends." in (await browser.get("/channels")).text
        overview = (await browser.call("GET", "/overview")).text  # which waits for the boxes
        assert [] == msgspec.json.decode(overview)["attention"]
        assert "All is well" in (await browser.get("/overview")).text
        assert asked == len(telegram.requests.since(0))
        assert 204 == (await browser.call("POST", "/channels/telegram/main/resume")).status
    async with opened(short_home) as (_, browser):
        assert "echo: hello" in await answered(telegram)
        trail = (await browser.call("GET", "/audit")).text
        assert 3 == trail.count('"settings.change"')
        assert 204 == (await browser.call("DELETE", "/channels/telegram/main")).status
    async with opened(short_home) as (_, browser):
        assert [] == await shown(browser)
        assert [] == await secrets(browser)
        trail = (await browser.call("GET", "/audit?kind=secret")).text
        assert ["secret.set", "secret.remove"] == [r["what"] for r in msgspec.json.decode(trail)]


async def test_a_key_that_is_named_elsewhere_outlives_its_account(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(short_home) as (_, browser):
        assert 204 == (await browser.call("POST", "/channels", wish(telegram))).status
    settings = msgspec.yaml.decode((short_home / "settings.yaml").read_bytes())
    accounts = settings["channels"]["telegram"]
    accounts["twin"] = accounts["main"] | {"paused": True}
    (short_home / "settings.yaml").write_bytes(msgspec.yaml.encode(settings))
    async with opened(short_home) as (_, browser):
        assert 204 == (await browser.call("DELETE", "/channels/telegram/twin")).status
    async with opened(short_home) as (_, browser):
        assert ["channels-telegram-main-token"] == await secrets(browser)
        assert "echo: hello" in await answered(telegram)


async def test_a_key_is_kept_but_goes_to_no_other_address(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(short_home) as (_, browser):
        assert 204 == (await browser.call("POST", "/channels", wish(telegram))).status
    async with opened(short_home) as (_, browser):
        before = written(short_home)
        moved = {"kind": "telegram", "account": "main", "settings": {"base_url": "http://[::1]:9"}}
        for method, path in (("PUT", "/channels"), ("POST", "/channels/test")):
            refused = await browser.call(method, path, moved)
            assert 400 == refused.status
            assert "Type it anew" in refused.text
        assert before == written(short_home)
        kept = {"kind": "telegram", "account": "main", "settings": {"session": {"idle": "30m"}}}
        tested = await browser.call("POST", "/channels/test", kept)
        assert msgspec.json.decode(tested.text)["good"], tested.text
        assert 204 == (await browser.call("PUT", "/channels", kept)).status
    async with opened(short_home) as (_, browser):
        assert "echo: hello" in await answered(telegram)
        (account,) = await shown(browser)
        found = {each.key: each.value for each in account.settings}
        assert ("30m", True, telegram.url) == (
            found["session.idle"],
            found["token"],
            found["base_url"],
        )


async def test_a_test_tells_what_is_wrong_and_writes_nothing(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(short_home) as (service, browser):
        add_user(service, "Lin", role="owner", language="zh")

        async def tested(who: Browser, **more: object) -> JSON:
            page = await who.call("POST", "/channels/test", wish(telegram, **more))
            assert 200 == page.status, page.text
            return msgspec.json.decode(page.text, type=JSON)

        assert {"good": True, "text": "The platform answers, and the key is good."} == await tested(
            browser
        )
        wrong = await tested(browser, token=CANARY)
        assert (False, True) == (wrong["good"], "BotFather" in str(wrong["text"]))
        async with browsing(service) as lin:
            await lin.log_in("Lin")
            away = await tested(lin, base_url="http://127.0.0.1:9")
            assert (False, True) == (away["good"], "该地址没有响应" in str(away["text"]))
        assert "" == written(short_home)
        assert CANARY not in (await browser.get("/channels")).text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "pigeon"}, "polling | webhook"),
        ({"session": {"idle": "soon"}}, "30s | 10m | 4h | 7d"),
        ({"session": {"colour": "red"}}, "session.colour"),
        ({"token": ["a"], "pace": "slow"}, "off | platform"),
    ],
)
async def test_what_may_not_be_is_refused_in_the_settings_own_words(
    service: Running, browser: Browser, settings: JSON, words: str
) -> None:
    sent = {"kind": "telegram", "account": "main", "settings": settings}
    refused = await browser.call("POST", "/channels", sent)
    assert 400 == refused.status
    assert words in msgspec.json.decode(refused.text)["detail"]
    assert "" == written(service.home)


async def test_what_a_file_of_the_users_fixes_stays_there(short_home: Path) -> None:
    own: JSON = {"token": CANARY, "base_url": "http://127.0.0.1:9"}
    async with opened(short_home, own) as (_, browser):
        (account,) = await shown(browser)
        assert account.fixed.startswith("clawdbot.yaml:")
        assert CANARY not in str(account)
        page = (await browser.get("/channels")).text
        assert "fixed in clawdbot.yaml:" in page
        assert CANARY not in page
        assert "down" in page
        change = {"kind": "telegram", "account": "main", "settings": {"token": "1:other"}}
        refused = await browser.call("PUT", "/channels", change)
        assert (400, True) == (refused.status, "clawdbot.yaml:" in refused.text)
        refused = await browser.call("DELETE", "/channels/telegram/main")
        assert (400, True) == (refused.status, "clawdbot.yaml:" in refused.text)
        assert 204 == (await browser.call("POST", "/channels/telegram/main/pause")).status
    async with opened(short_home, own) as (_, browser):
        (account,) = await shown(browser)
        assert account.health.paused


async def test_a_webhook_is_looked_at_from_both_sides(
    short_home: Path, telegram: TelegramServer
) -> None:
    own: JSON = {"token": TOKEN, "base_url": telegram.url, "pace": "off"}
    own |= {"mode": "webhook", "secret": "a-secret"}
    path = "/channels/telegram/main/webhook"
    async with opened(short_home, own, public_url="http://bot.invalid") as (_, browser):
        (account,) = await shown(browser)
        assert "http://bot.invalid/hooks/telegram/main" == account.hook
        assert account.hook in (await browser.get("/channels")).text
        found = msgspec.json.decode((await browser.call("GET", path)).text)
        assert not found["good"]
        assert "http://bot.invalid/hooks/telegram/main: " in found["text"]
        assert 404 == (await browser.call("GET", "/channels/telegram/other/webhook")).status
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    here = f"http://127.0.0.1:{port}"
    async with opened(short_home, own, public_url=here, port=port) as (_, browser):
        async with asyncio.timeout(PATIENCE_S):
            while not found["good"]:
                found = msgspec.json.decode((await browser.call("GET", path)).text)
        assert "The platform calls this address, and it answers." == found["text"]
    polling = own | {"mode": "polling"}
    async with opened(short_home, polling, public_url=here) as (_, browser):
        found = msgspec.json.decode((await browser.call("GET", path)).text)
        assert (True, True) == (found["good"], "needs no webhook" in found["text"])


async def test_only_whom_it_is_open_to_may(service: Running, browser: Browser) -> None:
    add_user(service, "Mem")
    sent = {"kind": "telegram", "account": "main", "settings": {}}
    asks = (("GET", "", None), ("POST", "", sent), ("PUT", "", sent), ("POST", "/test", sent))
    async with browsing(service) as member:
        await member.log_in("Mem")
        assert 403 == (await member.get("/channels")).status
        for method, path, body in asks:
            assert 403 == (await member.call(method, f"/channels{path}", body)).status
    for method, path in (("POST", "/pause"), ("POST", "/resume"), ("DELETE", "")):
        assert 404 == (await browser.call(method, f"/channels/telegram/other{path}")).status
    assert 404 == (await browser.call("PUT", "/channels", sent)).status
    assert 404 == (await browser.call("POST", "/channels", sent | {"kind": "pigeon"})).status
    assert 400 == (await browser.call("POST", "/channels", sent | {"account": "a.b"})).status
    assert "" == written(service.home)
