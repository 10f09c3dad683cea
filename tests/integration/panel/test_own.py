"""What is one's own: profile, password, and accounts that become one's own by a code, both ways.

Covers clawdbot.panel.own and clawdbot.gateway.linking.
"""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.fakes.telegram import TOKEN, UNLIMITED, Shown, TelegramServer
from tests.integration.gateway.conftest import PASSWORD, Running, running
from tests.integration.panel.conftest import Browser, Page, add_user, browsing

NEW = "another good password"


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(pace=UNLIMITED) as server:
        yield server


def channels(telegram: TelegramServer, access: str = "pairing") -> dict[str, object]:
    account = {"token": TOKEN, "base_url": telegram.url, "session": {"access": access}}
    return {"telegram": {"main": account}}


@pytest.fixture
async def service(short_home: Path, telegram: TelegramServer) -> AsyncIterator[Running]:
    """Run a service with Ann, its owner, and Bob, a member, on Telegram."""
    async with running(short_home, channels=channels(telegram)) as found:
        await found.set_up()
        add_user(found, "Bob")
        yield found


@pytest.fixture
async def bob(service: Running) -> AsyncIterator[Browser]:
    async with browsing(service) as opened:
        await opened.log_in("Bob")
        yield opened


def told(page: Page) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(page.text)
    return found


