"""Log-ins and tokens: what a token opens and never opens, what ends, who is locked out.

Covers clawdbot.panel.clients.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from clawdbot.app.assembly import Doors, doors
from clawdbot.config.clock import SystemClock
from clawdbot.gateway.openings import LOGGED_OUT
from tests.integration.gateway.conftest import PASSWORD, Running, running
from tests.integration.panel.conftest import Browser, Page, add_user, browser, browsing
from tests.passwords import quick_hash
from tests.patience import PATIENCE_S

__all__ = ["browser"]


def told(page: Page) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(page.text)
    return found


async def listed(browser: Browser, path: str = "/me/clients") -> list[dict[str, object]]:
    found: list[dict[str, object]] = msgspec.json.decode((await browser.call("GET", path)).text)
    return found


async def token(browser: Browser, *scopes: str, **more: object) -> dict[str, str]:
    page = await browser.call("POST", "/me/tokens", {"name": "t", "scopes": scopes, **more})
    assert 200 == page.status, page.text
    return {"Authorization": f"Bearer {told(page)['token']}"}


async def ask(
    service: Running, bearer: dict[str, str], path: str, method: str = "GET", body: object = None
) -> int:
    async with service.web.request(
        method, service.url + path, headers=bearer, json=body, allow_redirects=False
    ) as answer:
        return answer.status


@pytest.fixture
async def bob(service: Running) -> AsyncIterator[Browser]:
    add_user(service, "Bob")
    async with browsing(service) as opened:
        await opened.log_in("Bob")
        yield opened


async def test_a_token_opens_its_scopes_and_nothing_else(
    service: Running, browser: Browser
) -> None:
    bearer = await token(browser, "people")
    assert 200 == await ask(service, bearer, "/api/v1/people")
    assert 403 == await ask(service, bearer, "/api/v1/audit")
    assert 403 == await ask(service, bearer, "/api/v1/me")
    assert 200 == await ask(service, await token(browser, "chat"), "/api/v1/me")


async def test_a_token_is_no_way_to_pages_passwords_or_tokens(
    service: Running, browser: Browser
) -> None:
    bearer = await token(browser, "chat", "people")
    for path in ("/chat", "/approvals", "/socket"):
        assert await ask(service, bearer, path) in {303, 401}
    changes: tuple[tuple[str, str, object], ...] = (
        ("POST", "/me/tokens", {"name": "more", "scopes": ["chat"]}),
        ("POST", "/me/password", {"present": PASSWORD, "new": "another password"}),
        ("POST", "/me/totp", None),
        ("POST", "/me/links", None),
        ("PATCH", "/me", {"name": "Mallory"}),
        ("DELETE", "/me/clients", None),
    )
    for method, path, body in changes:
        assert 403 == await ask(service, bearer, f"/api/v1{path}", method, body), path
    cookie = bearer["Authorization"].removeprefix("Bearer ")
    names = {c.key for c in browser.session.cookie_jar}
    async with aiohttp.ClientSession(cookies=dict.fromkeys(names, cookie)) as forged:
        answer = await forged.get(f"{service.url}/chat", allow_redirects=False)
        assert 303 == answer.status
    assert 401 == await ask(service, {}, f"/api/v1/me?token={cookie}")
    assert 401 == await ask(service, {"Authorization": "Bearer cb_made-up"}, "/api/v1/me")


async def test_a_token_changes_people_only_by_their_area_and_not_read_only(
    service: Running, browser: Browser, bob: Browser
) -> None:
    wish = {"role": "guest"}
    path = "/api/v1/people/u-Bob"
    reading = await token(browser, "people", read_only=True)
    assert 200 == await ask(service, reading, path)
    assert 403 == await ask(service, reading, path, "PATCH", wish)
    assert 403 == await ask(service, await token(browser, "audit"), path, "PATCH", wish)
    assert 200 == await ask(service, await token(browser, "people"), path, "PATCH", wish)


async def test_a_token_never_opens_more_than_its_user_may_now(
    service: Running, browser: Browser, bob: Browser
) -> None:
    refused = await bob.call("POST", "/me/tokens", {"name": "t", "scopes": ["people"]})
    assert 400 == refused.status
    for scopes in ([], ["wizardry"]):
        assert 400 == (await bob.call("POST", "/me/tokens", {"name": "t", "scopes": scopes})).status
    await browser.call("PATCH", "/people/u-Bob", {"role": "admin"})
    await bob.log_in("Bob")
    bearer = await token(bob, "people", "chat")
    assert 200 == await ask(service, bearer, "/api/v1/people")
    await browser.call("PATCH", "/people/u-Bob", {"role": "member"})
    assert 401 == await ask(service, bearer, "/api/v1/me")


async def test_a_program_speaks_by_its_token(service: Running, browser: Browser) -> None:
    bearer = await token(browser, "chat")
    url = f"{service.url}/api/v1/socket"
    async with service.web.ws_connect(url, headers=bearer) as socket:
        await socket.send_json({"type": "hello", "version": 1})
        assert "Ann" == (await socket.receive_json(timeout=PATIENCE_S))["user"]
        [client] = [each for each in await listed(browser) if each["kind"] == "token"]
        assert 204 == (await browser.call("DELETE", f"/me/clients/{client['id']}")).status
        ended = await socket.receive(timeout=PATIENCE_S)
        assert (aiohttp.WSMsgType.CLOSE, LOGGED_OUT) == (ended.type, ended.data)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await service.web.ws_connect(url, headers=bearer)


async def test_a_browser_is_listed_and_ended(service: Running, browser: Browser) -> None:
    async with browsing(service) as phone:
        await phone.post("/login", {"name": "Ann", "password": PASSWORD})
        here, there = sorted(await listed(browser), key=lambda each: not each["here"])
        assert (True, False) == (here["here"], there["here"])
        assert "aiohttp" in str(there["name"])
        assert "127.0.0.1" == there["address"]
        assert 204 == (await browser.call("DELETE", f"/me/clients/{there['id']}")).status
        assert "/login" == (await phone.get("/chat")).path
        assert 404 == (await browser.call("DELETE", f"/me/clients/{there['id']}")).status
        await phone.log_in()
        assert 204 == (await browser.call("DELETE", "/me/clients")).status
        assert "/login" == (await phone.get("/chat")).path
    assert [True] == [each["here"] for each in await listed(browser)]


async def test_nobody_ends_what_is_not_theirs(browser: Browser, bob: Browser) -> None:
    [mine] = await listed(browser)
    assert 404 == (await bob.call("DELETE", f"/me/clients/{mine['id']}")).status
    [his] = await listed(browser, "/people/u-Bob/clients")
    assert 404 == (await browser.call("DELETE", f"/me/clients/{his['id']}")).status
    assert 204 == (await browser.call("DELETE", f"/people/u-Bob/clients/{his['id']}")).status
    assert "/login" == (await bob.get("/chat")).path


async def test_a_lock_out_is_shown_and_lifted(short_home: Path) -> None:
    async with (
        running(short_home, login={"lock": "10m"}) as service,
        browsing(service) as browser,
        browsing(service) as stranger,
    ):
        await service.set_up()
        await browser.log_in()
        for _ in range(6):
            await stranger.log_in("Ann", "wrong")
        assert 429 == (await stranger.log_in()).status
        keys = {str(each["key"]) for each in await listed(browser, "/lockouts")}
        assert {"name:Ann", "peer:127.0.0.1"} == keys
        for key in keys:
            assert 204 == (await browser.call("DELETE", f"/lockouts/{key}")).status
        assert 404 == (await browser.call("DELETE", "/lockouts/name:Ann")).status
        assert "/chat" == (await stranger.log_in()).path


class Moved(SystemClock):
    """A clock that is ahead, or was set back."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def now(self) -> float:
        return super().now() + self.by


