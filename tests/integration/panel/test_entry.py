"""`clawdbot.panel.entry`: the set-up link, logging in and out, and who tries it without right."""

import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from clawdbot.app.assembly import doors
from tests.integration.panel.conftest import PASSWORD, Browser, Running, browsing, running
from tests.patience import PATIENCE_S

ANSWERS = {"name": "Ann", "password": PASSWORD, "language": "en", "timezone": "Europe/Berlin"}


@pytest.fixture
async def fresh(short_home: Path) -> AsyncIterator[Running]:
    """Run a service that nobody owns yet."""
    async with running(short_home) as found:
        yield found


@pytest.fixture
async def stranger(fresh: Running) -> AsyncIterator[Browser]:
    async with browsing(fresh) as opened:
        yield opened


@pytest.fixture
async def guest(service: Running) -> AsyncIterator[Browser]:
    """Open a browser that nobody has logged in with."""
    async with browsing(service) as opened:
        yield opened


async def test_without_an_owner_every_page_tells_how_to_become_it(stranger: Browser) -> None:
    for path in ("/", "/login", "/chat", "/setup"):
        page = await stranger.get(path)
        assert (200, "/setup") == (page.status, page.path)
        assert "<code>clawdbot restart</code>" in page.text


async def test_the_link_makes_the_owner_and_logs_in(fresh: Running, stranger: Browser) -> None:
    body = {"code": fresh.started.setup_code, "answers": ANSWERS}
    page = await stranger.send("/setup", body)
    assert (200, '{"good":true,"text":""}') == (page.status, page.text)
    cookie = page.headers["Set-Cookie"]
    for mark in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert mark in cookie
    assert "Secure" not in cookie
    chat = await stranger.get("/")
    assert "/chat" == chat.path
    assert "Ann" in chat.text
    assert "owner" in (await stranger.get("/setup")).text


async def test_behind_tls_the_cookie_never_travels_in_the_clear(short_home: Path) -> None:
    async with running(
        short_home, gateway={"port": 0, "public_url": "https://127.0.0.1"}
    ) as service:
        await service.set_up()
        async with browsing(service) as opened:
            page = await opened.log_in()
    assert "; Secure" in page.headers["Set-Cookie"]


async def test_a_used_or_made_up_link_changes_nothing(fresh: Running, stranger: Browser) -> None:
    made_up = {"code": "made-up", "answers": ANSWERS}
    for path, sentence in (
        ("/setup?lang=en", "Restart"),
        ("/setup?lang=zh", "链接"),
        ("/setup/check?lang=zh", "链接"),
    ):
        page = await stranger.send(path, made_up)
        assert 403 == page.status
        assert sentence in page.text
    good = {"code": fresh.started.setup_code, "answers": ANSWERS}
    assert 200 == (await stranger.send("/setup", good)).status
    again = await stranger.send("/setup", good | {"answers": ANSWERS | {"name": "Eve"}})
    assert 403 == again.status


async def test_an_impossible_answer_leaves_the_link_good(fresh: Running, stranger: Browser) -> None:
    code = fresh.started.setup_code
    for change in ({"name": ""}, {"password": "short"}, {"timezone": "Mars"}, {"role": "owner"}):
        refused = await stranger.send("/setup", {"code": code, "answers": ANSWERS | change})
        assert 400 == refused.status
    assert 200 == (await stranger.send("/setup", {"code": code, "answers": ANSWERS})).status


async def test_an_endpoint_is_tried_while_one_waits(fresh: Running, stranger: Browser) -> None:
    answers = ANSWERS | {"name": "", "endpoint": "http://127.0.0.1:9/v1"}
    body = {"code": fresh.started.setup_code, "answers": answers, "check": "model"}
    page = await stranger.send("/setup/check", body)
    assert 200 == page.status
    assert '"good":false' in page.text


async def test_a_good_password_begins_a_session_of_its_own(guest: Browser) -> None:
    first = await guest.log_in()
    second = await guest.log_in()
    assert "/chat" == first.path == second.path
    assert first.headers["Set-Cookie"] != second.headers["Set-Cookie"]
    old = re.search(r"(clawdbot-[0-9a-f]{8})=([^;]+)", first.headers["Set-Cookie"])
    assert old is not None
    guest.session.cookie_jar.clear()
    page = await guest.get("/chat", Cookie=f"{old[1]}={old[2]}")
    assert "/login" == page.path


