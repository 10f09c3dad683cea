"""A helper is a turn within a turn: bounded, with fewer rights, resumed after a restart.

Covers clawdbot.agent.delegate.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.tools.registry import Grant, Tool
from tests.integration.gateway.conftest import JSON, running, short_home
from tests.integration.gateway.test_approvals import Talk
from tests.integration.gateway.test_ws import connected

__all__ = ["short_home"]


def delegates(task: str, *tools: str) -> JSON:
    return {"tool": "delegate", "arguments": {"task": task, "tools": list(tools)}}


def calls(tool: str, **arguments: object) -> list[JSON]:
    return [{"tool": tool, "arguments": arguments}]


RULES: list[JSON] = [
    {"when": "count apples", "say": "there are 7 apples"},
    {"when": "count pears", "say": "there are 9 pears"},
    {"when": "fruit", "calls": [delegates("count apples"), delegates("count pears")]},
    {"when": "send the letter", "calls": calls("send", to="ann@a.example")},
    {"when": "post", "calls": [delegates("send the letter")]},
    {"when": "narrow", "calls": [delegates("send the letter", "time_now")]},
    {"when": "spend it", "calls": calls("pay", to="eve")},
    {"when": "shop", "calls": [delegates("spend it")]},
    {"when": "deeper", "calls": [delegates("deeper still")]},
    {"when": "nested", "calls": [delegates("deeper")]},
    {"when": "wrong", "calls": calls("delegate", tusk="x")},
]


TAINTING: list[JSON] = [
    {"when": "mail Ann", "calls": [delegates("send the letter")]},
    {"when": "the host", "calls": calls("host_facts")},
    *RULES,
]


class Post:
    """Tools with effects, and what they did."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def send(self, grant: Grant, to: str) -> str:
        """Send a letter."""
        self.done.append(f"{grant.id.partition('.')[2]} to {to}")
        return f"sent to {to}"

    @property
    def tools(self) -> tuple[Tool, ...]:
        sinks = (Sink("to", SinkKind.EMAIL),)
        send = Manifest(name="send", effect=Effect.EGRESS, sinks=sinks)
        pay = Manifest(name="pay", effect=Effect.MONEY, sinks=sinks)
        return (
            Tool(manifest=send, description="Send", act=self.send),
            Tool(manifest=pay, description="Pay", act=self.send),
        )


@asynccontextmanager
async def talking(home: Path) -> AsyncIterator[tuple[Talk, Post]]:
    post = Post()
    async with running(home, RULES, tools=post.tools) as service:
        await service.set_up()
        yield await Talk(await connected(service)).open(), post


async def test_helpers_report_in_the_order_of_their_calls(short_home: Path) -> None:
    async with talking(short_home) as (talk, _):
        await talk.say("fruit")
        assert "there are 7 apples\nthere are 9 pears" == (await talk.next("final"))["text"]


async def test_a_helper_acts_as_its_parent_would(short_home: Path) -> None:
    async with talking(short_home) as (talk, post):
        await talk.say("post")
        assert "sent to ann@a.example" == (await talk.next("final"))["text"]
        assert ["0.0/0.0 to ann@a.example"] == post.done


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("shop", "a helper may do less"),
        ("narrow", "There is no tool 'send'."),
        ("nested", "There is no tool 'delegate'."),
        ("wrong", "The arguments do not fit delegate"),
    ],
)
async def test_a_helper_has_less(short_home: Path, words: str, told: str) -> None:
    async with talking(short_home) as (talk, post):
        await talk.say(words)
        assert told in str((await talk.next("final"))["text"])
        assert [] == post.done


async def test_a_helper_of_a_tainted_turn_asks_and_outlives_a_restart(short_home: Path) -> None:
    post = Post()
    async with running(short_home, TAINTING, tools=post.tools) as service:
        await service.set_up()
        talk = await Talk(await connected(service)).open()
        await talk.say("how is the host?")
        await talk.next("final")
        approval = await talk.asked("mail Ann")
        assert "send (egress)" in str(approval["text"])
        assert [] == post.done
    async with running(short_home, TAINTING, tools=post.tools) as service:
        talk = await Talk(await connected(service)).open()
        await talk.answer(await talk.next("approval"), "yes")
        assert "sent to ann@a.example" in str((await talk.next("final"))["text"])
    assert 1 == len(post.done)
