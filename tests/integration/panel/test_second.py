"""The second factor: set up, asked for, used once, lost and reset, needed by a role.

Covers clawdbot.panel.second and clawdbot.store.factors.
"""

import re
import sqlite3
import time
from base64 import b32decode
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from clawdbot.net.totp import STEP_S, code
from clawdbot.panel.qr import drawn
from tests.integration.gateway.conftest import PASSWORD, Running, running
from tests.integration.panel.conftest import Browser, add_user, browser, browsing

__all__ = ["browser"]


@pytest.fixture
async def bob(service: Running) -> AsyncIterator[Browser]:
    add_user(service, "Bob")
    async with browsing(service) as opened:
        await opened.log_in("Bob")
        yield opened


def step() -> int:
    return int(time.time()) // STEP_S


async def set_up(browser: Browser) -> tuple[bytes, list[str], int]:
    """Set a second factor up as a phone does; give its key, the recovery codes, the used step."""
    begun = msgspec.json.decode((await browser.call("POST", "/me/totp")).text)
    text = begun["key"]
    assert f"secret={text}&" in begun["uri"]
    assert msgspec.to_builtins(drawn(begun["uri"])) == begun["qr"]
    key = b32decode(text)
    used = step()
    page = await browser.call("POST", "/me/totp/confirm", {"code": code(key, used)})
    assert 200 == page.status, page.text
    return key, msgspec.json.decode(page.text)["codes"], used


async def log_in(browser: Browser, name: str, typed: str = "") -> int:
    form = {"name": name, "password": PASSWORD, "code": typed}
    page = await browser.post("/login", form)
    return 200 if page.path == "/chat" else page.status


async def test_a_code_is_asked_for_and_good_once(service: Running, bob: Browser) -> None:
    key, _, used = await set_up(bob)
    async with browsing(service) as other:
        page = await other.log_in("Bob")
        assert 401 == page.status
        assert 'name="code"' in page.text
        assert 401 == await log_in(other, "Bob", code(key, used))  # it confirmed the set-up
        assert 200 == await log_in(other, "Bob", code(key, used + 1))
        assert 401 == await log_in(other, "Bob", code(key, used + 1))


async def test_a_wrong_password_never_tells_of_a_second_factor(
    service: Running, bob: Browser
) -> None:
    await set_up(bob)
    async with browsing(service) as other:
        page = await other.post("/login", {"name": "Bob", "password": "wrong"})
        assert 'name="code"' not in page.text


async def test_guessed_codes_lock_out(service: Running, bob: Browser) -> None:
    key, _, used = await set_up(bob)
    async with browsing(service) as other:
        answers = [await log_in(other, "Bob", "000000") for _ in range(6)]
        assert 429 == answers[-1]
        assert 429 == await log_in(other, "Bob", code(key, used + 1))


async def test_a_recovery_code_is_good_once(service: Running, bob: Browser) -> None:
    _, codes, _ = await set_up(bob)
    assert 10 == len(set(codes))
    async with browsing(service) as other:
        assert 200 == await log_in(other, "Bob", codes[3].lower())
        assert 401 == await log_in(other, "Bob", codes[3])
        assert 200 == await log_in(other, "Bob", codes[4])


async def test_nothing_of_it_is_readable_at_rest(service: Running, bob: Browser) -> None:
    key, codes, _ = await set_up(bob)
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db:
        everything = repr([db.execute(f"SELECT * FROM {t}").fetchall() for t in tables(db)])
    assert repr(key)[2:-1] not in everything
    for typed in codes:
        assert typed not in everything


def tables(db: sqlite3.Connection) -> list[str]:
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [name for (name,) in found if not name.startswith(("sqlite", "search"))]


async def test_it_is_begun_confirmed_and_removed_in_order(browser: Browser, bob: Browser) -> None:
    assert 400 == (await bob.call("POST", "/me/totp/confirm", {"code": "123456"})).status
    await bob.call("POST", "/me/totp")
    assert 400 == (await bob.call("POST", "/me/totp/confirm", {"code": "12345"})).status
    await set_up(bob)
    assert 400 == (await bob.call("POST", "/me/totp")).status
    assert 403 == (await bob.call("POST", "/me/totp/remove", {"password": "wrong"})).status
    assert 204 == (await bob.call("POST", "/me/totp/remove", {"password": PASSWORD})).status
    assert 404 == (await bob.call("POST", "/me/totp/remove", {"password": PASSWORD})).status
    await set_up(bob)
    assert 204 == (await browser.call("DELETE", "/people/u-Bob/totp")).status
    assert 404 == (await browser.call("DELETE", "/people/u-Bob/totp")).status


async def test_a_rotated_master_key_still_opens_it(service: Running, bob: Browser) -> None:
    key, _, used = await set_up(bob)
    address = "http://clawdbot/Custody.rotate_secret"
    async with service.local.post(address, json=[{"name": ""}]) as answer:
        assert 200 == answer.status
    async with browsing(service) as other:
        assert 200 == await log_in(other, "Bob", code(key, used + 1))


async def test_a_role_that_needs_one_opens_nothing_before(short_home: Path) -> None:
    async with running(short_home, login={"totp": ["owner"]}) as service:
        await service.set_up()
        async with browsing(service) as ann:
            page = await ann.log_in()
            assert "/me" == page.path
            assert "/me" == (await ann.get("/chat")).path
            # The page by which they set it up works: what it is made of is anybody's.
            made = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
            assert len(made) > 2
            assert [200] * len(made) == [(await ann.get(path)).status for path in made]
            sent = {"Origin": ann.url, "X-CSRF-Token": page.csrf}
            for path in ("/people", "/audit", "/me/clients"):
                async with ann.session.get(f"{ann.url}/api/v1{path}", headers=sent) as answer:
                    assert 403 == answer.status
            async with ann.session.post(f"{ann.url}/api/v1/me/totp", headers=sent) as answer:
                key = b32decode((await answer.json())["key"])
            body = {"code": code(key, step())}
            async with ann.session.post(
                f"{ann.url}/api/v1/me/totp/confirm", json=body, headers=sent
            ) as answer:
                assert 200 == answer.status
            assert 200 == (await ann.call("GET", "/people")).status
