"""The last message said anew, and the last answer given anew: nothing is lost, nothing shown twice.

Covers clawdbot.gateway.controls (supersede) and clawdbot.gateway.history (turns, tools, stretches).
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import msgspec
import pytest

from tests.integration.gateway.conftest import JSON, Running
from tests.integration.gateway.test_approvals import PAY, Bank
from tests.integration.panel.conftest import (
    Browser,
    add_user,
    browser,
    browsing,
    running,
    service,
)
from tests.patience import PATIENCE_S

__all__ = ["browser", "service"]

Frame = dict[str, object]
RULES: list[JSON] = [
    {"when": "slow", "say": "on and " * 400, "pause_s": 0.3},
    {
        "when": "note",
        "say": "Noted.",
        "calls": [{"tool": "note_add", "arguments": {"text": "the key"}}],
    },
]


async def heard(socket: aiohttp.ClientWebSocketResponse, kind: str, **more: object) -> Frame:
    """Read until a frame of a kind comes."""
    while True:
        frame: Frame = await socket.receive_json(timeout=PATIENCE_S)
        if frame["type"] == kind and more.items() <= frame.items():
            return frame


async def tell(socket: aiohttp.ClientWebSocketResponse, key: str, **frame: object) -> Frame:
    """Send a frame and read what became of it."""
    await socket.send_json({"type": "send", "conversation": "c", "key": key} | frame)
    return await heard(socket, "ack", key=key)


def seen(service: Running) -> list[tuple[str, int]]:
    """List what is in the transcript, and whether it was superseded."""
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db:
        query = "SELECT body, superseded_by <> '' FROM transcript ORDER BY position, seq"
        return [(_first(body), old) for body, old in db.execute(query)]


def _first(body: bytes) -> str:
    return str(msgspec.json.decode(body)["parts"][0]["text"])


async def test_the_last_message_is_said_anew(service: Running, browser: Browser) -> None:
    await browser.say("c", "hi")
    first = await browser.say("c", "hello wrold")
    other = await browser.socket("c")
    await heard(other, "final", turn=first["turn"])
    socket = await browser.socket()
    ack = await tell(socket, "k1", text="hello world", instead=first["turn"])
    assert "turn" == ack["outcome"]
    said = await heard(other, "said", text="hello world")
    assert first["turn"] == said["instead"]
    await heard(other, "final", turn=ack["turn"])
    page = (await browser.get("/chat/c")).text
    assert "hello world" in page
    assert "wrold" not in page
    # The earlier stays in the store, and is nowhere shown, found or given to a model.
    assert [
        ("hello wrold", 1),
        ("echo: hello wrold", 1),
        ("hello world", 0),
        ("echo: hello world", 0),
    ] == seen(service)[2:]
    assert "[]" == (await browser.call("GET", "/search?words=wrold")).text
    # Who was away hears of it with the words that took its place.
    late = await browser.socket()
    await late.send_json({"type": "open", "conversation": "c", "after": first["event"]})
    assert first["turn"] == (await heard(late, "said"))["instead"]
    # A repetition is known, and what is not the last any more stays.
    again = await tell(socket, "k1", text="hello world", instead=first["turn"])
    assert "duplicate" == again["outcome"]
    refused = await tell(socket, "k2", text="x", instead=first["turn"])
    assert ("refused", True) == (refused["outcome"], "last message" in str(refused["notice"]))
    assert 6 == len(seen(service))


async def test_an_answer_is_given_anew_to_the_same_words(
    service: Running, browser: Browser
) -> None:
    first = await browser.say("c", "hello")
    socket = await browser.socket("c")
    ack = await tell(socket, "k1", type="again", turn=first["turn"])
    assert "turn" == ack["outcome"]
    final = await heard(socket, "final", turn=ack["turn"])
    assert "echo: hello" == final["text"]
    hers = ack["turn"]
    assert [1, 1, 0, 0] == [old for _, old in seen(service)]
    assert 1 == (await browser.get("/chat/c")).text.count('class="line own" id=')
    add_user(service, "Bob", role="owner")
    async with browsing(service) as bob:
        await bob.log_in("Bob")
        await bob.say("c", "mine")
        theirs = await bob.socket()
        for kind in ({"type": "again"}, {"type": "send", "text": "x"}):
            name = "turn" if kind["type"] == "again" else "instead"
            ack = await tell(theirs, f"b{name}", **kind, **{name: hers})
            assert "refused" == ack["outcome"]
    assert 6 == len(seen(service))


async def test_nothing_is_said_anew_while_something_runs(short_home: Path) -> None:
    async with running(short_home, RULES) as service:
        await service.set_up()
        async with browsing(service) as opened:
            await opened.log_in()
            first = await opened.say("c", "hello")
            socket = await opened.socket("c")
            await tell(socket, "k1", text="slow")
            ack = await tell(socket, "k2", type="again", turn=first["turn"])
            assert "refused" == ack["outcome"]
            await tell(socket, "k3", text="/stop")
            assert [0, 0] == [old for text, old in seen(service) if "hello" in text]


async def test_what_a_turn_did_is_told_under_its_answer(short_home: Path) -> None:
    async with running(short_home, RULES) as service:
        await service.set_up()
        async with browsing(service) as opened:
            await opened.log_in()
            final = await opened.say("c", "note this")
            for path in ("/chat/c", f"/chat/c/turn/{final['turn']}"):
                page = (await opened.get(path)).text
                assert '<details class="calls">' in page
                assert "the key" in page
                assert '<span class="state good">Allowed</span>' in page
            add_user(service, "Bob", role="owner")
            async with browsing(service) as bob:
                await bob.log_in("Bob")
                await bob.say("c", "mine")
                assert 404 == (await bob.get(f"/chat/c/turn/{final['turn']}")).status


@pytest.mark.parametrize(
    ("verb", "told", "paid"),
    [("yes", ("good", "Allowed by a person"), 1), ("no", ("bad", "Denied"), 0)],
)
async def test_what_a_person_decided_is_told_with_the_tool(
    short_home: Path, verb: str, told: tuple[str, str], paid: int
) -> None:
    bank = Bank()
    async with running(short_home, PAY, tools=bank.tools) as service:
        await service.set_up()
        async with browsing(service) as opened:
            await opened.log_in()
            socket = await opened.socket("c")
            turn = (await tell(socket, "k1", text="rent"))["turn"]
            asked = await heard(socket, "approval", state="open")
            tokens = {each["verb"]: each["token"] for each in asked["choices"]}  # type: ignore[attr-defined]
            await tell(socket, "k2", type="answer", token=tokens[verb])
            await heard(socket, "final", turn=turn)
            page = (await opened.get(f"/chat/c/turn/{turn}")).text
            kind, words = told
            assert f'<span class="state {kind}">{words}</span>' in page
            assert "landlord" in page
            assert paid == len(bank.paid)


async def test_a_conversation_begins_with_a_chosen_model(short_home: Path) -> None:
    play = {"protocol": "scripted", "script": str(short_home / "script.yaml")}
    routes = {
        "default": {"provider": "play"},
        "other": {"provider": "play", "model": "bigger"},
        "theirs": {"provider": "play", "when": {"users": ["Bob"]}},
    }
    async with running(short_home, [], providers={"play": play}, model_routing=routes) as service:
        await service.set_up()
        async with browsing(service) as opened:
            await opened.log_in()
            socket = await opened.socket("c")
            await tell(socket, "k1", text="hello", route="other")
            await heard(socket, "final")
            listed = msgspec.json.decode((await opened.call("GET", "/conversations")).text)
            assert ["other"] == [each["route"] for each in listed]
            page = (await opened.get("/chat/c")).text
            assert '<option value="other" selected>' in page
            assert "theirs" not in page
            for route, status in (("default", 200), ("theirs", 400)):
                answer = await opened.call("PATCH", "/conversations/c", {"route": route})
                assert status == answer.status
            assert '<option value="default" selected>' in (await opened.get("/chat/c")).text
