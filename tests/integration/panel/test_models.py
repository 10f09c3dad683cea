"""Models on their page: providers, routes, budgets and usage; proved by the next turn.

Covers clawdbot.panel.models.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from clawdbot.panel.models import Known, Usage
from tests.fakes.models import KEY, MODEL, Fault, ModelServer
from tests.integration.gateway.conftest import JSON
from tests.integration.panel.conftest import (
    Browser,
    Running,
    add_user,
    browsing,
    running,
    write,
)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """Run a model server of our own."""
    async with ModelServer() as found:
        yield found


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[tuple[Running, Browser]]:
    """Run a service of which nothing is fixed, and log its owner in."""
    async with running(home, providers={}, model_routing={}) as service:
        if not (home / "settings.yaml").exists():
            await service.set_up()
        async with browsing(service) as browser:
            await browser.log_in()
            yield service, browser


async def known(browser: Browser) -> Known:
    """List what there is."""
    page = await browser.call("GET", "/models")
    assert 200 == page.status, page.text
    return msgspec.json.decode(page.text, type=Known)


async def probed(browser: Browser, **settings: object) -> JSON:
    """Test a provider as the form does."""
    wish = {"name": "mine", "settings": settings}
    page = await browser.call("POST", "/models/test", wish)
    assert 200 == page.status, page.text
    return msgspec.json.decode(page.text, type=JSON)


def use(service: Running, *rows: tuple[str, str, int, float]) -> None:
    """Write what users used: who, of which model, days ago, US dollars."""
    noon = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    values = [
        (f"t{n}:0", f"t{n}", user, model, (noon - timedelta(days=ago)).timestamp(), cost)
        for n, (user, model, ago, cost) in enumerate(rows)
    ]
    sql = (
        "INSERT INTO usage (id, turn_id, user_id, model, at, cost, route, provider, tokens_in,"
        " tokens_out, first_token_s, whole_s) VALUES (?, ?, ?, ?, ?, ?, 'default', 'p', 100, 10,"
        " 0.1, 1)"
    )
    write(service, sql, *values)


async def test_a_provider_is_tested_added_and_answers_the_next_turn(
    short_home: Path, server: ModelServer
) -> None:
    url = f"{server.url}/v1"
    async with opened(short_home) as (_, browser):
        found = await probed(browser, url=url, auth=KEY, model=MODEL)
        assert (True, True) == (found["good"], MODEL in str(found["text"])), found
        await server.fault(Fault(kind="status", status=401))
        wrong = await probed(browser, url=url, auth="sk-wrong", model=MODEL)
        assert (False, True) == (wrong["good"], "refused the key" in str(wrong["text"])), wrong
        away = await probed(browser, url="http://127.0.0.1:9", auth=KEY, model=MODEL)
        assert (False, True) == (away["good"], "Nothing answers" in str(away["text"])), away
        settings = {"url": url, "auth": KEY, "model": MODEL, "price": {"in": 2, "out": 4}}
        wish = {"name": "mine", "settings": settings}
        assert 204 == (await browser.call("PUT", "/models/providers", wish)).status
    text = (short_home / "settings.yaml").read_text("utf-8")
    assert "secret://providers-mine-auth" in text
    assert KEY not in text
    async with opened(short_home) as (_, browser):
        route = {"name": "default", "settings": {"provider": "mine"}}
        assert 204 == (await browser.call("PUT", "/models/routes", route)).status
    async with opened(short_home) as (_, browser):
        assert (await browser.say("c", "hello"))["text"]
        used = msgspec.json.decode((await browser.call("GET", "/models/usage")).text, type=Usage)
        assert (1, f"mine {MODEL}") == (used.total.calls, used.models[0].name)
        assert used.total.cost > 0
        page = (await browser.get("/models")).text
        assert KEY not in page
        refused = await browser.call("DELETE", "/models/providers/mine")
        assert (400, True) == (refused.status, "A route names this provider" in refused.text)
        moved = {"name": "mine", "settings": {"url": "http://127.0.0.1:9"}}
        for method, path in (("PUT", "/models/providers"), ("POST", "/models/test")):
            assert 400 == (await browser.call(method, path, moved)).status


async def test_a_price_that_nobody_told_is_empty_and_nothing_is_a_price(short_home: Path) -> None:
    settings: JSON = {"url": "http://127.0.0.1:9", "model": "claude-sonnet-4-5"}
    for price in (None, 0, None):
        async with opened(short_home) as (_, browser):
            wish = {"name": "own", "settings": settings | {"price": {"in": price, "out": price}}}
            assert 204 == (await browser.call("PUT", "/models/providers", wish)).status
        async with opened(short_home) as (_, browser):
            [own] = [each for each in (await known(browser)).providers if each.name == "own"]
            values = {each.key: each.value for each in own.settings}
            assert (price, price) == (values["price.in"], values["price.out"])


async def test_what_is_fixed_or_may_not_be_is_refused(service: Running, browser: Browser) -> None:
    before = (service.home / "settings.yaml").read_text("utf-8")
    asks: list[tuple[str, JSON, str]] = [
        ("providers", {"name": "play", "settings": {"protocol": "openai"}}, "clawdbot.yaml:"),
        ("routes", {"name": "fast", "settings": {"provider": "nobody"}}, "nobody"),
        ("routes", {"name": "fast", "settings": {"max_tokens": 5}}, "missing"),
        ("providers", {"name": "x", "settings": {"url": "ftp://x"}}, "https://..."),
        ("providers", {"name": "x", "settings": {"url": "http://x/${PATH}"}}, "environment"),
        ("providers", {"name": "x", "settings": {"url": "http://x", "auth": "env:HOME"}}, "auth"),
        ("providers", {"name": "x y", "settings": {"url": "http://x"}}, "at most 32"),
        ("budgets", {"settings": {"user_day": -1}}, "budgets.user_day"),
    ]
    for what, wish, words in asks:
        refused = await browser.call("PUT", f"/models/{what}", wish)
        assert 400 == refused.status, wish
        assert words in msgspec.json.decode(refused.text)["detail"]
    assert before == (service.home / "settings.yaml").read_text("utf-8")
    assert 404 == (await browser.call("DELETE", "/models/providers/nobody")).status
    assert 404 == (await browser.call("DELETE", "/models/routes/nobody")).status
    found = await known(browser)
    fixed = {each.name: each.fixed.partition(":")[0] for each in found.providers}
    assert {"play": "clawdbot.yaml", "fallback": "", "external": ""} == fixed
    assert "partly fixed in clawdbot.yaml:" in (await browser.get("/models")).text


async def test_usage_is_what_the_rows_say(service: Running, browser: Browser) -> None:
    for name in ("Bob", "Lin"):
        add_user(service, name)
    assert "No model was asked in these days." in (await browser.get("/models")).text
    use(
        service,
        ("u-Bob", "big", 0, 1.0),
        ("u-Bob", "big", 1, 2.0),
        ("u-Lin", "small", 1, 0.5),
        ("u-Lin", "big", 40, 9.0),
    )

    async def used(query: str = "") -> Usage:
        page = await browser.call("GET", f"/models/usage{query}")
        assert 200 == page.status, page.text
        return msgspec.json.decode(page.text, type=Usage)

    month = await used()
    assert (30, 3, 300, 30, 3.5) == (
        len(month.days),
        month.total.calls,
        month.total.tokens_in,
        month.total.tokens_out,
        month.total.cost,
    )
    assert [("Bob", 3.0), ("Lin", 0.5)] == [(each.name, each.cost) for each in month.users]
    assert [("p big", 3.0), ("p small", 0.5)] == [(each.name, each.cost) for each in month.models]
    assert [2.5, 1.0] == [day.cost for day in month.days][-2:]
    assert (1.0, {"Bob": 1.0}) == (month.today, month.today_users)
    day = f"{month.until - timedelta(days=40)}"
    assert 9.0 == (await used(f"?since={day}&until={day}")).total.cost
    for far in ("since=2000-01-01", "until=0001-01-01", "since=9999-12-31"):
        assert 400 == (await browser.call("GET", f"/models/usage?{far}")).status
    text = (await browser.get(f"/models?since={day}&until={day}")).text
    assert "9.00" in text
    assert "at most 92 days apart" in (await browser.get("/models?since=2000-01-01")).text
    assert "at most 92 days apart" in (await browser.get("/models?since=yesterday")).text


async def test_a_budget_is_set_shown_and_stops_the_next_turn(short_home: Path) -> None:
    async with opened(short_home) as (_, browser):
        wish = {"settings": {"user_day": 2, "warn": 0.5}}
        assert 204 == (await browser.call("PUT", "/models/budgets", wish)).status
    async with opened(short_home) as (service, browser):
        add_user(service, "Bob")
        use(service, ("u-Bob", "big", 0, 2.5))
        assert "2.50 of 2.00 US dollars" in (await browser.get("/models")).text
        assert "Today&#39;s budget is spent." in (await browser.get("/overview")).text
        async with browsing(service) as bob:
            await bob.log_in("Bob")
            assert "What may be spent today is spent" in str((await bob.say("c", "hi"))["text"])


async def test_a_provider_that_fails_is_shown_with_what_to_do(short_home: Path) -> None:
    away = {"url": "http://127.0.0.1:9", "retries": 0}
    async with running(
        short_home,
        providers={"away": away},
        model_routing={"default": {"provider": "away"}},
        models={"breaker_failures": 1},
    ) as service:
        await service.set_up()
        async with browsing(service) as browser:
            await browser.log_in()
            await browser.say("c", "hello")
            text = (await browser.get("/models")).text
            assert "spared for now" in text
            assert "Check that the server runs and the port is right." in text


async def test_only_whom_it_is_open_to_may(service: Running, browser: Browser) -> None:
    add_user(service, "Mem")
    async with browsing(service) as member:
        await member.log_in("Mem")
        assert 403 == (await member.get("/models")).status
        for method, path in (
            ("GET", ""),
            ("GET", "/usage"),
            ("PUT", "/providers"),
            ("PUT", "/routes"),
            ("PUT", "/budgets"),
            ("POST", "/test"),
            ("DELETE", "/routes/default"),
        ):
            assert 403 == (await member.call(method, f"/models{path}", {"name": "x"})).status