def at(by: float) -> Doors:
    return replace(doors(), clock=Moved(by), slow=quick_hash)


async def test_a_lock_out_outlives_restarts_and_not_its_time(short_home: Path) -> None:
    policy = {"lock": "10m"}
    async with running(short_home, login=policy) as service, browsing(service) as stranger:
        await service.set_up()
        for _ in range(3):
            assert 401 == (await stranger.log_in("Ann", "wrong")).status
    async with running(short_home, login=policy) as service, browsing(service) as stranger:
        assert [401, 401, 429] == [(await stranger.log_in("Ann", "x")).status for _ in range(3)]
    for later, status in ((0, 429), (590, 429), (-3600, 200)):
        async with (
            running(short_home, None, at(later), login=policy) as service,
            browsing(service) as ann,
        ):
            assert status == (await ann.log_in()).status, later


async def test_a_lock_out_ends_by_its_time(short_home: Path) -> None:
    policy = {"lock": "10m"}
    async with running(short_home, login=policy) as service, browsing(service) as stranger:
        await service.set_up()
        for _ in range(5):
            await stranger.log_in("Ann", "wrong")
    async with (
        running(short_home, None, at(601), login=policy) as service,
        browsing(service) as ann,
    ):
        assert "/chat" == (await ann.log_in()).path
        assert [] == await listed(ann, "/lockouts")
