"""The model stand-in itself: a request read, a reply found, its frames written or spoilt."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from aiohttp import web

from tests.fakes.control import ClearFaults, LookLog, Order, Release, Remote, SetFault, Watched
from tests.fakes.faults import Fault, Json
from tests.fakes.models.anthropic import Anthropic
from tests.fakes.models.openai import OpenAi
from tests.fakes.models.script import Ask, Plan, Reply, Rule, Script, plan
from tests.fakes.models.wire import Invalid, Wire
from tests.fakes.serving import Served, cut

KEY = "sk-test-stand-in"
MODEL = "stand-in-1"
FOREVER_S = 3600.0
GARBAGE = bytes(range(256)) * 8
PORTAL = b"<!doctype html><title>Sign in to the network</title>"
Flavour = Literal["cloud", "ollama", "llamacpp", "vllm", "lmstudio"]
OWNERS: dict[Flavour, str] = {
    "cloud": "stand-in",
    "ollama": "library",
    "llamacpp": "llamacpp",
    "vllm": "vllm",
    "lmstudio": "organization_owner",
}


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the model answers where a reply says nothing else."""

    first_ms: float = 50.0
    token_ms: float = 0.0
    count: int = 42


class AddRules(msgspec.Struct, frozen=True, tag="script"):
    """Add rules behind the others."""

    rules: list[Rule]


class ClearRules(msgspec.Struct, frozen=True, tag="clear_script"):
    """Forget every rule."""


class SetTiming(msgspec.Struct, frozen=True, tag="timing"):
    """Change the speed."""

    timing: Timing


Teach = AddRules | ClearRules | SetTiming
Command = Teach | Order | LookLog


class Models(Watched):
    """The stand-in as a test sees it, here or in another process."""

    @abstractmethod
    async def teach(self, lesson: Teach) -> None:
        """Change what is answered."""

    async def script(self, *rules: Rule) -> None:
        """Add rules behind the others; the first that matches decides."""
        await self.teach(AddRules(list(rules)))

    async def clear_script(self) -> None:
        """Forget every rule."""
        await self.teach(ClearRules())

    async def set_timing(self, timing: Timing) -> None:
        """Change the speed."""
        await self.teach(SetTiming(timing))


class RemoteModels(Remote, Models):
    """The stand-in in another process: `async with RemoteModels(url) as models`."""

    async def teach(self, lesson: Teach) -> None:
        """Change what is answered."""
        await self.ask(lesson, type(None))