def rows(service: Running, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db:
        return db.execute(sql).fetchall()


async def answer(telegram: TelegramServer, who: int, words: str) -> str:
    """Say something to the bot and read its whole answer."""
    said = len(await telegram.wait_for(who, lambda _: True))
    await telegram.user_says(who, who, words)

    def whole(chat: list[Shown]) -> bool:
        last = chat[-1] if len(chat) > said + 1 else None
        return (
            last is not None and last.from_bot and not last.text.endswith("\N{HORIZONTAL ELLIPSIS}")
        )

    chat = await telegram.wait_for(who, whole)
    return chat[-1].text


async def test_a_profile_changes(service: Running, bob: Browser) -> None:
    wish = {"name": "Bo", "language": "zh", "timezone": "Asia/Shanghai"}
    page = await bob.call("PATCH", "/me", wish)
    assert wish.items() <= told(page).items()
    for bad in ({"name": "Ann"}, {"language": "xx"}, {"timezone": "Mars/Base"}, {"role": "owner"}):
        assert 400 == (await bob.call("PATCH", "/me", bad)).status
    assert wish.items() <= told(await bob.call("GET", "/me")).items()


async def test_a_password_changes_by_the_present_one_and_browsers_log_in_anew(
    service: Running, bob: Browser
) -> None:
    wrong = {"present": "wrong", "new": NEW}
    assert 403 == (await bob.call("POST", "/me/password", wrong)).status
    short = {"present": PASSWORD, "new": "short"}
    assert 400 == (await bob.call("POST", "/me/password", short)).status
    async with browsing(service) as phone:
        await phone.log_in("Bob")
        page = await bob.call("POST", "/me/password", {"present": PASSWORD, "new": NEW})
        assert 204 == page.status
        assert "/login" == (await phone.get("/chat")).path
    assert "/login" == (await bob.get("/chat")).path
    assert 401 == (await bob.log_in("Bob")).status
    assert "/chat" == (await bob.log_in("Bob", NEW)).path


async def test_guessing_the_present_password_locks_out(short_home: Path) -> None:
    async with (
        running(short_home, login={"lock": "10m"}) as service,
        browsing(service) as ann,
    ):
        await service.set_up()
        await ann.log_in()
        wrong = {"present": "wrong", "new": NEW}
        statuses = [(await ann.call("POST", "/me/password", wrong)).status for _ in range(6)]
    assert [403] * 5 + [429] == statuses


async def test_a_code_of_the_panel_links_whoever_writes_it_to_the_bot(
    service: Running, bob: Browser, telegram: TelegramServer
) -> None:
    words = str(told(await bob.call("POST", "/me/links"))["words"])
    assert re.fullmatch(r"/link [2-9A-Z]{8}", words)
    assert "This account is now Bob's." == await answer(telegram, 5, words.lower())
    assert "echo: hello" == await answer(telegram, 5, "hello")
    assert [("5", "u-Bob")] == rows(service, "SELECT external, user_id FROM identities")
    # It was good once.
    assert "unknown or too old" in await answer(telegram, 6, words)
    assert [("user.link", "u-Bob")] == rows(
        service, "SELECT what, user_id FROM audit WHERE what = 'user.link'"
    )


async def test_a_new_code_ends_the_last(
    service: Running, bob: Browser, telegram: TelegramServer
) -> None:
    first = str(told(await bob.call("POST", "/me/links"))["words"])
    await bob.call("POST", "/me/links")
    assert "unknown or too old" in await answer(telegram, 5, first)


async def test_a_code_of_the_bot_links_only_once_it_is_entered_on_the_panel(
    service: Running, bob: Browser, telegram: TelegramServer
) -> None:
    assert "I do not know you yet." in await answer(telegram, 5, "hello")
    text = await answer(telegram, 5, "/link")
    code = re.search(r"[2-9A-Z]{8}", text)
    assert code is not None
    assert [] == rows(service, "SELECT * FROM identities")
    assert 400 == (await bob.call("POST", "/me/accounts", {"code": "ABCD2345"})).status
    page = await bob.call("POST", "/me/accounts", {"code": code[0].lower()})
    assert ["5"] == [each["external"] for each in msgspec.json.decode(page.text)["accounts"]]
    # What was held is answered now, and the knock is over.
    await telegram.wait_for(5, lambda chat: chat[-1].text == "echo: hello")
    assert [("used",)] == rows(service, "SELECT state FROM pairings")
    assert 400 == (await bob.call("POST", "/me/accounts", {"code": code[0]})).status
    assert 204 == (await bob.call("DELETE", "/me/accounts/telegram/5")).status
    assert 404 == (await bob.call("DELETE", "/me/accounts/telegram/5")).status
    assert "I do not know you yet." in await answer(telegram, 5, "hello again")


async def test_codes_of_the_bot_are_few(service: Running, telegram: TelegramServer) -> None:
    for _ in range(5):
        await telegram.user_says(5, 5, "/link")
    await telegram.wait_for(5, lambda chat: 3 == sum(message.from_bot for message in chat))
    await answer(telegram, 6, "/link")
    chat = await telegram.wait_for(5, bool)
    assert 3 == sum(message.from_bot for message in chat)
    assert [(3,)] == rows(service, "SELECT COUNT(*) FROM codes WHERE external = '5'")


async def test_a_guest_made_earlier_becomes_part_of_who_links_it(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with running(short_home, channels=channels(telegram, "open")) as service:
        await service.set_up()
        add_user(service, "Bob")
        async with browsing(service) as bob:
            await bob.log_in("Bob")
            assert "echo: hello" == await answer(telegram, 5, "hello")
            words = str(told(await bob.call("POST", "/me/links"))["words"])
            assert "This account is now Bob's." == await answer(telegram, 5, words)
            owner = rows(service, "SELECT user_id FROM identities WHERE external = '5'")
            assert [("u-Bob",)] == owner
            left = "SELECT COUNT(*) FROM users WHERE role = 'guest' AND disabled_at IS NOT NULL"
            assert [(1,)] == rows(service, left)
            # What is somebody's who can log in is not taken, nor what may more.
            async with browsing(service) as ann:
                await ann.log_in("Ann")
                taken = str(told(await ann.call("POST", "/me/links"))["words"])
                assert "somebody else's" in await answer(telegram, 5, taken)
            again = str(told(await bob.call("POST", "/me/links"))["words"])
            assert "linked to you already" in await answer(telegram, 5, again)
