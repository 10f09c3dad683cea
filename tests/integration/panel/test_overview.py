"""The overview: its numbers are the rows', its order is what hurts most, and only some see it.

Covers clawdbot.panel.overview, clawdbot.ops.load, clawdbot.panel.places.
"""

import asyncio
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec.structs import replace

from clawdbot.app.assembly import doors
from clawdbot.panel.overview import Condition, lasted, short
from clawdbot.sandbox.run import Sandbox
from clawdbot.sandbox.selftest import Mechanism
from tests.integration.panel.conftest import (
    Browser,
    Running,
    add_user,
    browsing,
    let_knock,
    running,
    write,
)
from tests.passwords import quick_hash
from tests.patience import PATIENCE_S

CLOSED = "http://127.0.0.1:9"
WORDS = re.compile("All is well|No sandbox works|>works<")


async def condition(browser: Browser) -> Condition:
    """Ask how the service fares."""
    page = await browser.call("GET", "/overview")
    assert 200 == page.status, page.text
    return msgspec.json.decode(page.text, type=Condition)


def use(service: Running, *calls: tuple[float, float, float], user: str = "") -> None:
    """Write what calls used: when (seconds ago), to the first token, US dollars."""
    with closing(sqlite3.connect(service.home / "data/clawdbot.db")) as db:
        (owner,) = db.execute("SELECT id FROM users LIMIT 1").fetchone()
    now = time.time()
    rows = [
        (f"t{n // 2}:{ago}:{n}", f"t{n // 2}", user or owner, 100, 20, first, now - ago, cost)
        for n, (ago, first, cost) in enumerate(calls)
    ]
    columns = "id, turn_id, user_id, tokens_in, tokens_out, first_token_s, at, cost"
    write(
        service,
        f"INSERT INTO usage ({columns}, route, provider, model, whole_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'default', 'play', 'm', 1)",
        *rows,
    )


async def test_an_empty_service_is_well(browser: Browser) -> None:
    found = await condition(browser)
    assert () == found.attention
    assert (0, None, None) == (
        found.first_token.calls,
        found.first_token.p50,
        found.first_token.p99,
    )
    assert (0, "0", "0.00") == (found.today.turns, found.today.tokens, found.today.cost)
    assert 0 < found.load.memory_mb < 2000
    assert 0 < found.load.disk_gb
    assert {"play", "fallback"} == set(found.models)
    page = await browser.get("/overview")
    assert "All is well. Nothing wants your attention." in page.text
    assert "No channel is set up yet." in page.text


async def test_the_first_page_waits_for_no_box_and_says_of_none_that_it_works(
    short_home: Path,
) -> None:
    tried = asyncio.Event()

    class Slow(Sandbox):
        async def mechanisms(self) -> tuple[Mechanism, ...]:
            await tried.wait()
            return await super().mechanisms()

    outside = replace(doors(), sandbox=Slow, slow=quick_hash)
    async with running(short_home, None, outside) as service, browsing(service) as browser:
        await service.set_up()
        await browser.log_in()
        text = (await browser.get("/overview")).text
        assert "The sandbox is being tried." in text
        assert [] == WORDS.findall(text)
        [mark] = re.findall(r'data-mark="overview (\w+)"', text)
        socket = await browser.socket()
        await socket.send_json({"type": "watch", "boards": ["overview"]})
        tried.set()
        board = (await socket.receive_json(timeout=PATIENCE_S))["data"]
        assert mark != board["mark"]
        assert board["sandbox"]
        text = (await browser.get("/overview")).text
        assert f'data-mark="overview {board["mark"]}"' in text
        assert "being tried" not in text


