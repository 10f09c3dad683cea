"""The client against real sockets: what it carries, and what it tells when it cannot."""

import asyncio
import gzip
import os
import socket
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from clawdbot.domain.errors import SettingsInvalid
from clawdbot.domain.settings import Net
from clawdbot.net.client import (
    BODY_MAX_BYTES,
    Broken,
    Client,
    ConnectRefused,
    HostUnknown,
    NetFailed,
    Request,
    Stream,
    TimedOut,
    TlsFailed,
)
from tests.integration.net.stage import certificate, listening, site
from tests.patience import PATIENCE_S

KEY = "canary-7f3a"
# A program that loads its modules as the commands do.
LIGHT = """
import asyncio, sys
from clawdbot.config import load
with load.without_authorities():
    from clawdbot.net.client import Client, TlsFailed
from clawdbot.domain.settings import Net
async def ask():
    async with Client(Net()) as client:
        try:
            print((await client.request("GET", sys.argv[1])).status)
        except TlsFailed as error:
            print(type(error).__name__)
asyncio.run(ask())
"""


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(Net(connect_timeout_s=0.3)) as client:
        yield client


async def test_a_request_carries_json_and_brings_the_answer(client: Client) -> None:
    async def echo(request: web.Request) -> web.Response:
        said = f"{request.content_type} {request.headers['X-Key']} {await request.text()}"
        return web.Response(status=201, text=said, headers={"X-Mixed-Case": "yes"})

    async with site(echo) as url:
        answer = await client.request("POST", url, json={"a": [1]}, headers={"X-Key": "k"})
    assert (201, b'application/json k {"a":[1]}') == (answer.status, answer.body)
    assert "yes" == answer.headers["x-mixed-case"]


async def test_connections_are_kept_and_cookies_are_not(client: Client) -> None:
    seen: list[tuple[object, str]] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")
        seen.append((peer, request.headers.get("Cookie", "")))
        response = web.Response()
        response.set_cookie("session", "1")
        return response

    async with site(answer) as url:
        for _ in range(3):
            await client.request("GET", url)
    assert [(seen[0][0], "")] * 3 == seen


async def test_no_redirect_is_followed(client: Client) -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:9/elsewhere")

    async with site(elsewhere) as url:
        answer = await client.request("POST", url, data=b"x")
    assert (302, "http://127.0.0.1:9/elsewhere") == (answer.status, answer.headers["location"])


async def test_a_stream_is_read_while_it_comes(client: Client) -> None:
    read = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await asyncio.wait_for(read.wait(), PATIENCE_S)
        await response.write(b"second")
        return response

    async with site(slowly) as url, client.stream("GET", url) as stream:
        assert b"first" == await anext(stream)
        read.set()
        assert b"second" == await anext(stream)


async def test_every_request_passes_one_method() -> None:
    passed = []

    class Watched(Client):
        @asynccontextmanager
        async def exchange(self, request: Request) -> AsyncIterator[Stream]:
            passed.append(f"before {request.method}")
            async with super().exchange(request) as stream:
                yield stream
            passed.append(f"after {request.method}")

    async def empty(request: web.Request) -> web.Response:
        return web.Response()

    async with site(empty) as url, Watched(Net()) as client:
        await client.request("POST", url)
        async with client.stream("GET", url) as stream:
            await stream.read()
    assert ["before POST", "after POST", "before GET", "after GET"] == passed


async def test_an_unknown_host_is_told(client: Client) -> None:
    with pytest.raises(HostUnknown) as caught:
        await client.request("GET", f"http://{'x' * 64}.invalid/{KEY}")
    assert not caught.value.sent


@pytest.mark.parametrize("url", ["", "no address", "http://", "http://[::1", "ftp://host/x"])
async def test_what_is_no_address_is_told(url: str, client: Client) -> None:
    with pytest.raises(HostUnknown) as caught:
        await client.request("GET", url)
    assert not caught.value.sent


async def test_a_closed_port_is_told(client: Client) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectRefused) as caught:
            await client.request("GET", f"http://127.0.0.1:{bound.getsockname()[1]}/{KEY}")
    assert (False, "127.0.0.1: Nothing answers at the address.") == (
        caught.value.sent,
        str(caught.value),
    )


async def test_a_server_that_never_greets_did_not_get_the_request(client: Client) -> None:
    async with listening(_silent) as port:
        with pytest.raises(TimedOut) as caught:
            await client.request("GET", f"https://localhost:{port}/")
    assert not caught.value.sent


