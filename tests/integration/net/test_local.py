"""The Unix socket from a command's side: answers, failures by their own class, no service."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import WSMsgType, web

from clawdbot.domain.errors import BadInput, Denied, Failure, ModelTimedOut, NotRunning
from clawdbot.net.local import Local


class Point(msgspec.Struct):
    x: int


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def fail(request: web.Request) -> web.Response:
    headers = {"X-Failure": request.match_info["name"]}
    return web.Response(status=400, text="what it was", headers=headers)


async def drop(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def talk(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        assert message.type is WSMsgType.TEXT
        await socket.send_str(message.data.upper())
        if message.data == "binary":
            await socket.send_bytes(b"x")
    return socket


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/echo", echo)
    app.router.add_get("/fail/{name}", fail)
    app.router.add_get("/drop", drop)
    app.router.add_get("/talk", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s")).start()
    yield str(tmp_path / "s")
    await runner.cleanup()


async def test_a_value_goes_and_comes(path: str) -> None:
    async with Local(path) as local:
        assert Point(3) == await local.call("POST", "/echo", Point, Point(3))
        assert [1, "字"] == await local.call("POST", "/echo", list, [1, "字"])


@pytest.mark.parametrize("kind", [Denied, BadInput, ModelTimedOut, NotRunning, Failure])
async def test_a_failure_comes_back_as_its_own_class(path: str, kind: type[Failure]) -> None:
    async with Local(path) as local:
        with pytest.raises(kind, match=r"^what it was$") as raised:
            await local.call("GET", f"/fail/{kind.__name__}", Point)
        assert kind is raised.type


async def test_what_another_version_says_is_a_failure(path: str) -> None:
    async with Local(path) as local:
        for way, where, value in (
            ("GET", "/fail/NewKindOfFailure", None),
            ("GET", "/nowhere", None),
            ("POST", "/echo", {"y": 1}),
        ):
            with pytest.raises(Failure) as raised:
                await local.call(way, where, Point, value)
            assert Failure is raised.type


async def test_nobody_listens(path: str, tmp_path: Path) -> None:
    stale = tmp_path / "stale"
    import socket

    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    for where in (str(tmp_path / "nothing"), str(stale), str(tmp_path / "no" / "folder")):
        async with Local(where) as local:
            with pytest.raises(NotRunning):
                await local.call("GET", "/", Point)
            with pytest.raises(NotRunning):
                async with local.socket("/talk"):
                    pass
    async with Local(path) as local:
        with pytest.raises(NotRunning):
            await local.call("GET", "/drop", Point)


async def test_a_conversation(path: str) -> None:
    async with Local(path) as local, local.socket("/talk") as socket:
        await socket.send("hello")
        await socket.send("binary")
        assert ["HELLO", "BINARY"] == [text async for text in socket]


async def test_a_refused_conversation_is_the_failure(path: str) -> None:
    async with Local(path) as local:
        with pytest.raises(Denied):
            async with local.socket("/fail/Denied"):
                pass


async def test_a_closed_conversation_takes_no_more(path: str) -> None:
    async with Local(path) as local:
        async with local.socket("/talk") as socket:
            await socket.send("hello")
        with pytest.raises(NotRunning):
            await socket.send("too late")
