"""People as an owner, an admin and a clerk change them: who may, what ends, what is on record.

Covers clawdbot.panel.users, clawdbot.panel.register, clawdbot.gateway.openings and
clawdbot.panel.staff.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiohttp
import msgspec
import pytest

from clawdbot.gateway.openings import LOGGED_OUT
from clawdbot.gateway.pairing import hash_code
from tests.integration.gateway.conftest import JSON, Running, running
from tests.integration.panel.conftest import (
    Browser,
    Page,
    add_user,
    browser,
    browsing,
    let_knock,
    write,
)
from tests.patience import PATIENCE_S

__all__ = ["browser"]

SLOW: list[JSON] = [{"when": "long", "say": "word " * 2000, "pause_s": 0.05}]


@pytest.fixture
async def service(short_home: Path) -> AsyncIterator[Running]:
    """Run a service with Ann, its owner, Adam, an admin, Bob, a member, and Eve, a clerk."""
    async with running(short_home, SLOW) as found:
        await found.set_up()
        add_user(found, "Adam", role="admin")
        add_user(found, "Bob")
        add_user(found, "Eve", role="clerk")
        role = msgspec.json.encode({"areas": ["people"]})
        write(found, "INSERT INTO roles VALUES ('clerk', ?, 1e9)", (role,))
        yield found


@pytest.fixture
async def adam(service: Running) -> AsyncIterator[Browser]:
    async with browsing(service) as opened:
        await opened.log_in("Adam")
        yield opened


@pytest.fixture
async def bob(service: Running) -> AsyncIterator[Browser]:
    async with browsing(service) as opened:
        await opened.log_in("Bob")
        yield opened


@pytest.fixture
async def eve(service: Running) -> AsyncIterator[Browser]:
    async with browsing(service) as opened:
        await opened.log_in("Eve")
        yield opened


def rows(service: Running, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db:
        return db.execute(sql).fetchall()


def told(page: Page) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(page.text)
    return found


async def ann_id(browser: Browser) -> str:
    return str(told(await browser.call("GET", "/me"))["id"])


async def closing_code(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """Read until the service hangs up, and tell why."""
    async with asyncio.timeout(PATIENCE_S):
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
    return message.data if message.type is aiohttp.WSMsgType.CLOSE else None


async def test_a_listing_shows_what_is_theirs(browser: Browser, bob: Browser) -> None:
    listed = msgspec.json.decode((await browser.call("GET", "/people")).text)
    assert ["Ann", "Adam", "Bob", "Eve"] == [each["name"] for each in listed]
    assert all(each["below"] and each["password"] and not each["totp"] for each in listed)
    assert listed[2]["seen_at"] > 0
    assert 0 == listed[1]["seen_at"]
    assert 403 == (await bob.call("GET", "/people")).status


async def test_an_owner_renames_gives_a_role_and_disables(browser: Browser) -> None:
    page = await browser.call("PATCH", "/people/u-Bob", {"name": " Bo ", "role": "guest"})
    assert ("Bo", "guest", False) == tuple(told(page)[k] for k in ("name", "role", "disabled"))
    page = await browser.call("PATCH", "/people/u-Bob", {"disabled": True})
    assert told(page)["disabled"]
    assert not told(await browser.call("PATCH", "/people/u-Bob", {"disabled": False}))["disabled"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "Ann"}, 400),
        ({"name": " "}, 400),
        ({"name": "a\nb"}, 400),
        ({"role": "wizard"}, 400),
        ({"role": "admin", "more": 1}, 400),
    ],
)
async def test_what_cannot_be_changes_nothing(
    service: Running, browser: Browser, body: dict[str, str], status: int
) -> None:
    assert status == (await browser.call("PATCH", "/people/u-Bob", body)).status
    assert [("Bob", "member")] == rows(service, "SELECT name, role FROM users WHERE id = 'u-Bob'")
    assert 404 == (await browser.call("PATCH", "/people/nobody", {"role": "guest"})).status


async def test_the_last_owner_stays(service: Running, browser: Browser) -> None:
    me = await ann_id(browser)
    for body in ({"role": "admin"}, {"disabled": True}):
        refused = await browser.call("PATCH", f"/people/{me}", body)
        assert (400, True) == (refused.status, "last owner" in refused.text)
    assert 400 == (await browser.call("DELETE", f"/people/{me}")).status
    assert 200 == (await browser.call("PATCH", "/people/u-Adam", {"role": "owner"})).status
    assert 200 == (await browser.call("PATCH", f"/people/{me}", {"role": "admin"})).status
    owners = rows(service, "SELECT id FROM users WHERE role = 'owner' AND disabled_at IS NULL")
    assert [("u-Adam",)] == owners


async def test_two_owners_who_demote_each_other_leave_one(
    service: Running, browser: Browser
) -> None:
    add_user(service, "Olga", role="owner")
    me = await ann_id(browser)
    async with browsing(service) as olga:
        await olga.log_in("Olga")
        await asyncio.gather(
            olga.call("PATCH", f"/people/{me}", {"role": "guest"}),
            browser.call("PATCH", "/people/u-Olga", {"role": "guest"}),
        )
    assert 1 == len(rows(service, "SELECT id FROM users WHERE role = 'owner'"))


async def test_nobody_acts_upwards_or_sideways(
    service: Running, browser: Browser, adam: Browser, eve: Browser
) -> None:
    add_user(service, "Ada", role="admin")
    me = await ann_id(browser)
    before = rows(service, "SELECT id, name, role, disabled_at FROM users ORDER BY id")
    for actor, target in ((adam, me), (adam, "u-Ada"), (eve, me), (eve, "u-Adam"), (eve, "u-Bob")):
        for body in ({"role": "guest"}, {"disabled": True}, {"name": "Mallory"}):
            assert 403 == (await actor.call("PATCH", f"/people/{target}", body)).status
        for path in ("", "/clients", "/totp"):
            assert 403 == (await actor.call("DELETE", f"/people/{target}{path}")).status
        assert 403 == (await actor.call("GET", f"/people/{target}/clients")).status
        invitation = {"user": target}
        assert 403 == (await actor.call("POST", "/invitations", invitation)).status
    # Nor do they raise anybody, themselves included, above themselves.
    assert 403 == (await adam.call("PATCH", "/people/u-Bob", {"role": "owner"})).status
    assert 403 == (await adam.call("PATCH", "/people/u-Adam", {"role": "owner"})).status
    assert 403 == (await eve.call("PATCH", "/people/u-Eve", {"role": "member"})).status
    assert 403 == (await eve.call("POST", "/invitations", {"name": "M", "role": "admin"})).status
    assert before == rows(service, "SELECT id, name, role, disabled_at FROM users ORDER BY id")
    assert 200 == (await adam.call("PATCH", "/people/u-Bob", {"role": "admin"})).status


async def test_a_stranger_is_let_in_within_the_actors_own_role(
    service: Running, browser: Browser, adam: Browser, eve: Browser
) -> None:
    let_knock(service, "Cleo")
    assert 403 == (await eve.call("POST", "/knocks/c0de", {"role": "member"})).status
    assert 400 == (await adam.call("POST", "/knocks/c0de", {"role": "owner"})).status
    assert 403 == (await adam.call("POST", "/knocks/c0de", {"user": "u-Bob"})).status
    assert 400 == (await browser.call("POST", "/knocks/c0de", {"role": "owner"})).status
    assert [] == rows(service, "SELECT * FROM identities")
    page = await eve.call("POST", "/knocks/c0de", {"role": "guest"})
    assert ("Cleo", "guest") == (told(page)["name"], told(page)["role"])
    assert 400 == (await adam.call("POST", "/knocks/c0de", {})).status
    let_knock(service, "Cleo again", "c1de")
    assert 400 == (await adam.call("POST", "/knocks/c1de", {"role": "wizard"})).status
    assert 200 == (await adam.call("DELETE", "/knocks/c1de")).status
    assert [] == msgspec.json.decode((await adam.call("GET", "/knocks")).text)


async def test_an_owner_links_a_stranger_to_somebody_and_takes_the_account_away(
    service: Running, browser: Browser
) -> None:
    let_knock(service, "Bob's phone")
    page = await browser.call("POST", "/knocks/c0de", {"user": "u-Bob"})
    [account] = msgspec.json.decode(page.text)["accounts"]
    assert ("telegram", "4711") == (account["platform"], account["external"])
    path = "/people/u-Bob/accounts/telegram/4711"
    assert 204 == (await browser.call("DELETE", path)).status
    assert 404 == (await browser.call("DELETE", path)).status
    assert [] == rows(service, "SELECT * FROM identities")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/people/u-Bob", {"role": "guest"}),
        ("PATCH", "/people/u-Bob", {"disabled": True}),
        ("DELETE", "/people/u-Bob", None),
    ],
)
async def test_what_ends_ends_at_once(
    service: Running, browser: Browser, bob: Browser, method: str, path: str, body: object
) -> None:
    made = told(await bob.call("POST", "/me/tokens", {"name": "t", "scopes": ["chat"]}))
    bearer = {"Authorization": f"Bearer {made['token']}"}
    socket = await bob.socket("c")
    sent = {"type": "send", "conversation": "c", "key": "k", "text": "long"}
    await socket.send_json(sent)
    frame: dict[str, object] = {}
    while frame.get("type") != "delta":
        frame = await socket.receive_json(timeout=PATIENCE_S)
    assert (await browser.call(method, path, body)).status in {200, 204}
    assert LOGGED_OUT == await closing_code(socket)
    assert "/login" == (await bob.get("/chat")).path
    async with service.web.get(f"{service.url}/api/v1/me", headers=bearer) as answer:
        assert 401 == answer.status
    # What they were in with is dead already; of whoever is erased its rows go piece by piece.
    left = (
        "SELECT id FROM turns WHERE finished_at IS NULL",
        "SELECT hash FROM logins WHERE user_id = 'u-Bob'",
    )
    async with asyncio.timeout(PATIENCE_S):
        while any(rows(service, each) for each in left):
            await asyncio.sleep(0.05)
    # Of whoever is erased not even the turn stays.
    assert {("stopped",)} >= {*rows(service, "SELECT state FROM turns")}


async def test_a_promotion_logs_browsers_in_anew_and_lets_turns_run(
    service: Running, browser: Browser, bob: Browser
) -> None:
    made = told(await bob.call("POST", "/me/tokens", {"name": "t", "scopes": ["chat"]}))
    bearer = {"Authorization": f"Bearer {made['token']}"}
    socket = await bob.socket("c")
    assert 200 == (await browser.call("PATCH", "/people/u-Bob", {"role": "admin"})).status
    assert LOGGED_OUT == await closing_code(socket)
    assert "/login" == (await bob.get("/chat")).path
    async with service.web.get(f"{service.url}/api/v1/me", headers=bearer) as answer:
        assert 200 == answer.status


async def test_who_is_erased_leaves_nothing_of_theirs(service: Running, browser: Browser) -> None:
    let_knock(service, "Bob's phone")
    await browser.call("POST", "/knocks/c0de", {"user": "u-Bob"})
    await browser.call("POST", "/invitations", {"user": "u-Bob"})
    note = ("n1", "u-Bob", "likes tea", "own", 0, 1e9)
    write(service, "INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?)", note)
    assert 204 == (await browser.call("DELETE", "/people/u-Bob")).status
    async with asyncio.timeout(PATIENCE_S):
        while 404 != (await browser.call("GET", "/people/u-Bob")).status:
            again = await browser.call("PATCH", "/people/u-Bob", {"disabled": False})
            assert again.status in {400, 404}
    for table in ("identities", "logins", "codes", "notes", "standings", "factors", "recoveries"):
        assert [] == rows(service, f"SELECT * FROM {table} WHERE user_id = 'u-Bob'"), table


async def test_every_change_is_on_record_with_who_what_and_whom(
    service: Running, browser: Browser
) -> None:
    me = await ann_id(browser)
    let_knock(service, "Cleo")
    await browser.call("PATCH", "/people/u-Bob", {"name": "Bo", "role": "guest", "disabled": True})
    await browser.call("POST", "/knocks/c0de", {})
    await browser.call("DELETE", "/people/u-Bob")
    told = rows(service, "SELECT what, user_id, outcome FROM audit WHERE kind = 'admin'")
    assert [
        ("user.rename", me, "u-Bob"),
        ("user.role", me, "u-Bob member -> guest"),
        ("user.disable", me, "u-Bob"),
    ] == told[:3]
    assert ["user.admit", "user.remove"] == [what for what, *_ in told[3:]]
    assert str(told[3][2]).endswith(" member, telegram, by web")
    # What is refused leaves no row.
    await browser.call("PATCH", f"/people/{me}", {"role": "guest"})
    assert len(told) == len(rows(service, "SELECT what FROM audit WHERE kind = 'admin'"))


async def test_who_is_let_in_from_a_chat_is_on_record_once_as_well(
    service: Running, browser: Browser
) -> None:
    me, code = await ann_id(browser), "ABCD2345"
    hashed = hash_code(code)
    let_knock(service, "Cleo")
    write(service, "UPDATE pairings SET code_hash = ?", (hashed,))
    socket = await browser.socket("c")
    sent = {"type": "send", "conversation": "c", "key": "k", "text": f"/pair {code}"}
    await socket.send_json(sent)
    frame: dict[str, object] = {}
    while frame.get("type") != "ack":
        frame = await socket.receive_json(timeout=PATIENCE_S)
    await socket.close()
    (row,) = rows(service, "SELECT what, user_id, rule, outcome FROM audit WHERE kind = 'admin'")
    (cleo,) = rows(service, "SELECT id FROM users WHERE name = 'Cleo'")
    outcome = f"{cleo[0]} member, telegram, by web"
    assert ("user.admit", me, "role owner", outcome) == row


async def test_an_open_area_is_looked_at_again_inside_the_change(
    service: Running, browser: Browser, eve: Browser
) -> None:
    role: JSON = {"areas": []}
    assert 204 == (await browser.call("PUT", "/roles/clerk", role)).status
    assert 403 == (await eve.call("GET", "/people")).status
