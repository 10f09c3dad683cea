"""`clawdbot.panel.approvals`: who sees which question, and what an answer by its form does."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.integration.gateway.conftest import JSON, until
from tests.integration.gateway.test_approvals import PAY, Bank
from tests.integration.panel.conftest import (
    Browser,
    Page,
    Running,
    add_user,
    browsing,
    running,
    write,
)
from tests.patience import PATIENCE_S

FORM = re.compile(r'action="/approvals/(\w{26})"')
TOKEN = re.compile(r'name="token" value="([^"]+)"[^>]*>([^<]+)<')


@asynccontextmanager
async def bank(home: Path) -> AsyncIterator[tuple[Running, Browser, Bank]]:
    """Run a service with a bank; give it and its owner's browser."""
    counter = Bank()
    async with running(home, PAY, tools=counter.tools) as service:
        await service.set_up()
        async with browsing(service) as browser:
            await browser.log_in()
            yield service, browser, counter


async def ask(browser: Browser, text: str = "pay the rent") -> dict[str, object]:
    """Have something asked in a conversation of its own."""
    socket = await browser.socket("c")
    await socket.send_json({"type": "send", "conversation": "c", "key": "k", "text": text})
    frame: dict[str, object] = {}
    while frame.get("type") != "approval":
        frame = await socket.receive_json(timeout=PATIENCE_S)
    await socket.close()
    return frame


def form(page: Page, label: str) -> tuple[str, dict[str, str]]:
    """Find the first question's address and what its button sends."""
    [id_] = FORM.findall(page.text)
    tokens = {name: token for token, name in TOKEN.findall(page.text)}
    return f"/approvals/{id_}", {"csrf": page.csrf, "token": tokens[label]}


async def test_a_question_is_shown_whole_and_answered(short_home: Path) -> None:
    async with bank(short_home) as (_, browser, counter):
        assert "Nothing waits for an answer." in (await browser.get("/approvals")).text
        await ask(browser)
        assert '<span class="count"' in (await browser.get("/aside")).text
        page = await browser.get("/approvals")
        assert '{"amount":900,"to":"landlord"}' in page.text
        path, fields = form(page, "Yes, once")
        after = await browser.post(path, fields)
        assert (200, "/approvals") == (after.status, after.path)
        assert "Nothing waits for an answer." in after.text
        assert "Answered by Ann" in after.text
        await until(lambda: bool(counter.paid))
        assert '<span class="count"' not in (await browser.get("/aside")).text
        again = await browser.post(path, fields)
        assert 409 == again.status
        assert "This was answered already, or is too old." in again.text
        assert 1 == len(counter.paid)


async def test_an_answer_needs_the_pages_token_and_origin(short_home: Path) -> None:
    async with bank(short_home) as (service, browser, counter):
        await ask(browser)
        path, fields = form(await browser.get("/approvals"), "Yes, once")
        assert 403 == (await browser.post(path, fields | {"csrf": "made-up"})).status
        assert 403 == (await browser.post(path, fields, origin="https://evil.example")).status
        async with aiohttp.ClientSession() as nobody:
            async with nobody.post(f"{service.url}{path}", data=fields) as answer:
                assert "/login" == answer.url.path
            for address in ("/approvals",):
                async with nobody.get(service.url + address) as answer:
                    assert "landlord" not in await answer.text()
        assert [] == counter.paid


async def test_another_users_question_does_not_exist(short_home: Path) -> None:
    async with bank(short_home) as (service, browser, counter):
        add_user(service, "Bob")
        await ask(browser)
        path, fields = form(await browser.get("/approvals"), "Yes, once")
        async with browsing(service) as bob:
            await bob.log_in("Bob")
            mine = await bob.get("/approvals")
            assert "landlord" not in mine.text
            assert "landlord" not in (await bob.get("/approvals")).text
            csrf = (await bob.get("/chat")).csrf
            assert 404 == (await bob.post(path, fields | {"csrf": csrf})).status
            nowhere = f"/approvals/{'0' * 26}"
            assert 404 == (await bob.post(nowhere, fields | {"csrf": csrf})).status
            # A token is for the question in the address, and for no other.
            assert 404 == (await browser.post(nowhere, fields)).status
        assert [] == counter.paid


async def test_what_a_member_may_not_waits_for_an_owner(short_home: Path) -> None:
    async with bank(short_home) as (service, browser, counter):
        add_user(service, "Bob")
        async with browsing(service) as bob:
            await bob.log_in("Bob")
            assert [] == (await ask(bob))["choices"]
            page = await bob.get("/approvals")
            assert "landlord" in page.text
            assert "An admin must answer this." in page.text
            assert [] == TOKEN.findall(page.text)
            page = await browser.get("/approvals")
            assert "Bob" in page.text
            path, fields = form(page, "Yes, once")
            forged = fields | {"csrf": (await bob.get("/chat")).csrf}
            assert 409 == (await bob.post(path, forged)).status
            assert [] == counter.paid
            assert "Answered by Ann" in (await browser.post(path, fields)).text
            await until(lambda: ["900 to landlord for Bob"] == counter.paid)
            assert "Answered by Ann" in (await bob.get("/approvals")).text


async def test_who_is_no_admin_any_more_gets_no_buttons(short_home: Path) -> None:
    async with bank(short_home) as (service, browser, counter):
        await ask(browser)
        path, fields = form(await browser.get("/approvals"), "Yes, once")
        write(service, "UPDATE users SET role = ?", ("guest",))
        assert [] == TOKEN.findall((await browser.get("/approvals")).text)
        assert 409 == (await browser.post(path, fields)).status
        assert [] == counter.paid


async def test_hostile_words_in_a_question_stay_words(short_home: Path) -> None:
    hostile = "</code></pre><script>alert(1)</script><img src=x onerror=alert(1)>\u202e```\n# hi"
    arguments = {"to": hostile, "amount": 3}
    rules: list[JSON] = [{"when": "hostile", "calls": [{"tool": "pay", "arguments": arguments}]}]
    counter = Bank()
    async with running(short_home, rules, tools=counter.tools) as service:
        await service.set_up()
        async with browsing(service) as browser:
            await browser.log_in()
            frame = await ask(browser, "hostile")
            for text in ((await browser.get("/approvals")).text, str(frame["html"])):
                assert "<script>alert" not in text
                assert "<img" not in text
                assert "\u202e" not in text
                assert "\\u202e" in text
