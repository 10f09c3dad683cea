"""A person is asked before something grave runs: once, whole, in private, across a restart.

Covers clawdbot.gateway.approvals, clawdbot.conversation.asking, clawdbot.agent.acting,
clawdbot.agent.rights, clawdbot.agent.plan, clawdbot.store.rights, clawdbot.app.hands.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import msgspec
import pytest

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.policy import Effect, Manifest, Role
from clawdbot.tools.registry import Grant, Tool
from tests.integration.gateway.conftest import JSON, Running, running, until
from tests.integration.gateway.test_ws import connected, told

PAY: list[JSON] = [
    {"when": "rent", "calls": [{"tool": "pay", "arguments": {"to": "landlord", "amount": 900}}]},
    {
        "when": "both",
        "calls": [
            {"tool": "pay", "arguments": {"to": "a", "amount": 1}},
            {"tool": "pay", "arguments": {"to": "b", "amount": 2}},
        ],
    },
    {
        "when": "hang",
        "calls": [{"tool": "pay", "arguments": {"to": "limbo", "amount": 5}}],
    },
    {
        "when": "crash",
        "calls": [{"tool": "pay", "arguments": {"to": "chance", "amount": 7}}],
    },
    {"when": "slow", "say": "one two three", "pause_s": 0.2},
    {"when": "broken", "calls": [{"tool": "pay", "arguments": {"to": "nobody", "amount": 0}}]},
    {
        "when": "lay out",
        "calls": [
            {
                "tool": "plan",
                "arguments": {
                    "steps": [
                        {"tool": "pay", "arguments": {"to": "a", "amount": 1}},
                        {"tool": "pay", "arguments": {"to": "b", "amount": 2}},
                    ]
                },
            }
        ],
    },
]


class Bank:
    """A tool with a grave effect, and what it did."""

    def __init__(self) -> None:
        self.paid: list[str] = []
        self.tried = 0
        self.tries_lost = 1

    async def pay(self, grant: Grant, to: str, amount: int) -> str:
        """Pay somebody."""
        if not amount:
            raise ToolFailed("The bank refuses to pay nothing.")
        if to == "limbo":
            self.tried += 1
            await asyncio.Event().wait()
        if to == "chance":
            self.tried += 1
            if self.tried <= self.tries_lost:
                # As if the process had died in the middle.
                raise ConnectionResetError
        self.paid.append(f"{amount} to {to} for {grant.user.name}")
        return f"paid {amount} to {to}"

    @property
    def tools(self) -> tuple[Tool, ...]:
        sinks = (Sink("to", SinkKind.NAME), Sink("amount", SinkKind.AMOUNT))
        manifest = Manifest(name="pay", effect=Effect.MONEY, sinks=sinks)
        return (Tool(manifest=manifest, description="Pay somebody", act=self.pay),)


class Talk:
    """A client of one conversation."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._keys = 0

    async def open(self) -> "Talk":
        await self._socket.send_json({"type": "open", "conversation": "c"})
        return self

    async def say(self, text: str) -> None:
        await self._send("send", text=text)

    async def until_said(self, text: str) -> JSON:
        """Wait for an answer that has a text."""
        while text not in str((final := await self.next("final"))["text"]):
            continue
        return final

    async def answer(self, approval: JSON, verb: str) -> JSON:
        """Choose, and give what the service says to it."""
        choices = approval["choices"]
        assert isinstance(choices, list)
        token = next(choice["token"] for choice in choices if choice["verb"] == verb)
        return await self.press(token)

    async def press(self, token: str) -> JSON:
        await self._send("answer", token=token)
        return (await told(self._socket, "ack"))[-1]

    async def asked(self, text: str) -> JSON:
        await self.say(text)
        return await self.next("approval")

    async def next(self, kind: str) -> JSON:
        return (await told(self._socket, kind))[-1]

    async def _send(self, kind: str, **fields: object) -> None:
        self._keys += 1
        frame = {"type": kind, "conversation": "c", "key": f"k{id(self)}.{self._keys}"}
        await self._socket.send_json(frame | fields)


@asynccontextmanager
async def bank(home: Path, **core: object) -> AsyncIterator[tuple[Running, Talk, Bank]]:
    """Run a service with a bank, and its owner's conversation."""
    counter = Bank()
    async with running(home, PAY, tools=counter.tools, **core) as service:
        await service.set_up()
        yield service, await Talk(await connected(service)).open(), counter


