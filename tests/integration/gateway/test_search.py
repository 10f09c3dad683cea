"""Searching over real HTTP: what a person said on the page, and nobody else's words.

Covers clawdbot.gateway.search.
"""

import asyncio
import sqlite3
from contextlib import closing
from urllib.parse import quote

import msgspec

from tests.integration.gateway.conftest import Running
from tests.integration.panel.conftest import Browser, add_user, browser, browsing, service
from tests.patience import PATIENCE_S

__all__ = ["browser", "service"]


async def look(browser: Browser, words: str) -> list[dict[str, object]]:
    page = await browser.call("GET", f"/search?words={quote(words)}")
    assert 200 == page.status
    found: list[dict[str, object]] = msgspec.json.decode(page.text)
    return found


async def test_what_was_said_is_found_at_once_and_by_its_speaker_only(
    service: Running, browser: Browser
) -> None:
    await browser.say("plans", "The secret plan for 数据库 <b>")
    [found] = await look(browser, "secret 库")
    assert ("web", "plans", 1) == (found["channel"], found["name"], found["event"])
    assert {"text": "secret", "hit": True} in found["pieces"]  # type: ignore[operator]
    add_user(service, "Bob", role="owner")
    async with browsing(service) as bob:
        await bob.log_in("Bob")
        await bob.say("plans", "what secret?")
        assert ["what secret?"] == [
            "".join(piece["text"] for piece in each["pieces"])  # type: ignore[attr-defined]
            for each in await look(bob, "secret")
            if each["own"]
        ]
        assert [] == await look(bob, "数据库")


async def test_what_was_said_is_indexed_though_nobody_searches(
    service: Running, browser: Browser
) -> None:
    await browser.say("plans", "a plan")
    with closing(sqlite3.connect(service.home / "data/clawdbot.db")) as db:
        async with asyncio.timeout(PATIENCE_S):
            while (1,) != db.execute("SELECT COUNT(*) FROM search").fetchone():
                await asyncio.sleep(0.1)
        assert (0,) == db.execute("SELECT COUNT(*) FROM unindexed").fetchone()


async def test_what_cannot_be_looked_for_is_refused_or_found_nowhere(browser: Browser) -> None:
    assert 400 == (await browser.call("GET", f"/search?words={'x' * 201}")).status
    assert 400 == (await browser.call("GET", "/search?words=a&most=0")).status
    assert 400 == (await browser.call("GET", "/search")).status
    for words in ('"', "NEAR(", "' OR 1=1 --", "\0", "? *"):
        assert [] == await look(browser, words)
