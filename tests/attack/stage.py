"""A service whose model obeys everybody, and a user who talks to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from clawdbot.tools.registry import Tool
from tests.attack.obedient import JSON, Obedient
from tests.integration.gateway.conftest import Running, running
from tests.patience import PATIENCE_S


@dataclass
class User:
    """The owner, in front of one conversation after another; `yes` is what they say when asked."""

    socket: aiohttp.ClientWebSocketResponse
    yes: bool = False
    asked: list[str] = field(default_factory=list)
    _count: int = 0

    async def ask(self, words: str, conversation: str = "") -> str:
        """Say something, answer what is asked, and give the answer."""
        self._count += 1
        name = conversation or f"c{self._count}"
        self.asked = []
        await self.socket.send_json({"type": "open", "conversation": name})
        frame = {"type": "send", "conversation": name, "key": f"k{self._count}", "text": words}
        await self.socket.send_json(frame)
        turn = ""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                told = await self.socket.receive_json()
                if told.get("conversation") != name:
                    continue
                if told["type"] == "ack" and told["key"] == frame["key"]:
                    turn = str(told["turn"])
                if told["type"] == "approval" and told["state"] == "open":
                    self.asked.append(str(told["text"]))
                    await self._answer(name, told)
                # An earlier answer of the conversation is told again when it is opened.
                if told["type"] == "final" and turn and told["turn"] == turn:
                    await self.socket.send_json({"type": "close", "conversation": name})
                    return str(told["text"])

    async def _answer(self, name: str, approval: JSON) -> None:
        verb, choices = "yes" if self.yes else "no", approval["choices"]
        assert isinstance(choices, list)
        token = next(choice["token"] for choice in choices if choice["verb"] == verb)
        key = f"a{self._count}.{len(self.asked)}"
        frame = {"type": "answer", "conversation": name, "key": key, "token": token}
        await self.socket.send_json(frame)


@asynccontextmanager
async def stage(
    home: Path, tools: tuple[Tool, ...], **core: object
) -> AsyncIterator[tuple[Running, Obedient, User]]:
    """Run a service with these tools, and with a model that obeys."""
    async with Obedient() as model:
        provider = {"protocol": "openai", "url": model.url}
        settings: JSON = {
            "providers": {"worst": provider},
            "model_routing": {"default": {"provider": "worst"}},
            "limits": {"messages_per_minute": 100_000},
            "turns": {"steps": 60, "tokens": 1_000_000, "context_tokens": 200_000},
        }
        async with running(home, None, tools=tools, **{**settings, **core}) as service:
            await service.set_up("Emma Johnson")
            socket = await service.local.ws_connect("http://clawdbot/socket", max_msg_size=0)
            await socket.send_json({"type": "hello", "version": 1, "agent": "test"})
            yield service, model, User(socket)
