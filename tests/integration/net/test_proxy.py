"""The egress proxy against real servers, clients and a real browser's way of asking."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clawdbot.domain.settings import Net
from clawdbot.net.egress import Rules
from clawdbot.net.fetch import Guard
from clawdbot.net.proxy import Pass, Passage, Proxy, opened
from tests.integration.net.stage import listening, site
from tests.patience import PATIENCE_S

NAME = "site.example"


async def loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"] if host.endswith(".example") else []


@pytest.fixture
def told() -> list[Passage]:
    return []


@pytest.fixture
def proxy(told: list[Passage]) -> AbstractAsyncContextManager[Proxy]:
    net = Net(connect_timeout_s=1.0)
    return opened(Guard(net, loopback), net, told.append)


def passed(*hosts: str) -> Pass:
    return Pass(who="disk", rules=Rules.of(["*", *hosts], private=hosts))


async def stream(way: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask over a box's descriptor for a stream, as what runs in the box does."""
    way.settimeout(0)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(way, b".")
    ready = asyncio.Event()
    loop.add_reader(way, ready.set)
    async with asyncio.timeout(PATIENCE_S):
        await ready.wait()
    loop.remove_reader(way)
    _, [descriptor], *_ = socket.recv_fds(way, 1, 1)
    return await asyncio.open_connection(sock=socket.socket(fileno=descriptor))


async def said(way: socket.socket, sent: bytes) -> bytes:
    """Send bytes on a fresh stream, and read all that comes back."""
    reader, writer = await stream(way)
    async with asyncio.timeout(PATIENCE_S):
        writer.write(sent)
        answer = await reader.read(-1)
    writer.close()
    return answer


async def test_a_tunnel_leads_to_the_granted_host_alone(
    proxy: AbstractAsyncContextManager[Proxy], told: list[Passage]
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"for {request.host}")

    async with site(answer) as url, proxy as running:
        port = url.rpartition(":")[2]
        host = f"{NAME}:{port}"
        with running.box(passed(host)) as way:
            get = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            got = await said(way, f"CONNECT {host} HTTP/1.1\r\n\r\n".encode() + get)
            assert got.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")
            assert got.endswith(f"for {host}".encode())
            for other in (
                f"127.0.0.1:{port}", f"other.example:{port}", f"localhost:{port}",
                f"2130706433:{port}", f"[::ffff:127.0.0.1]:{port}", "169.254.169.254:80",
                "10.0.0.1:443", f"{NAME}:1", f"u@{host}", "other.example:80",
            ):  # fmt: skip
                got = await said(way, f"CONNECT {other} HTTP/1.1\r\n\r\n".encode() + get)
                assert got.startswith(b"HTTP/1.1 403 "), other
                assert b"for " not in got
    assert ("disk", host, "") == (told[0].who, told[0].host, told[0].failure)
    assert len(get) == told[0].moved[0]
    assert told[0].moved[1] > 10
    assert 11 == len(told)
    assert all(passage.failure for passage in told[1:])


async def test_a_plain_request_is_one_request(proxy: AbstractAsyncContextManager[Proxy]) -> None:
    heads: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        heads.append(await reader.readexactly(3))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                heads.append(await reader.read(1000))

    async with listening(keep) as port, proxy as running:
        host = f"{NAME}:{port}"
        with running.box(passed(host)) as way:
            one = (
                f"POST http://{host}/a?b HTTP/1.1\r\nHost: bank.example\r\nX-A: 1\r\n"
                "Proxy-Authorization: Basic c2VjcmV0\r\nConnection: keep-alive\r\n"
                "Content-Length: 3\r\n\r\nabc"
            )
            got = await said(way, f"{one}GET http://bank.example/secret HTTP/1.1\r\n\r\n".encode())
    assert got.endswith(b"ok")
    expected = f"POST /a?b HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nx-a: 1\r\n"
    assert [f"{expected}content-length: 3\r\n\r\n".encode(), b"abc"] == heads[:2]
    assert b"" == b"".join(heads[2:])


@pytest.mark.parametrize(
    "head",
    [
        "", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET https://site.example/ HTTP/1.1\r\n\r\n",
        "get http://site.example/ HTTP/1.1\r\n\r\n", "GET http://site.example/ HTTP/2\r\n\r\n",
        "GET  http://site.example/ HTTP/1.1\r\n\r\n", "GET ftp://site.example/ HTTP/1.1\r\n\r\n",
        "GET http://site.example/ HTTP/1.1\r\nA b: c\r\n\r\n",
        "GET http://site.example/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        "GET http://site.example/ HTTP/1.1\r\nA : b\r\n\r\n",
        "GET http://site.example/ HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        "GET http://site.example/ HTTP/1.1\r\nA: b\x00\r\n\r\n",
        "POST http://site.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST http://site.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST http://site.example/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST http://site.example/ HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n",
        "GET http://site.example/ HTTP/1.1\r\nX: " + "x" * 70_000 + "\r\n\r\n",
    ],
)  # fmt: skip
async def test_what_can_be_read_in_two_ways_is_refused(
    head: str, proxy: AbstractAsyncContextManager[Proxy], told: list[Passage]
) -> None:
    async with proxy as running:
        with running.box(passed(f"{NAME}:80")) as way:
            reader, writer = await stream(way)
            writer.write(head.encode())
            with contextlib.suppress(ConnectionError):
                writer.write_eof()
                async with asyncio.timeout(PATIENCE_S):
                    assert (await reader.read(-1)).startswith(b"HTTP/1.1 400 ")
            writer.close()
    assert [] == told


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.binary(max_size=400) | st.text(max_size=80).map(lambda t: f"GET {t}\r\n\r\n".encode())
)
def test_noise_harms_nobody(sent: bytes) -> None:
    async def play() -> None:
        net = Net()
        async with opened(Guard(net, loopback), net, lambda _: None) as running:
            with running.box(passed()) as way:
                reader, writer = await stream(way)
                writer.write(sent)
                writer.write_eof()
                await reader.read(-1)
                writer.close()
                assert b"400" in await said(way, b"\r\n\r\n")

    asyncio.run(play())