async def test_neighbours_on_one_host_keep_their_log_ins_apart(
    guest: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("n", numbered=True) / "home"
    async with running(home) as neighbour:
        await neighbour.set_up()
        other = Browser(url=neighbour.url, session=guest.session)
        assert ["/chat", "/chat"] == [(await one.log_in()).path for one in (guest, other)]
        assert ["/chat", "/chat"] == [(await one.get("/")).path for one in (guest, other)]


async def test_a_failed_log_in_says_one_neutral_sentence(guest: Browser) -> None:
    for name, password in (("Ann", "wrong"), ("Bob", PASSWORD), ("", "")):
        page = await guest.log_in(name, password)
        assert 401 == page.status
        assert 1 == page.text.count("The name or the password is wrong.")
        assert "Set-Cookie" not in page.headers


async def test_a_name_comes_back_escaped(guest: Browser) -> None:
    page = await guest.log_in('"><script>alert(1)</script>', "wrong")
    assert "<script>alert" not in page.text
    assert "&gt;&lt;script&gt;alert(1)" in page.text


async def test_too_many_failures_lock_the_door_even_for_the_right_password(guest: Browser) -> None:
    for _ in range(5):
        await guest.log_in("Ann", "wrong")
    page = await guest.post("/login?lang=zh", {"name": "Ann", "password": PASSWORD})
    assert 429 == page.status
    assert "登录失败次数过多" in page.text


async def test_an_unknown_name_costs_as_long_as_a_wrong_password(short_home: Path) -> None:
    taken: dict[str, list[float]] = {"Ann": [], "Nobody": []}
    async with running(short_home, None, doors()) as service, browsing(service) as guest:
        await service.set_up()
        for name in ("Ann", "Nobody", "Ann", "Nobody"):
            begun = time.process_time()  # the service runs in this process
            assert 401 == (await guest.log_in(name, "wrong")).status
            taken[name].append(time.process_time() - begun)
        with closing(sqlite3.connect(service.home / "data/clawdbot.db")) as db:
            [(kept,)] = db.execute("SELECT password FROM users").fetchall()
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    known, unknown = (min(found) for found in taken.values())
    assert 0.4 < unknown / known < 2.5


async def test_another_site_can_neither_log_in_nor_set_up(guest: Browser) -> None:
    form = {"name": "Ann", "password": PASSWORD}
    body = {"code": "x", "answers": ANSWERS}
    for origin in ("https://evil.example", "null", "", "http://127.0.0.1:1"):
        assert 403 == (await guest.post("/login", form, origin)).status
        assert 403 == (await guest.send("/setup", body, origin)).status


async def test_leaving_ends_the_session_and_its_sockets(browser: Browser) -> None:
    page = await browser.get("/chat")
    socket = await browser.socket("c")
    [kept] = (f"{c.key}={c.value}" for c in browser.session.cookie_jar)
    assert 403 == (await browser.post("/logout", {})).status
    assert "/login" == (await browser.post("/logout", {"csrf": page.csrf})).path
    message = await socket.receive(timeout=PATIENCE_S)
    assert 4001 == message.data
    assert "/login" == (await browser.get("/chat", Cookie=kept)).path


async def test_a_stale_page_can_still_log_in(browser: Browser) -> None:
    assert "/chat" == (await browser.log_in()).path


async def test_a_stranger_reads_their_own_language(guest: Browser) -> None:
    for query, accept, language in (
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("", "fr-FR,en;q=0.8,zh;q=0.2", "en"),
        ("?lang=zh", "en", "zh-CN"),
        ("?lang=en", "zh", "en"),
        ("?lang=xx", "zh-TW", "zh-CN"),
    ):
        page = await guest.get(f"/login{query}", Accept_Language=accept)
        assert f'<html lang="{language}">' in page.text
        assert f"<h1>{'Log in' if language == 'en' else '登录'}</h1>" in page.text


async def test_a_page_that_is_not_there_says_so(guest: Browser) -> None:
    page = await guest.get("/nowhere/at/all", Accept_Language="zh")
    assert 404 == page.status
    assert "这里什么也没有" in page.text