@pytest.mark.parametrize("whole", [True, False])
async def test_a_server_that_never_answers_may_have_got_it(whole: bool, client: Client) -> None:
    async with listening(_silent) as port:
        request = Request(
            method="POST", url=f"http://127.0.0.1:{port}/", timeout_s=0.1, whole=whole
        )
        with pytest.raises(TimedOut) as caught:
            await client.exchange(request).__aenter__()
    assert caught.value.sent


async def test_a_stream_that_stalls_times_out(client: Client) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await reader.read()

    async with (
        listening(stall) as port,
        client.stream("GET", f"http://127.0.0.1:{port}/", timeout_s=0.1) as stream,
    ):
        with pytest.raises(TimedOut) as caught:
            await stream.read()
    assert caught.value.sent


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"],
)
async def test_a_broken_answer_may_have_followed_the_deed(answer: bytes, client: Client) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with listening(talk) as port:
        with pytest.raises(Broken) as caught:
            await client.request("POST", f"http://127.0.0.1:{port}/{KEY}", data=b"x")
    assert caught.value.sent


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_too_large_is_cut(packed: bool, client: Client) -> None:
    body = bytes(BODY_MAX_BYTES + 1)

    async def bomb(request: web.Request) -> web.Response:
        if packed:
            return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
        return web.Response(body=body)

    async with site(bomb) as url:
        with pytest.raises(Broken, match="too large"):
            await client.request("GET", url)


async def test_a_damaged_compression_is_a_broken_answer(client: Client) -> None:
    async def damaged(request: web.Request) -> web.Response:
        return web.Response(body=b"no gzip", headers={"Content-Encoding": "gzip"})

    async with site(damaged) as url:
        with pytest.raises(Broken):
            await client.request("GET", url)


async def test_only_a_trusted_certificate_is_accepted(client: Client, tmp_path: Path) -> None:
    context, ca_file = certificate(tmp_path)
    async with listening(_ok, context) as port:
        with pytest.raises(TlsFailed) as caught:
            await client.request("GET", f"https://127.0.0.1:{port}/{KEY}")
        async with Client(Net(ca_file=str(ca_file))) as trusting:
            answer = await trusting.request("GET", f"https://127.0.0.1:{port}/")
    assert not caught.value.sent
    assert b"ok" == answer.body


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_host_is_trusted_by_a_program_that_was_loaded_without_it(
    tmp_path: Path, *, trusted: bool
) -> None:
    context, ca_file = certificate(tmp_path)
    async with listening(_ok, context) as port:
        given = {"SSL_CERT_FILE": str(ca_file)} if trusted else {}
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", LIGHT, f"https://127.0.0.1:{port}/"),
            env={k: v for k, v in os.environ.items() if k != "SSL_CERT_FILE"} | given,
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await program.communicate()
    assert ("200" if trusted else "TlsFailed") == told.decode().strip()


async def test_a_server_without_encryption_is_not_spoken_to_as_if(client: Client) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(plain) as port:
        with pytest.raises(TlsFailed):
            await client.request("GET", f"https://127.0.0.1:{port}/")


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_an_unreadable_ca_file_is_a_wrong_setting(
    content: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(SettingsInvalid, match=r"net\.ca_file"):
        async with Client(Net(ca_file=str(path))):
            pass


async def test_the_proxy_is_used_except_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode().split()[1])
        await _ok(reader, writer)

    async def direct(request: web.Request) -> web.Response:
        return web.Response(text="direct")

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with (
        listening(proxy) as port,
        site(direct) as url,
        Client(Net(proxy=f"http://127.0.0.1:{port}")) as client,
    ):
        far = await client.request("GET", "http://far.example/path")
        near = await client.request("GET", url)
    assert (["http://far.example/path"], b"ok", b"direct") == (asked, far.body, near.body)


async def test_a_proxy_that_refuses_is_named() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    async with (
        listening(refuse) as port,
        Client(Net(proxy=f"http://127.0.0.1:{port}")) as client,
    ):
        with pytest.raises(ConnectRefused, match=r"net\.proxy") as caught:
            await client.request("GET", f"https://far.example/{KEY}")
    assert not caught.value.sent


@pytest.mark.parametrize("url", ["http://[/", "http:///", "no address", "http://127.0.0.1:9/"])
async def test_no_failure_shows_the_address(url: str, client: Client) -> None:
    with pytest.raises(NetFailed) as caught:
        await client.request("GET", url + KEY)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in repr(Request(method="GET", url=url + KEY, headers={"authorization": KEY}))


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()
