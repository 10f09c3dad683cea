"""The pages about people: who sees them, what they show, names that try to be markup.

Covers clawdbot.panel.people and clawdbot.panel.parts.
"""

import re
from collections.abc import AsyncIterator

import pytest

from clawdbot.gateway.operation import PREFIX
from clawdbot.panel.api import OPERATIONS
from clawdbot.panel.people import named
from tests.integration.panel.conftest import (
    Browser,
    Running,
    add_user,
    browsing,
    let_knock,
)

EVIL = '<img src=x onerror="alert(1)">'
PLACES = ("/people", "/people/roles", "/people/u-Bob")


@pytest.fixture
async def bob(service: Running) -> AsyncIterator[Browser]:
    add_user(service, "Bob", language="zh")
    async with browsing(service) as opened:
        await opened.log_in("Bob")
        yield opened


async def test_whoever_runs_people_sees_them_and_nobody_else(
    service: Running, browser: Browser, bob: Browser
) -> None:
    for path in PLACES:
        assert 200 == (await browser.get(path)).status
        assert 403 == (await bob.get(path)).status
        async with browsing(service) as stranger:
            assert "/login" == (await stranger.get(path)).path
    assert 404 == (await browser.get("/people/u-Nobody")).status
    for opened in (browser, bob):
        assert 200 == (await opened.get("/me")).status


async def test_a_page_shows_who_there_is_and_who_knocks(
    service: Running, browser: Browser, bob: Browser
) -> None:
    add_user(service, EVIL, role="guest")
    let_knock(service, "Cleo")
    await browser.call("POST", "/invitations", {"name": "Dora"})
    text = (await browser.get("/people")).text
    for shown in ("Bob", "Cleo", "Dora", "&lt;img src=x", "Telegram"):
        assert shown in text
    assert EVIL not in text
    assert EVIL not in (await browser.get("/people/u-Bob")).text


async def test_every_action_of_a_page_is_an_operation_that_there_is(
    service: Running, browser: Browser, bob: Browser
) -> None:
    let_knock(service, "Cleo")
    await browser.call("POST", "/invitations", {"name": "Dora"})
    await browser.call("PUT", "/roles/clerk", {"areas": ["audit"]})
    await bob.call("POST", "/me/tokens", {"name": "t", "scopes": ["chat"]})
    found = set()
    for path in (*PLACES, "/me"):
        found |= set(re.findall(r'data-call="([^"]+)"', (await browser.get(path)).text))
    assert len(found) > 15
    known = [(each.method, re.sub("{[^}]+}", "[^/]+", PREFIX + each.path)) for each in OPERATIONS]
    for call in found - {"PUT /api/v1/roles/"}:  # whose name is typed
        method, _, path = call.partition(" ")
        assert any(method == m and re.fullmatch(p, path) for m, p in known), call


async def test_a_reader_of_chinese_meets_chinese(bob: Browser) -> None:
    text = (await bob.get("/me")).text
    for shown in ("个人资料", "双重验证", "令牌", "先询问"):
        assert shown in text


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604", "Safari, iPhone"),
        ("curl/8.5", "curl/8.5"),
        ("", ""),
    ],
)
def test_a_browser_is_named_by_what_it_says_of_itself(agent: str, expected: str) -> None:
    assert expected == named(agent)
