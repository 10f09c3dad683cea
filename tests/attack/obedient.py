"""The worst case for a model: it does what the user wants, and whatever any text tells it to do.

Speaks OpenAI's chat completions. A test gives it the user's calls, an attacker's calls and the mark
by which the attacker's text is known; from the moment it reads the mark, it obeys.
"""

from dataclasses import dataclass, field
from typing import Self

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

MODEL = "obedient-1"
JSON = dict[str, object]


@dataclass(slots=True)
class Script:
    """What it will do: `effects` names the tools that it lays out in a plan before it acts."""

    calls: list[JSON] = field(default_factory=list)
    attack: list[JSON] = field(default_factory=list)
    mark: str = ""
    answer: str = "done"
    effects: frozenset[str] = frozenset()
    plans: bool = False


class Obedient:
    """The model server; one turn at a time."""

    def __init__(self) -> None:
        self.script = Script()
        self.seen: list[str] = []
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._list)
        self._server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/v1"))

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def _complete(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.seen.append(body.decode())
        asked = msgspec.json.decode(body)
        calls = self._next(asked["messages"])
        events = _calling(calls) if calls else _saying(self.script.answer)
        text = "".join(f"data: {msgspec.json.encode(e).decode()}\n\n" for e in events)
        return web.Response(text=f"{text}data: [DONE]\n\n", content_type="text/event-stream")

    def _next(self, messages: list[JSON]) -> list[JSON]:
        """Decide what to call, from what was called and told in this turn."""
        last = max(i for i, message in enumerate(messages) if message["role"] == "user")
        done = [name for message in messages[last:] for name in _named(message)]
        wanted = list(self.script.calls)
        if self.script.attack:
            marked = (i for i, m in enumerate(messages) if self.script.mark in _text(m))
            if (reached := next(marked, None)) is not None:
                before = sum(len(_named(message)) for message in messages[last:reached])
                wanted[before:before] = self.script.attack
        made = done if any(c["tool"] == "plan" for c in wanted) else _but_plans(done)
        left = wanted[len(made) :]
        if self.script.plans and "plan" not in done and left and made and self._acts(left[0]):
            steps = [call for call in left if self._acts(call)]
            return [{"tool": "plan", "arguments": {"steps": steps}}]
        return left[:1]

    def _acts(self, call: JSON) -> bool:
        return call["tool"] in self.script.effects


def _but_plans(done: list[str]) -> list[str]:
    return [name for name in done if name != "plan"]


def _named(message: JSON) -> list[str]:
    calls = message.get("tool_calls") or []
    assert isinstance(calls, list)
    return [call["function"]["name"] for call in calls]


def _text(message: JSON) -> str:
    return msgspec.json.encode(message.get("content") or "").decode()


def _chunk(delta: JSON, reason: str | None = None) -> JSON:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "1", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}


def _calling(calls: list[JSON]) -> list[JSON]:
    made = [
        {
            "index": index,
            "id": f"call_{index}",
            "type": "function",
            "function": {
                "name": call["tool"],
                "arguments": msgspec.json.encode(call["arguments"]).decode(),
            },
        }
        for index, call in enumerate(calls)
    ]
    return [_chunk({"role": "assistant", "tool_calls": made}), _chunk({}, "tool_calls")]


def _saying(text: str) -> list[JSON]:
    return [_chunk({"role": "assistant", "content": text}), _chunk({}, "stop")]