def rows(home: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(home / "data" / "clawdbot.db")) as db:
        return db.execute(query, values).fetchall()


async def test_nothing_runs_before_the_yes_and_once_after_it(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        approval = await talk.asked("pay the rent")
        assert '{"amount":900,"to":"landlord"}' in str(approval["text"])
        assert [] == counter.paid
        ack = await talk.answer(approval, "yes")
        assert "Allowed." == ack["notice"]
        assert "paid 900 to landlord" == (await talk.next("final"))["text"]
        again = await talk.answer(approval, "yes")
        assert "This was answered already, or is too old." == again["notice"]
        assert ["900 to landlord for Ann"] == counter.paid
    trail = rows(short_home, "SELECT kind, decision, outcome FROM audit ORDER BY at, place")
    assert [
        ("decision", "ask", ""),
        ("decision", "grant", ""),
        ("effect", "allow", ""),
        ("effect", "", "done"),
    ] == trail


async def test_a_no_is_final_for_the_turn_and_is_on_record(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        await talk.answer(await talk.asked("pay the rent"), "no")
        assert "said no" in str((await talk.next("final"))["text"])
        assert [] == counter.paid
    decisions = rows(short_home, "SELECT decision, rule FROM audit WHERE kind = 'decision'")
    assert ["ask", "deny", "deny"] == [decision for decision, _ in decisions]
    assert "refused" == decisions[-1][1]


async def test_an_answer_in_words_counts_too(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        approval = await talk.asked("pay the rent")
        code = str(approval["text"]).rpartition("YES ")[2][:4]
        wrong = f"{(int(code) + 1) % 10000:04}"
        await talk.say(f"YES {wrong}")
        assert "Nothing waits for this answer." == (await talk.next("ack"))["notice"]
        await talk.say(f"yes {code}")
        await talk.next("final")
        assert 1 == len(counter.paid)


async def test_several_calls_are_asked_as_one(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        approval = await talk.asked("pay both")
        assert '"to":"a"' in str(approval["text"])
        assert '"to":"b"' in str(approval["text"])
        await talk.answer(approval, "yes")
        await talk.next("final")
        assert ["1 to a for Ann", "2 to b for Ann"] == sorted(counter.paid)


async def test_a_plan_is_asked_once_and_runs_nothing_itself(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        approval = await talk.asked("lay out the payments")
        assert 2 == str(approval["text"]).count("pay (money)")
        await talk.answer(approval, "yes")
        assert "Call them now" in str((await talk.next("final"))["text"])
        assert [] == counter.paid


async def test_a_question_outlives_a_restart_and_is_shown_again(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, _counter):
        first = await talk.asked("pay the rent")
    async with bank(short_home) as (_, talk, counter):
        again = await talk.next("approval")
        assert first == again
        await talk.answer(again, "yes")
        await talk.next("final")
        assert 1 == len(counter.paid)


async def test_later_messages_are_answered_while_a_question_waits(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        approval = await talk.asked("pay the rent")
        await talk.say("hello")
        assert "echo: hello" == (await talk.next("final"))["text"]
        await talk.answer(approval, "yes")
        assert "paid 900 to landlord" == (await talk.next("final"))["text"]
        assert 1 == len(counter.paid)


async def test_stop_takes_a_question_back(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        approval = await talk.asked("pay the rent")
        await talk.say("/stop")
        closed = await talk.next("approval")
        assert ("cancelled", []) == (closed["state"], closed["choices"])
        ack = await talk.answer(approval, "yes")
        assert "This was answered already, or is too old." == ack["notice"]
        assert [] == counter.paid
    assert [("closed",)] == rows(short_home, "SELECT state FROM waits")
    assert [("dropped",)] == rows(short_home, "SELECT state FROM timers")


async def test_a_question_that_nobody_answers_expires(short_home: Path) -> None:
    async with bank(short_home, turns={"approval_s": 0.2}) as (_, talk, counter):
        await talk.asked("pay the rent")
        # Every screen hears that the buttons are of no use any more.
        closed = await talk.next("approval")
        assert ("expired", []) == (closed["state"], closed["choices"])
        assert "Nobody answered in time." in str((await talk.next("final"))["text"])
        assert [] == counter.paid
    assert [("expired",)] == rows(short_home, "SELECT state FROM approvals")


async def test_a_standing_yes_is_for_exactly_what_was_shown(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        await talk.answer(await talk.asked("pay the rent"), "always")
        await talk.next("final")
        await talk.say("pay the rent again")
        await talk.next("final")
        assert 2 == len(counter.paid)
        await talk.asked("pay both")
        assert 2 == len(counter.paid)


async def test_a_failed_effect_is_known_to_have_failed(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, _counter):
        await talk.answer(await talk.asked("broken"), "yes")
        assert "The bank refuses to pay nothing." == (await talk.next("final"))["text"]
    assert [("failed",)] == rows(short_home, "SELECT outcome FROM audit WHERE outcome <> ''")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "n" + token[1:],
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token[:1] + "0" * 26 + token[27:],
        lambda token: token + token[:1],
        lambda token: "x",
    ],
)
async def test_a_forged_or_changed_token_answers_nothing(
    short_home: Path, spoil: Callable[[str], str]
) -> None:
    async with bank(short_home) as (_, talk, counter):
        approval = await talk.asked("pay the rent")
        choices = approval["choices"]
        assert isinstance(choices, list)
        ack = await talk.press(spoil(choices[0]["token"])[:64])
        assert "This button no longer works." == ack["notice"]
        assert [("open",)] == rows(short_home, "SELECT state FROM approvals")
        assert [] == counter.paid


async def test_two_answers_at_once_are_one_decision(short_home: Path) -> None:
    async with bank(short_home) as (service, talk, counter):
        approval = await talk.asked("pay the rent")
        other = await Talk(await connected(service)).open()
        acks = await asyncio.gather(talk.answer(approval, "yes"), other.answer(approval, "yes"))
        notices = sorted(str(ack["notice"]) for ack in acks)
        assert ["Allowed.", "This was answered already, or is too old."] == notices
        await until(lambda: bool(counter.paid))
        assert 1 == len(counter.paid)


async def test_a_member_cannot_answer_for_the_owner(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        approval = await talk.asked("pay the rent")
        with closing(sqlite3.connect(short_home / "data" / "clawdbot.db")) as db:
            db.execute("UPDATE users SET role = 'member'")
            db.commit()
        ack = await talk.answer(approval, "yes")
        assert "refused" == ack["outcome"]
        assert [("open",)] == rows(short_home, "SELECT state FROM approvals")
        assert [] == counter.paid


async def test_a_custom_role_has_the_tools_that_it_names(short_home: Path) -> None:
    async with bank(short_home):
        pass
    role = msgspec.json.encode(Role(allowed=frozenset({"pay"})))
    with closing(sqlite3.connect(short_home / "data" / "clawdbot.db")) as db:
        db.execute("INSERT INTO roles VALUES ('clerk', ?, 1.0)", [role])
        db.commit()
    async with bank(short_home) as (_, talk, counter):
        change_role(short_home, "clerk")
        await talk.answer(await talk.asked("pay the rent"), "yes")
        await talk.next("final")
        assert 1 == len(counter.paid)


def change_role(home: Path, role: str) -> None:
    with closing(sqlite3.connect(home / "data" / "clawdbot.db")) as db:
        db.execute("UPDATE users SET role = ?", [role])
        db.commit()


async def test_what_is_on_record_is_told_although_its_tool_has_gone(short_home: Path) -> None:
    held = asyncio.Event()

    async def hold(_: Grant) -> str:
        held.set()
        await asyncio.Event().wait()
        return "never"

    waits = Tool(manifest=Manifest(name="hold", effect=Effect.READ), description="", read=hold)
    calls = [*PAY[0]["calls"], {"tool": "hold", "arguments": {}}]  # type: ignore[misc] # JSON
    rules: list[JSON] = [{"when": "rent", "calls": calls}]
    counter = Bank()
    async with running(short_home, rules, tools=(*counter.tools, waits)) as service:
        await service.set_up()
        talk = await Talk(await connected(service)).open()
        await talk.answer(await talk.asked("pay the rent"), "yes")
        await held.wait()
        await until(lambda: [("done",)] == rows(short_home, DONE))
    async with running(short_home, rules) as service:
        told = (await (await Talk(await connected(service)).open()).next("final"))["text"]
    assert "paid 900 to landlord\nThere is no tool 'hold'." == told
    assert 1 == len(counter.paid)


DONE = "SELECT outcome FROM audit WHERE what = 'pay' AND outcome <> ''"
