"""What is spent in a day, and how often a tool is called, has limits that hold.

Covers clawdbot.conversation.spending.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from clawdbot.domain.policy import Effect, Manifest
from clawdbot.tools.registry import Grant, Tool
from tests.integration.gateway.conftest import JSON, Running, running
from tests.integration.gateway.test_ws import ask, connected, told
from tests.patience import PATIENCE_S

SPENT = "What may be spent today is spent, so I asked no model. Tomorrow I answer again."
STOPPED = "What may be spent today is spent, so I stopped before I was done. Ask me tomorrow."
RULES: list[JSON] = [
    {"when": "slow", "calls": [{"tool": "note"}], "then": "one two three four", "pause_s": 0.2},
    {"when": "twice", "calls": [{"tool": "look"}, {"tool": "look"}, {"tool": "look"}]},
    {"when": "do", "calls": [{"tool": "act"}]},
    {"when": "meet", "calls": [{"tool": "meet"}]},
    {"when": "help", "calls": [{"tool": "delegate", "arguments": {"task": "four"}}]},
]


def priced(home: Path) -> JSON:
    """Give a provider of whom four letters cost a dollar."""
    model = {"protocol": "scripted", "script": str(home / "script.yaml")}
    return {"play": model | {"price": {"in": 1e6, "out": 0}}}


async def conversation(service: Running) -> aiohttp.ClientWebSocketResponse:
    socket = await connected(service)
    await socket.send_json({"type": "open", "conversation": "c"})
    return socket


async def said(socket: aiohttp.ClientWebSocketResponse, text: str, key: str) -> str:
    return str((await ask(socket, text, key))[-1]["text"])


def rows(home: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(home / "data" / "clawdbot.db")) as db:
        return db.execute(statement).fetchall()


@pytest.mark.parametrize("limit", ["user_day", "all_day"])
async def test_a_spent_day_asks_no_model_and_warns_before(short_home: Path, limit: str) -> None:
    budgets = {limit: 3.0, "warn": 0.5}
    async with running(short_home, RULES, budgets=budgets, providers=priced(short_home)) as service:
        await service.set_up()
        socket = await conversation(service)
        assert "echo: four" == await said(socket, "four", "1")
        assert "echo: eighteen" == await said(socket, "eighteen", "2")
        assert SPENT == await said(socket, "four", "3")
        assert SPENT == await said(socket, "four", "4")
        used = await said(socket, "/usage", "5")
        assert "play scripted: 2 calls" in used
        assert used.endswith(", $3.0000")
    assert [(1.0,), (2.0,)] == rows(short_home, "SELECT cost FROM usage ORDER BY at")
    whose = "user" if limit == "user_day" else "all"
    warned = rows(short_home, "SELECT body FROM transcript WHERE turn_id LIKE '%:spent:%'")
    assert 1 == len(warned)
    text = str(warned[0][0])
    assert "Today 100 percent" in text
    assert ("one user" if whose == "user" else "everybody together") in text


async def test_without_a_limit_or_a_price_nothing_ends(short_home: Path) -> None:
    async with running(short_home, RULES, budgets={"user_day": 0.01}) as service:
        await service.set_up()
        socket = await conversation(service)
        for number in range(3):
            assert "echo: eighteen" == await said(socket, "eighteen", str(number))
    assert [(0.0,)] == rows(short_home, "SELECT DISTINCT cost FROM usage")


async def test_a_day_ends_at_midnight_and_nobody_pays_for_another(short_home: Path) -> None:
    async with running(
        short_home, RULES, budgets={"user_day": 1.0}, providers=priced(short_home)
    ) as service:
        await service.set_up()
        socket = await conversation(service)
        await said(socket, "four", "1")
        assert SPENT == await said(socket, "four", "2")
        changes = ("SET at = at - 86400", "SET at = at + 86400, user_id = 'another'")
        for key, change in zip("34", changes, strict=True):
            with closing(sqlite3.connect(short_home / "data" / "clawdbot.db")) as db, db:
                db.execute(f"UPDATE usage {change} WHERE cost > 0")
            assert "echo: me" == await said(socket, "me", key)


async def test_a_stopped_turn_is_paid_for(short_home: Path) -> None:
    def note(_: Grant) -> str:
        return "noted"

    async def look(grant: Grant) -> str:
        return note(grant)

    tool = Tool(manifest=Manifest(name="note", effect=Effect.READ), description="n", read=look)
    async with running(
        short_home, RULES, tools=(tool,), budgets={"user_day": 1.5}, providers=priced(short_home)
    ) as service:
        await service.set_up()
        socket = await conversation(service)
        send = {"type": "send", "conversation": "c", "key": "1", "text": "slow"}
        await socket.send_json(send)
        await told(socket, "delta")
        await socket.send_json(send | {"key": "2", "text": "/stop"})
        assert "stopped" == (await told(socket, "final"))[-1]["state"]
        assert "echo: four" == await said(socket, "four", "3")
        assert SPENT == await said(socket, "four", "4")
    assert (2, 2.0) == spending(short_home)


def spending(home: Path) -> tuple[int, float]:
    """Count the model calls on the bill, and what they cost."""
    [(calls, cost)] = rows(home, "SELECT COUNT(*), SUM(cost) FROM usage")
    return int(str(calls)), float(str(cost))


async def test_a_turn_looks_at_the_money_before_each_of_its_model_calls(short_home: Path) -> None:
    counted = Counted()
    for limit, words, calls in (("1.0", "do it", 1), ("1.0", "help", 1), ("2.0", "help", 2)):
        home = short_home.parent / f"{limit}{calls}{words[0]}"
        budgets, providers = {"user_day": float(limit)}, priced(home)
        async with running(
            home, RULES, tools=counted.tools, budgets=budgets, providers=providers
        ) as service:
            await service.set_up()
            socket = await conversation(service)
            assert STOPPED == await said(socket, words, "1")
            assert SPENT == await said(socket, words, "2")
        assert (calls, float(calls)) == spending(home)
    assert 1 == counted.acts  # what the model had asked for is still done


async def test_turns_side_by_side_overspend_by_one_call_each_at_most(short_home: Path) -> None:
    both = asyncio.Barrier(2)

    async def meet(_: Grant) -> str:
        await asyncio.wait_for(both.wait(), PATIENCE_S)
        return "met"

    tool = Tool(manifest=Manifest(name="meet", effect=Effect.READ), description="m", read=meet)
    async with running(
        short_home, RULES, tools=(tool,), budgets={"all_day": 1.5}, providers=priced(short_home)
    ) as service:
        await service.set_up()
        socket = await conversation(service)
        for lane in "cd":
            await socket.send_json({"type": "open", "conversation": lane})
            send = {"type": "send", "conversation": lane, "key": lane, "text": "meet"}
            await socket.send_json(send)
        ends = [(await told(socket, "final"))[-1]["text"] for _ in "cd"]
        assert [STOPPED, STOPPED] == ends
    assert (2, 2.0) == spending(short_home)


class Counted:
    """A tool that looks and one that acts, and how often they did."""

    def __init__(self) -> None:
        self.looks = self.acts = 0

    async def look(self, _: Grant) -> str:
        """Look."""
        self.looks += 1
        return "seen"

    async def act(self, _: Grant) -> str:
        """Act."""
        self.acts += 1
        await asyncio.sleep(0)
        return "done"

    @property
    def tools(self) -> tuple[Tool, ...]:
        look = Manifest(name="look", effect=Effect.READ)
        act = Manifest(name="act", effect=Effect.WRITE, own=True)
        return (
            Tool(manifest=look, description="Look", read=self.look),
            Tool(manifest=act, description="Act", act=self.act),
        )


async def test_a_tool_is_called_as_often_in_an_hour_as_the_settings_say(short_home: Path) -> None:
    counted = Counted()
    limits = {"look": {"per_hour": 4}, "act": {"per_hour": 2}}
    async with running(short_home, RULES, tools=counted.tools, tools_=limits) as service:
        await service.set_up()
        socket = await conversation(service)
        assert "seen\nseen\nseen" == await said(socket, "twice", "1")
        over = "(more than 4 calls an hour)"
        again = (await said(socket, "twice", "2")).split("\n")
        assert [False, True, True] == [over in line for line in again]
        assert ["done", "done"] == [await said(socket, "do", k) for k in "34"]
        assert "(more than 2 calls an hour)" in await said(socket, "do", "5")
        with closing(sqlite3.connect(short_home / "data" / "clawdbot.db")) as db, db:
            db.execute("UPDATE audit SET at = at - 3601")
        assert "done" == await said(socket, "do", "6")
        async with service.web.get(service.url + "/metrics") as answer:
            text = await answer.text()
    assert (4, 3) == (counted.looks, counted.acts)
    for line in ('"allow",tool="look"} 4.0', '"deny",tool="look"} 2.0', '"deny",tool="act"} 1.0'):
        assert "clawdbot_tool_calls_total{decision=" + line in text
