"""Invitations: good once, bounded by what their maker may still give, revocable.

Covers clawdbot.panel.invitations and clawdbot.store.codes.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.integration.gateway.conftest import Running
from tests.integration.panel.conftest import Browser, Page, add_user, browser, browsing

__all__ = ["browser"]


@pytest.fixture
async def adam(service: Running) -> AsyncIterator[Browser]:
    add_user(service, "Adam", role="admin")
    async with browsing(service) as opened:
        await opened.log_in("Adam")
        yield opened


def told(page: Page) -> dict[str, str]:
    found: dict[str, str] = msgspec.json.decode(page.text)
    return found


async def invited(browser: Browser, **wish: object) -> str:
    page = await browser.call("POST", "/invitations", wish)
    assert 200 == page.status, page.text
    path = told(page)["path"]
    assert path.startswith("/join#")
    return path.removeprefix("/join#").partition("/")[0]


async def join(service: Running, code: str, **more: str) -> int:
    answers = {"code": code, "name": "Cleo", "password": "a good password"} | more
    async with browsing(service) as stranger:
        return (await stranger.send("/join", answers)).status


async def test_whoever_is_invited_joins_once(service: Running, browser: Browser) -> None:
    code = await invited(browser, name="Cleo")
    assert 400 == await join(service, code, password="short")
    assert 400 == await join(service, code, language="xx")
    assert 400 == await join(service, code, name="Ann")
    assert 200 == await join(service, code, language="zh", timezone="Asia/Shanghai")
    assert 403 == await join(service, code, name="Cleo 2")
    async with browsing(service) as cleo:
        assert "/chat" == (await cleo.log_in("Cleo", "a good password")).path
        me = told(await cleo.call("GET", "/me"))
    assert ("member", "zh", "Asia/Shanghai") == (me["role"], me["language"], me["timezone"])


async def test_two_who_use_one_make_one_user(service: Running, browser: Browser) -> None:
    code = await invited(browser, name="Cleo")
    answers = await asyncio.gather(*(join(service, code, name=f"C{n}") for n in range(4)))
    assert [200, 403, 403, 403] == sorted(answers)


async def test_a_revoked_one_is_no_good(service: Running, browser: Browser) -> None:
    code = await invited(browser, name="Cleo", role="guest")
    [shown] = msgspec.json.decode((await browser.call("GET", "/invitations")).text)
    assert ("Cleo", "guest", "Ann", "") == tuple(shown[k] for k in ("name", "role", "by", "path"))
    assert 204 == (await browser.call("DELETE", f"/invitations/{shown['id']}")).status
    assert 404 == (await browser.call("DELETE", f"/invitations/{shown['id']}")).status
    assert 403 == await join(service, code)
    assert 403 == await join(service, "made-up")


async def test_it_gives_no_more_than_its_maker_may_now(
    service: Running, browser: Browser, adam: Browser
) -> None:
    wish = {"name": "M", "role": "owner"}
    assert 403 == (await adam.call("POST", "/invitations", wish)).status
    code = await invited(adam, name="Cleo", role="admin")
    await browser.call("PATCH", "/people/u-Adam", {"role": "member"})
    assert 403 == await join(service, code)


async def test_a_user_gets_a_new_password_and_their_browsers_log_in_anew(
    service: Running, browser: Browser, adam: Browser
) -> None:
    code = await invited(browser, user="u-Adam")
    assert 200 == await join(service, code, name="Adam")
    assert "/login" == (await adam.get("/chat")).path
    assert 401 == (await adam.log_in("Adam")).status
    assert "/chat" == (await adam.log_in("Adam", "a good password")).path
