"""Tool servers (MCP) as tools: kept alive, offered as an owner trusted them, bounded by boxes.

What is offered are the words that the owner was shown, never a server's newest: one that tells
something else of its tools is withdrawn until it is trusted again. A tool's effect is what the
settings say, or what the server's box allows where that is more. A server that hangs, floods, lies
or dies is started anew, later each time, and harms nobody else.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
import structlog

from clawdbot.domain.errors import BadInput, Failure, ToolFailed
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.domain.ports import Clock
from clawdbot.domain.settings import McpServer
from clawdbot.net.tasks import stay_ended
from clawdbot.store.plugins import Trusted
from clawdbot.tools.decisions import Decisions
from clawdbot.tools.described import Described, Json, described, first_of, misfit
from clawdbot.tools.registry import Grant, Registry, Tool

if TYPE_CHECKING:
    from clawdbot.tools.mcp import Link

WRITE = ":write"
_EFFECTS = list(Effect)
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_BEGIN_S = 30.0
_LOOK_S = 1.0

# How to a server: a link to it, for as long as it is held; what goes wrong is a Failure.
Reach = Callable[[str, McpServer], "AbstractAsyncContextManager[Link]"]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A server as it is listed; `state` is running, starting, waiting, new, changed or off."""

    name: str
    state: str
    effect: Effect
    problem: str = ""
    hash: str = ""
    tools: tuple[Described, ...] = ()

    @property
    def about(self) -> str:
        """Tell what is wrong with it, or name its tools."""
        return self.problem or ", ".join(tool.name for tool in self.tools)


class _Server(msgspec.Struct):
    """One server: its decision, its present state, and whether somebody may call it now."""

    name: str
    settings: McpServer
    trusted: Trusted | None = None
    state: str = "off"
    problem: str = ""
    link: "Link | None" = None
    up: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    decided: asyncio.Event = msgspec.field(default_factory=asyncio.Event)


