"""Tool servers at addresses, by the official library: checked, pinned, with our own headers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import uvicorn
from aiohttp import web
from mcp.server.mcpserver import Context, MCPServer

from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.settings import Net
from clawdbot.net.carrier import Carrier
from clawdbot.net.client import Client
from clawdbot.net.egress import Rules
from clawdbot.net.fetch import Guard
from clawdbot.tools import mcp
from tests.integration.net.stage import site


async def loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@asynccontextmanager
async def served(*, json: bool) -> AsyncIterator[str]:
    """Run an official server; its tool tells the key that it was sent."""
    server = MCPServer("official")

    @server.tool()
    def key(context: Context) -> str:
        headers = context.headers or {}
        return headers.get("authorization", "none")

    app = server.streamable_http_app(json_response=json)
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    async with asyncio.TaskGroup() as tasks:
        life = tasks.create_task(running.serve())
        while not running.started:
            await asyncio.sleep(0.01)
        port = running.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
        running.should_exit = True
        await life


@asynccontextmanager
async def linked(url: str, *hosts: str) -> AsyncIterator[mcp.Link]:
    async with Client(Net()) as client:
        rules = Rules.of(hosts, hosts)
        headers = {"Authorization": "Bearer k3y"}
        carrier = Carrier(client, Guard(Net(), loopback), rules, headers=headers, timeout_s=5.0)
        async with mcp.reached(url, carrier) as link:
            yield link


@pytest.mark.parametrize("json", [False, True])
async def test_an_official_server_is_asked_and_called(json: bool) -> None:
    async with served(json=json) as url, linked(url, url.split("/")[2]) as link:
        assert b'"name": "key"' in await link.tools()
        assert "Bearer k3y" == await link.call("key", {})
        with pytest.raises(ToolFailed):
            await link.call("nothing", {})


async def test_what_is_not_granted_is_not_asked() -> None:
    async def answer(request: web.Request) -> web.Response:
        raise AssertionError(request.url)

    async with site(answer) as url:
        with pytest.raises(ToolFailed, match="not on the list of hosts"):
            async with linked(f"{url}/mcp", "other.example:80"):
                pass


@pytest.mark.parametrize("manner", ["redirect", "large", "broken"])
async def test_a_bad_answer_is_an_error_and_sends_the_key_nowhere(manner: str) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.host)
        if manner == "redirect":
            raise web.HTTPTemporaryRedirect(f"http://other.example:{request.url.port}/mcp")
        if manner == "large":
            return web.Response(body=b"x" * (3 << 20), content_type="application/json")
        return web.Response(text="<html>", content_type="application/json")

    async with site(answer) as url:
        host = url.split("/")[2]
        with pytest.raises(ToolFailed):
            async with linked(f"{url}/mcp", host, "other.example:80"):
                pass
    assert {host} == set(asked)
