"""Roles: kept within bounds, effective at once, explained by the policy's own answer.

Covers clawdbot.panel.roles.
"""

from collections.abc import AsyncIterator

import msgspec
import pytest

from clawdbot.domain.people import Area
from tests.integration.gateway.conftest import JSON, Running
from tests.integration.panel.conftest import Browser, add_user, browser, browsing
from tests.patience import PATIENCE_S

__all__ = ["browser"]


@pytest.fixture
async def adam(service: Running) -> AsyncIterator[Browser]:
    add_user(service, "Adam", role="admin")
    async with browsing(service) as opened:
        await opened.log_in("Adam")
        yield opened


async def listed(browser: Browser) -> dict[str, JSON]:
    found = msgspec.json.decode((await browser.call("GET", "/roles")).text)
    return {each["name"]: each for each in found}


async def explained(browser: Browser, path: str) -> dict[str, JSON]:
    found = msgspec.json.decode((await browser.call("GET", path)).text)
    return {each["tool"]: each for each in found}


async def test_a_role_is_made_given_changed_and_removed(
    service: Running, browser: Browser, adam: Browser
) -> None:
    wish: JSON = {
        "effects": ["read"],
        "asks": ["exec"],
        "areas": ["audit"],
        "denied": ["web_fetch"],
    }
    assert 204 == (await browser.call("PUT", "/roles/clerk", wish)).status
    clerk = (await listed(browser))["clerk"]
    assert wish.items() <= clerk.items()
    assert (False, 0, True) == (clerk["built_in"], clerk["users"], clerk["mine"])
    assert 200 == (await browser.call("PATCH", "/people/u-Adam", {"role": "clerk"})).status
    await adam.log_in("Adam")
    assert 200 == (await adam.call("GET", "/audit")).status
    assert 403 == (await adam.call("GET", "/people")).status
    refused = await browser.call("DELETE", "/roles/clerk")
    assert (400, True) == (refused.status, "Somebody has this role" in refused.text)
    socket = await adam.socket("c")
    assert 204 == (await browser.call("PUT", "/roles/clerk", {"effects": ["read"]})).status
    ended = await socket.receive(timeout=PATIENCE_S)
    assert 1012 == ended.data  # to come back and be looked at anew
    assert 403 == (await adam.call("GET", "/audit")).status
    assert 200 == (await browser.call("PATCH", "/people/u-Adam", {"role": "guest"})).status
    assert 204 == (await browser.call("DELETE", "/roles/clerk")).status
    assert 404 == (await browser.call("DELETE", "/roles/clerk")).status


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("owner", {}),
        ("guest", {"effects": ["admin"]}),
        ("Clerk", {}),
        ("a" * 33, {}),
        ("clerk", {"effects": ["fly"]}),
        ("clerk", {"areas": ["kitchen"]}),
        ("clerk", {"allowed": ["no_such_tool"]}),
        ("clerk", {"colour": "red"}),
    ],
)
async def test_a_role_that_cannot_be_is_refused(
    service: Running, browser: Browser, name: str, wish: JSON
) -> None:
    assert 400 == (await browser.call("PUT", f"/roles/{name}", wish)).status
    assert 4 == len(await listed(browser))


async def test_nobody_makes_or_changes_a_role_beyond_their_own(
    service: Running, browser: Browser, adam: Browser
) -> None:
    every = {"areas": list(Area)}
    assert 403 == (await adam.call("PUT", "/roles/boss", every)).status
    assert 403 == (await adam.call("PUT", "/roles/boss", {"effects": ["money"]})).status
    assert 204 == (await browser.call("PUT", "/roles/boss", every)).status
    assert 403 == (await adam.call("PUT", "/roles/boss", {})).status
    assert 403 == (await adam.call("DELETE", "/roles/boss")).status
    assert not (await listed(adam))["boss"]["mine"]
    assert 204 == (await adam.call("PUT", "/roles/clerk", {"areas": ["people"]})).status


async def test_why_a_role_may_or_may_not_is_told_with_its_trace(browser: Browser) -> None:
    member = await explained(browser, "/roles/member/rights")
    assert "allow" == member["time_now"]["clean"]["answer"]  # type: ignore[index]
    shell = member["shell"]["tainted"]
    assert isinstance(shell, dict)
    assert ("ask", "needs an admin", True) == (shell["answer"], shell["rule"], shell["admin"])
    assert ["To run commands needs an admin's yes."] == shell["trace"]
    guest = (await explained(browser, "/roles/guest/rights?tool=shell"))["shell"]
    assert "The role guest may not run commands." == guest["clean"]["reason"]  # type: ignore[index]
    assert 404 == (await browser.call("GET", "/roles/wizard/rights")).status
    assert 404 == (await browser.call("GET", "/roles/guest/rights?tool=nothing")).status


async def test_why_a_user_may_is_told_in_the_readers_language(
    service: Running, browser: Browser
) -> None:
    add_user(service, "Bob", role="guest", language="zh")
    path = "/people/u-Bob/rights?tool=shell"
    told = (await explained(browser, path))["shell"]["clean"]
    assert "The role guest may not run commands." == told["reason"]  # type: ignore[index]
    async with browsing(service) as bob:
        await bob.log_in("Bob")
        mine = (await explained(bob, "/me/rights?tool=shell"))["shell"]["clean"]
        assert str(mine["reason"]).endswith("不得执行命令。")  # type: ignore[index]
        assert 403 == (await bob.call("GET", path)).status