class ModelServer(Served, Models):
    """A model server on a loopback port."""

    stops_when_left = True

    def __init__(
        self,
        *,
        rules: list[Rule] | None = None,
        timing: Timing | None = None,
        models: tuple[str, ...] = (MODEL,),
        key: str = "",
        flavour: Flavour = "cloud",
        quota: int = 60,
        port: int = 0,
    ) -> None:
        """Serve `models` to who shows `key` (empty: to anyone), telling a quota (0: none)."""
        super().__init__(port=port)
        self._script = Script(rules or [])
        self._timing = timing or Timing()
        self._models = list(models)
        self._key = key
        self._flavour: Flavour = flavour
        self._quota = quota if flavour == "cloud" else 0
        self._served = 0

    def add_routes(self, app: web.Application) -> None:
        """Add both protocols and the flavour's own pages."""
        app.router.add_post("/v1/chat/completions", self._openai)
        app.router.add_post("/v1/messages", self._anthropic)
        app.router.add_get("/v1/models", self._list)
        for path, content in self._pages().items():
            app.router.add_get(path, self._page(content))

    async def control(self, body: bytes) -> bytes:
        """Carry out one command of a test in another process."""
        command = msgspec.json.decode(body, type=Command)
        match command:
            case SetFault() | ClearFaults() | Release() | LookLog():
                return await self.control_common(command)
            case _:
                await self.teach(command)
                return b"null"

    async def teach(self, lesson: Teach) -> None:
        """Change what is answered."""
        match lesson:
            case AddRules():
                self._script.add(lesson.rules)
            case ClearRules():
                self._script.clear()
            case SetTiming():
                self._timing = lesson.timing

    def refusal(self, request: web.Request, fault: Fault) -> web.Response:
        """Answer with a fault's status in the protocol's form."""
        wire: Wire = Anthropic() if request.path == "/v1/messages" else OpenAi()
        text = f"{request.method} {request.path}: {fault.status}"
        return _error(wire, Invalid(fault.status, text), fault.retry_after or None)

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, OpenAi())

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, Anthropic())

    async def _serve(self, request: web.Request, wire: Wire) -> web.StreamResponse:
        body = await request.read()
        try:
            parsed: Json = msgspec.json.decode(body)
        except msgspec.DecodeError:
            parsed = body.decode(errors="replace")

        def answer() -> Awaitable[web.StreamResponse]:
            return self._answer(request, wire, body)

        return await self.exchange(request, request.path, parsed, answer)

    async def _answer(self, request: web.Request, wire: Wire, body: bytes) -> web.StreamResponse:
        try:
            self._check_key(wire, request)
            ask = wire.read(body, request.headers)
            self._check_model(ask)
        except Invalid as invalid:
            return _error(wire, invalid, None)
        reply = self._script.reply(ask)
        self._served += 1
        first_ms = self._timing.first_ms if reply.first_ms is None else reply.first_ms
        await asyncio.sleep(FOREVER_S if reply.failing == "hang" else first_ms / 1000)
        if reply.status != 200:
            refused = Invalid(reply.status, reply.message or "stand-in error")
            return _error(wire, refused, reply.retry_after)
        ready = plan(ask, reply, self._served, self._timing.count)
        if reply.failing in ("garbage", "content_type"):
            return _spoilt(reply)
        if ask.stream:
            return await self._stream(request, wire, ask, reply, ready)
        return await self._send_whole(request, wire.whole(ask, ready), reply, self._headers(wire))

    async def _send_whole(
        self, request: web.Request, content: bytes, reply: Reply, headers: dict[str, str]
    ) -> web.StreamResponse:
        match reply.failing:
            case "stall":
                await asyncio.sleep(FOREVER_S)
            case "die":
                return cut(request)
            case "malformed_json" | "malformed_sse" | "truncate":
                content = content[: len(content) // 2]
            case _:
                pass
        return web.Response(body=content, headers=headers, content_type="application/json")

    async def _stream(
        self, request: web.Request, wire: Wire, ask: Ask, reply: Reply, ready: Plan
    ) -> web.StreamResponse:
        frames = wire.frames(ask, ready)
        response = web.StreamResponse(headers=self._headers(wire))
        response.content_type = "text/event-stream"
        await response.prepare(request)
        token_ms = self._timing.token_ms if reply.token_ms is None else reply.token_ms
        spoil = reply.failing not in ("", "slow")
        tokens = frames.tokens[: reply.at_token] if spoil else frames.tokens
        writer = _Writer(response, token_ms / 1000, slow=reply.failing == "slow")
        await writer.write([frames.start, *tokens])
        if not spoil:
            await writer.write([frames.end])
            await response.write_eof()
            return response
        match reply.failing:
            case "die":
                return cut(request)
            case "stall":
                await asyncio.sleep(FOREVER_S)
            case "error_event":
                await response.write(frames.error)
            case "malformed_json":
                await response.write(frames.malformed + b"\n\n" + frames.end)
            case "malformed_sse":
                await response.write(b"dta " + frames.end.replace(b"\n", b"\r\x00"))
            case _:
                pass
        await response.write_eof()
        return response

    def _check_key(self, wire: Wire, request: web.Request) -> None:
        if self._key and wire.key(request.headers) != self._key:
            raise Invalid(401, "Incorrect API key provided.")

    def _check_model(self, ask: Ask) -> None:
        if ask.model not in self._models:
            message = f"The model `{ask.model}` does not exist or you do not have access to it."
            raise Invalid(404, message)

    def _headers(self, wire: Wire) -> dict[str, str]:
        if not self._quota:
            return {}
        remaining = max(0, self._quota - self._served)
        return {"x-request-id": f"req_{self._served:06d}"} | wire.quota(self._quota, remaining)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        wire: Wire = Anthropic() if "anthropic-version" in request.headers else OpenAi()

        async def answer() -> web.Response:
            try:
                self._check_key(wire, request)
            except Invalid as invalid:
                return _error(wire, invalid, None)
            content = wire.models(self._models, OWNERS[self._flavour])
            return web.Response(body=content, content_type="application/json")

        return await self.exchange(request, request.path, None, answer)

    def _page(self, content: Json) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        body = msgspec.json.encode(content)

        async def handler(request: web.Request) -> web.StreamResponse:
            async def answer() -> web.Response:
                return web.Response(body=body, content_type="application/json")

            return await self.exchange(request, request.path, None, answer)

        return handler

    def _pages(self) -> dict[str, Json]:
        """Return what each local server shows beside the common protocol."""
        name = self._models[0] if self._models else ""
        match self._flavour:
            case "ollama":
                tags: list[Json] = [
                    {"name": each, "model": each, "size": 4_000_000_000, "digest": "0" * 64}
                    for each in self._models
                ]
                return {"/api/version": {"version": "0.12.6"}, "/api/tags": {"models": tags}}
            case "llamacpp":
                props: Json = {"model_path": f"/models/{name}.gguf", "build_info": "b6700-abc"}
                return {"/props": props, "/health": {"status": "ok"}}
            case "vllm":
                return {"/version": {"version": "0.11.0"}, "/health": {}}
            case "lmstudio":
                listed: list[Json] = [
                    {"id": each, "object": "model", "type": "llm", "state": "loaded"}
                    for each in self._models
                ]
                return {"/api/v0/models": {"object": "list", "data": listed}}
            case "cloud":
                return {}


class _Writer:
    """Writes frames with their pauses; without a pause they leave together."""

    def __init__(self, response: web.StreamResponse, pause_s: float, *, slow: bool) -> None:
        self._response = response
        self._pause_s = pause_s
        self._slow = slow

    async def write(self, frames: list[bytes]) -> None:
        if self._slow:
            for byte in b"".join(frames):
                await self._response.write(bytes((byte,)))
                await asyncio.sleep(self._pause_s)
        elif self._pause_s:
            for frame in frames:
                await self._response.write(frame)
                await asyncio.sleep(self._pause_s)
        else:
            await self._response.write(b"".join(frames))


def _spoilt(reply: Reply) -> web.Response:
    if reply.failing == "garbage":
        return web.Response(body=GARBAGE, content_type="text/event-stream")
    return web.Response(body=PORTAL, content_type="text/html")


def _error(wire: Wire, invalid: Invalid, retry_after: float | None) -> web.Response:
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return web.Response(
        status=invalid.status,
        headers=headers,
        body=wire.error(invalid.status, invalid.message, invalid.code),
        content_type="application/json",
    )