async def test_a_host_that_does_not_answer_is_told(
    proxy: AbstractAsyncContextManager[Proxy], told: list[Passage]
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        host = f"{NAME}:{bound.getsockname()[1]}"
        async with proxy as running:
            with running.box(passed(host)) as way:
                got = await said(way, f"CONNECT {host} HTTP/1.1\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 502 ")
    assert ["ConnectionError"] == [passage.failure for passage in told]


async def test_limits_of_bytes_and_time_end_a_connection(
    proxy: AbstractAsyncContextManager[Proxy], told: list[Passage]
) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(bytes(10_000))
                await writer.drain()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(flood) as full, listening(silent) as empty, proxy as running:
        host, other = f"{NAME}:{full}", f"{NAME}:{empty}"
        with running.box(replace(passed(host, other), bytes_most=100_000, seconds=0.3)) as way:
            got = await said(way, f"CONNECT {host} HTTP/1.1\r\n\r\n".encode())
            assert 50_000 < len(got) <= 100_100
            got = await said(way, f"CONNECT {other} HTTP/1.1\r\n\r\n".encode())
            assert b"HTTP/1.1 200 Connection established\r\n\r\n" == got
    assert "TimeoutError" == told[1].failure


async def test_connections_end_with_their_box(proxy: AbstractAsyncContextManager[Proxy]) -> None:
    ended = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        ended.set()

    async with listening(wait) as port, proxy as running:
        way = running.box(passed(f"{NAME}:{port}"))
        reader, writer = await stream(way)
        writer.write(f"CONNECT {NAME}:{port} HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        way.close()  # the stream itself stays open
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()
            assert b"" == await reader.read(-1)
        writer.close()


async def test_a_box_has_no_more_streams_than_its_room(
    proxy: AbstractAsyncContextManager[Proxy],
) -> None:
    async with proxy as running:
        with running.box(replace(passed(), room=asyncio.Semaphore(2))) as way:
            one, two = await stream(way), await stream(way)
            async with asyncio.TaskGroup() as group:
                third = group.create_task(stream(way))
                await asyncio.wait([third], timeout=0.1)
                assert not third.done()
                one[1].close()
            for _, writer in (two, third.result()):
                writer.close()


async def test_each_task_of_a_browser_has_a_port_of_its_own(
    proxy: AbstractAsyncContextManager[Proxy], told: list[Passage]
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.path)

    async with site(answer) as url, proxy as running, aiohttp.ClientSession() as session:
        host = f"{NAME}:{url.rpartition(':')[2]}"

        async def get(way: socket.socket) -> tuple[int, str]:
            address = f"http://127.0.0.1:{way.getsockname()[1]}"
            async with session.get(f"http://{host}/x", proxy=address) as got:
                return got.status, await got.text()

        with socket.create_server(("127.0.0.1", 0)) as way, socket.create_server(("", 0)) as other:
            with running.browser(way, passed(host)), running.browser(other, passed()):
                assert (200, "/x") == await get(way)
                assert 403 == (await get(other))[0]
                reader, writer = await asyncio.open_connection(*way.getsockname())
                writer.write(f"CONNECT {host} HTTP/1.1\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
            async with asyncio.timeout(PATIENCE_S):
                assert b"" == await reader.read()  # a tunnel ends with its task
            writer.close()
    assert ["", "site.example", "TimeoutError"] == [p.failure.partition(":")[0] for p in told]


async def test_behind_the_settings_proxy_it_is_asked_for_tunnels(told: list[Passage]) -> None:
    asked: list[str] = []

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if "far.example" in asked[-1]:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfar")
        else:
            writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    async with listening(upstream) as port:
        net = Net(proxy=f"http://user:word@127.0.0.1:{port}", connect_timeout_s=1.0)
        async with opened(Guard(net, loopback), net, told.append) as running:
            with running.box(passed()) as way:
                got = await said(way, b"GET http://far.example/ HTTP/1.1\r\n\r\n")
                assert got.endswith(b"far")
                got = await said(way, b"CONNECT refused.example:443 HTTP/1.1\r\n\r\n")
                assert got.startswith(b"HTTP/1.1 502 ")
                got = await said(way, b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n")
                assert got.startswith(b"HTTP/1.1 403 ")
    assert ["CONNECT far.example:80 HTTP/1.1", "CONNECT refused.example:443 HTTP/1.1"] == [
        text.splitlines()[0] for text in asked
    ]
    assert "Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n" in asked[0]
