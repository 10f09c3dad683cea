"""A person's own conversations over real HTTP: listed, named, deleted; nobody else's.

Covers clawdbot.gateway.conversations.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.integration.gateway.conftest import Running, until
from tests.integration.panel.conftest import (
    Browser,
    add_user,
    browser,
    browsing,
    running,
    service,
    write,
)
from tests.patience import PATIENCE_S

__all__ = ["browser", "service"]

SLOW: list[dict[str, object]] = [{"when": "slow", "say": "on and " * 400, "pause_s": 0.3}]
SECRET = "xyzzy"


async def listed(browser: Browser, query: str = "") -> list[dict[str, object]]:
    page = await browser.call("GET", f"/conversations{query}")
    assert 200 == page.status
    found: list[dict[str, object]] = msgspec.json.decode(page.text)
    return found


def dumped(service: Running) -> str:
    """Give everything that the store holds, as text."""
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return "\n".join(
            f"{name} {row}" for name in names for row in db.execute(f'SELECT * FROM "{name}"')
        )


async def test_conversations_are_listed_newest_first_in_stretches(
    service: Running, browser: Browser
) -> None:
    await browser.say("here", "hello")
    rows = [(f"c{n:05}", f"direct:{n}", f'{{"channel":"web","account":"main","chat":"o:n{n}"}}', n)
            for n in range(10_000)]  # fmt: skip
    write(
        service,
        "INSERT INTO conversations"
        " SELECT ?, 'web', ?, id, ?, 'old', '', 's', 1, ?, 1, 1 FROM users",
        *rows,
    )
    began = time.perf_counter()
    first = await listed(browser, "?most=3")
    assert ["here", "n9999", "n9998"] == [each["name"] for each in first]
    # The scopes of these rows lead nowhere, so no later one is named; `here` is.
    second = await listed(browser, "?most=2&before=here")
    assert ["n9999", "n9998"] == [each["name"] for each in second]
    page = await browser.get("/chat/here")
    assert 50 == page.text.count('<a href="/chat/')
    assert time.perf_counter() - began < 5
    assert 999 == (await browser.get("/aside?at=here&most=999")).text.count('<a href="/chat/')
    for wrong in ("?most=0", "?most=100000"):
        assert 400 == (await browser.call("GET", f"/conversations{wrong}")).status
    assert 404 == (await browser.call("GET", "/conversations?before=nowhere")).status


async def test_a_conversation_is_renamed(browser: Browser) -> None:
    await browser.say("c", "hello")
    page = await browser.call("PATCH", "/conversations/c", {"title": "  <b>My\nplans</b> "})
    assert "<b>My plans</b>" == msgspec.json.decode(page.text)["title"]
    assert "&lt;b&gt;My plans&lt;/b&gt;" in (await browser.get("/chat/c")).text
    for wrong in ({"title": " \n"}, {"title": "x" * 1001}, {"name": "x"}, {"route": "nowhere"}):
        assert 400 == (await browser.call("PATCH", "/conversations/c", wrong)).status
    assert "<b>My plans</b>" == (await listed(browser))[0]["title"]


async def test_what_is_deleted_is_gone_and_begins_anew(service: Running, browser: Browser) -> None:
    await browser.say("c", f"the word is {SECRET}")
    await browser.say("other", "stays")
    assert SECRET in dumped(service)
    assert 204 == (await browser.call("DELETE", "/conversations/c")).status
    assert SECRET not in dumped(service)
    assert ["other"] == [each["name"] for each in await listed(browser)]
    assert 404 == (await browser.get("/chat/c")).status
    found = await browser.call("GET", f"/search?words={SECRET}")
    assert [] == msgspec.json.decode(found.text)
    [row] = msgspec.json.decode((await browser.call("GET", "/audit?what=conversation.delete")).text)
    assert ("Ann", "done") == (row["user"], row["outcome"])
    assert 404 == (await browser.call("DELETE", "/conversations/c")).status
    # A page that still shows the deleted one resumes behind an event that is not there any more.
    socket = await browser.socket()
    await socket.send_json({"type": "open", "conversation": "c", "after": 1})
    frame = await browser.say("c", "anew")
    assert 1 == frame["event"]
    late = await browser.socket()
    await late.send_json({"type": "open", "conversation": "c", "after": 7})
    kinds = [(await late.receive_json(timeout=PATIENCE_S))["type"] for _ in range(2)]
    assert ["said", "final"] == kinds


async def test_what_was_sent_along_goes_with_its_conversation(
    service: Running, browser: Browser
) -> None:
    csrf = (await browser.get("/chat")).csrf
    sent = {"Origin": browser.url, "X-CSRF-Token": csrf}
    files = []
    for n in range(2):
        upload = browser.session.post(
            f"{browser.url}/media?name=a.txt", data=f"text {n}".encode(), headers=sent
        )
        async with upload as answer:
            files.append((await answer.json())["id"])
    for name, file in zip("cd", files, strict=True):
        socket = await browser.socket(name)
        said = {"type": "send", "conversation": name, "key": name, "attachments": [file]}
        await socket.send_json(said)
        while (await socket.receive_json(timeout=PATIENCE_S))["type"] != "final":
            pass
    assert 204 == (await browser.call("DELETE", "/conversations/c")).status
    found = [(await browser.get(f"/media/{file}")).status for file in files]
    assert [404, 200] == found


async def test_deleting_stops_what_runs_there(short_home: Path) -> None:
    async with running(short_home, SLOW) as service:
        await service.set_up()
        async with browsing(service) as opened:
            await opened.log_in()
            socket = await opened.socket("c")
            for n in range(2):
                said = {"type": "send", "conversation": "c", "key": f"k{n}", "text": "slow"}
                await socket.send_json(said)
            while (await socket.receive_json(timeout=PATIENCE_S))["type"] != "delta":
                pass
            assert 204 == (await opened.call("DELETE", "/conversations/c")).status
            ended = set[str]()
            while len(ended) < 2:
                frame = await socket.receive_json(timeout=PATIENCE_S)
                ended |= {str(frame["turn"])} if frame["type"] == "final" else set()
            assert "slow" not in dumped(service)
            # The lane is free at once, and the one that ran writes nothing into it.
            frame = await opened.say("c", "hello")
            assert ("echo: hello", 1) == (frame["text"], frame["event"])
            await until(lambda: "on and" not in dumped(service))
            assert 1 == (await opened.get("/chat/c")).text.count('class="line answer" data-turn=')


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_anothers_conversation_is_not_there(
    service: Running, browser: Browser, method: str
) -> None:
    await browser.say("secret", "mine")
    add_user(service, "Bob", role="owner")
    async with browsing(service) as bob:
        await bob.log_in("Bob")
        assert [] == await listed(bob)
        body = {"title": "x"} if method == "PATCH" else None
        assert 404 == (await bob.call(method, "/conversations/secret", body)).status
        assert 404 == (await bob.call("GET", "/conversations?before=secret")).status
    assert ["mine"] == [each["title"] for each in await listed(browser)]