class Servers:
    """The servers of the settings; `run` is their life."""

    def __init__(
        self,
        settings: Mapping[str, McpServer],
        decisions: Decisions,
        registry: Registry,
        clock: Clock,
        reach: Reach,
    ) -> None:
        self._servers = {name: _Server(name, each) for name, each in settings.items()}
        self._decisions = decisions
        self._registry = registry
        self._clock = clock
        self._reach = reach

    async def begin(self) -> None:
        """Offer what is trusted, as it was trusted."""
        rows = await self._decisions.all() if self._servers else {}
        for server in self._servers.values():
            server.trusted = rows.get(server.name)
            self._offer(server)

    async def run(self) -> None:
        """Keep every server going until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for server in self._servers.values():
                tasks.create_task(self._keep(server))

    async def listed(self) -> list[Shown]:
        """Tell how every server fares, and what is offered of it."""
        return [
            Shown(
                name=each.name,
                state=each.state,
                effect=effect_of(each.settings),
                problem=each.problem,
                hash=each.trusted.hash if each.trusted else "",
                tools=described(each.trusted.manifest) if each.trusted else (),
            )
            for each in self._servers.values()
        ]

    async def shown(self, name: str) -> Shown:
        """Ask a server what it has, and tell whether that is trusted."""
        return (await self._asked(self._find(name)))[0]

    async def trust(self, name: str, *, by: str = "") -> Shown:
        """Keep the owner's decision for what a server tells of its tools now."""
        server = self._find(name)
        shown, told = await self._asked(server)
        before = described(server.trusted.manifest) if server.trusted else ()
        names = {_name(server, each) for each in (*before, *shown.tools)}
        digest = shown.hash
        await self._decisions.trust(name, digest, told, lambda kept: kept.tool in names, by=by)
        await self.begin()
        server.decided.set()
        return msgspec.structs.replace(shown, state="trusted")

    def _find(self, name: str) -> _Server:
        if name not in self._servers:
            raise BadInput("The settings name no such server. See `clawdbot mcp list`.")
        return self._servers[name]

    async def _asked(self, server: _Server) -> tuple[Shown, bytes]:
        """Begin a server anew for one question."""
        told = b""
        try:
            async with asyncio.timeout(_BEGIN_S), self._reach(server.name, server.settings) as link:
                told = await link.tools()
        except* (Failure, OSError) as group:
            raise ToolFailed(f"{server.name}: {first_of(group)}") from group
        digest = sha256(told).hexdigest()
        known = server.trusted.hash if server.trusted else ""
        state = "trusted" if digest == known else "changed" if known else "new"
        effect, tools = effect_of(server.settings), described(told)
        return Shown(name=server.name, state=state, effect=effect, hash=digest, tools=tools), told

    async def _keep(self, server: _Server) -> None:
        log, wait = structlog.get_logger("mcp").bind(server=server.name), _FIRST_WAIT_S
        while True:
            begun = self._clock.monotonic()
            try:
                server.state = "starting"
                async with self._reach(server.name, server.settings) as link:
                    await self._serve(server, link)
            except* (Failure, OSError) as group:
                server.problem = first_of(group)
                stay_ended()
            server.link = None
            server.up.clear()
            if server.state in {"new", "changed"}:
                log.warning("not trusted", state=server.state)
                await server.decided.wait()
                wait = _FIRST_WAIT_S
                continue
            server.state = "waiting"
            log.warning("gone", problem=server.problem, again_s=wait)
            await asyncio.sleep(wait)
            lived = self._clock.monotonic() - begun > 2 * _LONGEST_WAIT_S
            wait = _FIRST_WAIT_S if lived else min(2 * wait, _LONGEST_WAIT_S)

    async def _serve(self, server: _Server, link: "Link") -> None:
        """Let a server be called as long as it tells what was trusted."""
        while True:
            async with asyncio.timeout(_BEGIN_S):
                told = await link.tools()
            server.decided.clear()  # what was decided until now is in `trusted`
            if server.trusted is None or sha256(told).hexdigest() != server.trusted.hash:
                server.state = "changed" if server.trusted else "new"
                self._registry.replace(f"mcp {server.name}", ())
                return
            server.link, server.state, server.problem = link, "running", ""
            server.up.set()
            there = await link.changed()
            server.up.clear()
            if not there:
                server.problem = server.problem or "The server ended."
                return
            await asyncio.sleep(_LOOK_S)

    def _offer(self, server: _Server) -> None:
        tools = described(server.trusted.manifest) if server.trusted else ()
        made = tuple(self._tool(server, each) for each in tools)
        if taken := self._registry.replace(f"mcp {server.name}", made):
            structlog.get_logger("mcp").warning("left out", server=server.name, names=taken)

    def _tool(self, server: _Server, tool: Described) -> Tool:
        async def call(_: Grant, /, **given: object) -> str:
            return await self._call(server, tool.name, given)

        settings, effect = server.settings, effect_of(server.settings)
        manifest = Manifest(
            name=_name(server, tool),
            effect=effect,
            private=bool(settings.paths or settings.env or settings.url),
            hosts=settings.hosts,
            paths=settings.paths,
            digest=server.trusted.hash if server.trusted else "",
        )
        return Tool(
            manifest=manifest,
            description=tool.description,
            read=call if effect is Effect.READ else None,
            act=None if effect is Effect.READ else call,
            schema=tool.schema,
            check=lambda text: checked(tool.schema, text),
        )

    async def _call(self, server: _Server, tool: str, given: Mapping[str, object]) -> str:
        try:
            async with asyncio.timeout(server.settings.timeout_s):
                await server.up.wait()
                if (link := server.link) is None:
                    raise ToolFailed
                return await link.call(tool, given)
        except TimeoutError as error:
            if server.up.is_set() and server.link is not None:
                server.problem = "The server did not answer in time."
                server.link.leave()
            why = server.problem or "The server is not there yet."
            raise ToolFailed(f"{server.name}: {why}") from error


def effect_of(settings: McpServer) -> Effect:
    """Tell what a server's tools do: what the settings say, or what its box allows if more."""
    implied = Effect.READ
    if settings.hosts or settings.url:
        implied = Effect.EGRESS
    elif any(path.endswith(WRITE) for path in settings.paths):
        implied = Effect.WRITE
    return max(settings.effect, implied, key=_EFFECTS.index)


def checked(schema: Json, text: str) -> Json:
    """Bind a call's arguments, held against the schema that the model was shown."""
    given = msgspec.json.decode(text, type=Json)
    if wrong := misfit(schema, given):
        raise msgspec.ValidationError(wrong)
    return given


def _name(server: _Server, tool: Described) -> str:
    return f"{server.name}_{tool.name}"[:64]
