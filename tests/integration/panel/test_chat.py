"""`clawdbot.panel.chat`: whose conversations are shown, how, and what the page's socket allows.

Also `clawdbot.gateway.history`, which reads them for the page and for the socket.
"""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from tests.integration.panel.conftest import (
    Browser,
    Running,
    add_user,
    browsing,
    let_knock,
    running,
    write,
)
from tests.patience import PATIENCE_S
from tests.unit.panel.test_markdown import HOSTILE

SLOW: list[dict[str, object]] = [
    {"when": "slow", "say": "one two three four five six seven eight", "pause_s": 0.3}
]
FORBIDDEN = {"b", "iframe", "img", "math", "mglyph", "object", "style"}
SHOWN = re.compile(r">(?:<p>)?assistant (\d+)\.<")


class Foreign(HTMLParser):
    """Collects what no template of ours has and no text of anybody may bring in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        ours = tag != "script" or str(given.get("src", "")).startswith("/static/")
        if tag in FORBIDDEN or not ours or any(name.startswith("on") for name in given):
            self.found.append(str(self.get_starttag_text()))


@pytest.fixture
async def bob(service: Running) -> AsyncIterator[Browser]:
    """Open the browser of a member."""
    add_user(service, "Bob")
    async with browsing(service) as opened:
        assert "/chat" == (await opened.log_in("Bob")).path
        yield opened


async def test_what_was_said_is_there_after_a_reload(browser: Browser) -> None:
    await browser.say("first", "**hello** 1")
    page = await browser.get("/chat/first")
    assert 200 == page.status
    assert '<div class="words">**hello** 1</div>' in page.text
    assert "<p>echo: <strong>hello</strong> 1</p>" in page.text
    assert 'data-after="1"' in page.text
    assert '<a href="/chat/first" aria-current="page"><bdi>**hello** 1</bdi>' in page.text


async def test_a_new_conversation_is_a_fresh_place_each_time(browser: Browser) -> None:
    pages = [await browser.get("/chat") for _ in range(2)]
    names = {page.text.partition('data-conversation="')[2][:26] for page in pages}
    assert 2 == len(names)
    for name in names:
        assert 404 == (await browser.get(f"/chat/{name}")).status


async def test_nobody_reads_what_is_another_users(browser: Browser, bob: Browser) -> None:
    await browser.say("secret", "the code is 1234")
    for path in ("/chat/secret", "/chat/secret/before/9", "/chat/secret/after/1"):
        page = await bob.get(path)
        assert 404 == page.status
        assert "1234" not in page.text
    assert "1234" not in (await bob.get("/aside")).text
    await bob.say("secret", "mine")
    page = await bob.get("/chat/secret")
    assert "mine" in page.text
    assert "1234" not in page.text


async def test_hostile_words_stay_words_everywhere(service: Running, browser: Browser) -> None:
    for n, text in enumerate(HOSTILE):
        let_knock(service, text, f"c{n}")
        await browser.say(f"c{n}", text)
    everything = "".join(HOSTILE)
    write(service, "UPDATE users SET name = ?", (everything,))
    pages = [await browser.get(f"/chat/c{n}") for n in range(len(HOSTILE))]
    pages.append(await browser.get("/aside?at=" + quote(everything)))
    for page in pages:
        assert 200 == page.status
        assert [] == Foreign(page.text).found


async def test_the_owner_sees_who_knocks_and_lets_them_in(
    service: Running, browser: Browser, bob: Browser
) -> None:
    let_knock(service, "Cleo")
    page = await browser.get("/chat")
    assert "Cleo" in page.text
    assert "Telegram" in page.text
    assert "Cleo" not in (await bob.get("/chat")).text
    form = {"id": "c0de", "as": "member", "csrf": page.csrf}
    assert 403 == (await bob.post("/knocks", form | {"csrf": (await bob.get("/chat")).csrf})).status
    assert 403 == (await browser.post("/knocks", form | {"csrf": "made-up"})).status
    assert "/chat" == (await browser.post("/knocks", form)).path
    assert "Cleo" not in (await browser.get("/aside")).text
    async with service.local.post("http://clawdbot/Users.listed", data="[null]") as answer:
        people = {user["name"]: user["role"] for user in await answer.json()}
    assert {"Ann": "owner", "Bob": "member", "Cleo": "member"} == people
    assert 400 == (await browser.post("/knocks", form)).status


async def test_the_owner_sends_a_knock_away(
    service: Running, browser: Browser, bob: Browser
) -> None:
    let_knock(service, "Cleo")
    form = {"id": "c0de", "as": "no", "csrf": (await browser.get("/chat")).csrf}
    assert 403 == (await bob.post("/knocks", form | {"csrf": (await bob.get("/chat")).csrf})).status
    assert "/chat" == (await browser.post("/knocks", form)).path
    assert "Cleo" not in (await browser.get("/aside")).text
    async with service.local.post("http://clawdbot/Users.listed", data="[null]") as answer:
        assert {"Ann", "Bob"} == {user["name"] for user in await answer.json()}
    assert 400 == (await browser.post("/knocks", form)).status


async def test_who_knocks_can_be_the_owner_themselves(service: Running, browser: Browser) -> None:
    let_knock(service, "Ann (phone)")
    csrf = (await browser.get("/chat")).csrf
    await browser.post("/knocks", {"id": "c0de", "as": "me", "csrf": csrf})
    async with service.local.post("http://clawdbot/Users.listed", data="[null]") as answer:
        assert ["Ann"] == [user["name"] for user in await answer.json()]


async def test_another_site_cannot_open_the_socket(browser: Browser) -> None:
    for origin in ("https://evil.example", "null", None):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await browser.session.ws_connect(f"{browser.url}/socket", origin=origin)
        assert 403 == refused.value.status


async def test_a_stranger_reaches_no_page_and_no_fragment(service: Running) -> None:
    async with browsing(service) as opened:
        for path in ("/chat", "/chat/x"):
            assert "/login" == (await opened.get(path)).path
        for path in ("/aside", "/chat/x/before/1", "/chat/x/after/1", f"/chat/x/turn/{'0' * 26}"):
            assert 401 == (await opened.get(path)).status
        assert 401 == (await opened.post("/knocks", {})).status
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await opened.socket()


async def test_whoever_comes_during_an_answer_hears_all_of_it(short_home: Path) -> None:
    async with running(short_home, SLOW) as service:
        await service.set_up()
        async with browsing(service) as opened:
            await opened.log_in()
            socket = await opened.socket("c")
            said = {"type": "send", "conversation": "c", "key": "k", "text": "slow"}
            await socket.send_json(said)
            heard = ""
            while not heard.startswith("one two"):
                frame = await socket.receive_json(timeout=PATIENCE_S)
                heard += frame["text"] if frame["type"] == "delta" else ""
            page = await opened.get("/chat/c")
            assert 'class="line own waiting"' in page.text
            assert 'data-after="0"' in page.text
            late = await opened.socket("c")
            first = [await late.receive_json(timeout=PATIENCE_S) for _ in range(3)]
    assert ["said", "reset", "delta"] == [frame["type"] for frame in first]
    assert "slow" == first[0]["text"]
    assert first[2]["text"].startswith("one two")


async def test_a_long_conversation_is_shown_in_stretches(
    service: Running, browser: Browser
) -> None:
    await browser.say("c", "hello")
    rows = (
        "INSERT INTO transcript"
        " SELECT id, ?, ?, 's', ?, user_id, ?, 0, 1, 2e9, '' FROM conversations"
    )
    part = '{"role": "%s", "parts": [{"type": "text", "source": "own", "text": "%s"}]}'
    for n in range(2, 102):
        own, answer = (part % (role, f"{role} {n}.") for role in ("user", "assistant"))
        write(service, rows, (n, 0, f"t{n}", own.encode()), (n, 1, f"t{n}", answer.encode()))
    write(service, "UPDATE conversations SET next_position = ?", (102,))
    found: list[list[str]] = []
    page = await browser.get("/chat/c")
    while before := page.text.partition('data-earlier="')[2].partition('"')[0].strip("0"):
        found.insert(0, SHOWN.findall(page.text))
        page = await browser.get(f"/chat/c/before/{before}")
    found.insert(0, SHOWN.findall(page.text))
    assert 2 == len(found)
    assert [str(n) for n in range(2, 102)] == [n for stretch in found for n in stretch]
    assert "echo: hello" in page.text
    # And forwards again, up to where the page begins that is open anyway.
    onwards = await browser.get("/chat/c/after/1?until=43")
    assert [str(n) for n in range(2, 43)] == SHOWN.findall(onwards.text)
    assert 'data-later="0"' in onwards.text
    cut = await browser.get("/chat/c/after/1")
    later = cut.text.partition('data-later="')[2].partition('"')[0]
    rest = await browser.get(f"/chat/c/after/{int(later) - 1}")
    assert [str(n) for n in range(2, 102)] == SHOWN.findall(cut.text + rest.text)


async def test_a_wrong_place_to_read_from_is_not_found(browser: Browser) -> None:
    for before in ("", "x", "-1", "0", "1e9", "9" * 30, "１"):
        for way in ("before", "after"):
            assert 404 == (await browser.get(f"/chat/c/{way}/{before}")).status


async def test_static_files_are_kept_by_the_browser_for_ever(browser: Browser) -> None:
    page = await browser.get("/chat")
    address = page.text.partition('href="/static/')[2].partition('"')[0]
    found = await browser.get(f"/static/{address}")
    assert 200 == found.status
    assert "immutable" in found.headers["Cache-Control"]
    for path in ("/static/0/look.css", f"/static/{address}/../routes.py", "/static/x/y"):
        assert 404 == (await browser.get(path)).status
    assert "no-store" == page.headers["Cache-Control"]