async def test_its_numbers_are_those_of_the_rows(service: Running, browser: Browser) -> None:
    hundred = [(0.0, n / 1000, 0.0) for n in range(1, 101)]
    use(service, *hundred, (3 * 86400.0, 9.0, 50.0))
    found = await condition(browser)
    assert (100, 50, 99) == (
        found.first_token.calls,
        found.first_token.p50,
        found.first_token.p99,
    )
    assert (50, 100, "12,000") == (found.today.turns, found.today.calls, found.today.tokens)
    assert "0.00" == found.today.cost
    use(service, (0.0, 3.0, 1.25), (0.0, 3.0, 1.5))
    found = await condition(browser)
    assert (50, "2.75") == (found.today.turns, found.today.cost)
    assert (51, 3000) == (found.first_token.p50, found.first_token.p99)
    assert ["slow"] == [each.want for each in found.attention]


async def test_what_hurts_most_comes_first(short_home: Path) -> None:
    bot = {"token": "1:x", "base_url": CLOSED}
    async with running(
        short_home,
        channels={"telegram": {"main": bot}},
        providers={"away": {"url": CLOSED, "retries": 0}},
        model_routing={"default": {"provider": "away"}},
        models={"breaker_failures": 1},
        budgets={"user_day": 2.0, "all_day": 1000.0},
    ) as service:
        await service.set_up()
        let_knock(service, "Eve")
        async with browsing(service) as browser:
            await browser.log_in()
            await browser.say("c", "hello")  # the emergency route answers
            add_user(service, "Bob")
            use(service, (1.0, 0.1, 1.8), user="u-Bob")
            found = await condition(browser)
            told = [(str(each.want), each.grave, each.name) for each in found.attention]
            assert [
                ("channel", True, "telegram/main"),
                ("model", True, "away"),
                ("money", False, "Bob"),
                ("knocks", False, ""),
            ] == told
            assert "open" == found.models["away"].state
            assert 90 == found.attention[2].count
            page = (await browser.get("/overview")).text
            order = ["telegram/main is down", "away does not answer", "nearly spent", "knocks"]
            places = [page.index(words) for words in order]
            assert sorted(places) == places
            assert "Check the network and net.proxy." in page


async def test_only_whom_it_is_open_to_sees_it(service: Running, browser: Browser) -> None:
    add_user(service, "Mem")
    async with browsing(service) as member:
        await member.log_in("Mem")
        assert 403 == (await member.get("/overview")).status
        assert 403 == (await member.call("GET", "/overview")).status
        socket = await member.socket()
        await socket.send_json({"type": "watch", "boards": ["overview", "pulse"]})
        assert "pulse" == (await socket.receive_json(timeout=PATIENCE_S))["board"]
        await socket.close()
    add_user(service, "Clerk", role="clerk")
    role = msgspec.json.encode({"areas": ["overview"]})
    write(service, "INSERT INTO roles VALUES ('clerk', ?, 1e9)", (role,))
    use(service, *[(1.0, 2.0, 0.0)] * 40)
    async with browsing(service) as clerk:
        await clerk.log_in("Clerk")
        text = (await clerk.get("/overview")).text
        assert "The models begin to answer too slowly." in text
        assert 'href="/models"' not in text


async def test_open_pages_are_told_what_changed(service: Running, browser: Browser) -> None:
    socket = await browser.socket()
    await socket.send_json({"type": "watch", "boards": ["overview"]})
    first = (await socket.receive_json(timeout=PATIENCE_S))["data"]
    let_knock(service, "Eve")
    data = first
    while not data["attention"]:
        data = (await socket.receive_json(timeout=PATIENCE_S))["data"]
    assert first["mark"] != data["mark"]
    assert 1 == data["queue"]["knocks"]


def test_times_and_large_numbers_are_short() -> None:
    times = {0.4: "0 s", 59.9: "59 s", 61: "1 min", 7300: "2 h", 200_000: "2 d"}
    assert list(times.values()) == [lasted(seconds) for seconds in times]
    numbers = {0: "0", 99_999: "99,999", 123_456: "123 k", 2_345_678: "2.3 M"}
    assert list(numbers.values()) == [short(number) for number in numbers]
