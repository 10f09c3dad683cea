"""Requests for tools against real servers: what is pinned, what is refused, what is cut."""

import asyncio
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from clawdbot.domain.settings import Net
from clawdbot.net.client import Broken, Client, HostUnknown, Request, TimedOut, TlsFailed
from clawdbot.net.egress import Rules
from clawdbot.net.fetch import Caps, EgressRefused, Fetch, Guard, Page
from tests.integration.net.stage import certificate, listening, site

CAPS = Caps(timeout_s=5.0, body_bytes=100_000, redirects=3)
NAME = "site.example"


class Names:
    """A resolver that answers as it is told, one list of addresses after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers) or [["127.0.0.1"]]
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(Net(connect_timeout_s=1.0)) as client:
        yield client


def named(*hosts: str) -> Rules:
    """Allow these, as the settings would name them."""
    return Rules.of(["*", *hosts], private=hosts)


async def get(
    client: Client, url: str, rules: Rules, names: Names | None = None, caps: Caps = CAPS
) -> Page:
    fetch = Fetch(client, Guard(Net(), names or Names()))
    return await fetch.send(Request(method="GET", url=url, headers={"X-Key": "k"}), rules, caps)


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


async def test_a_name_is_resolved_once_and_pinned(client: Client) -> None:
    async def tell(request: web.Request) -> web.Response:
        assert request.transport is not None
        return web.Response(text=f"{request.host} {request.transport.get_extra_info('sockname')}")

    async with site(tell, "127.0.0.2") as url:
        host = f"{NAME}:{port_of(url)}"
        names = Names(["127.0.0.2"], ["127.0.0.1"])  # the second answer is the rebinding
        page = await get(client, f"http://{host}/x?y#z", named(host), names)
    assert f"{host} ('127.0.0.2', {port_of(url)})" == page.body.decode()
    assert (f"http://{host}/x?y", 200, True) == (page.url, page.status, page.whole)
    assert [(NAME, int(port_of(url)))] == names.asked


async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(client: Client) -> None:
    async with site(_never) as url:
        port = port_of(url)
        for rules in (Rules.of(["*"]), Rules.of([f"{NAME}:{port}"]), named("other.example:80")):
            for host in (NAME, f"{NAME}:{port}", f"127.0.0.1:{port}", "127.0.0.1", "localhost"):
                with pytest.raises(EgressRefused) as caught:
                    await get(client, f"http://{host}/", rules)
                assert not caught.value.sent


async def test_a_name_that_is_not_allowed_is_not_even_looked_up(client: Client) -> None:
    names = Names()
    with pytest.raises(EgressRefused):
        await get(client, "http://the-secret.evil.example/", Rules.of(["example.com"]), names)
    assert [] == names.asked


async def test_an_unknown_name_is_told(client: Client) -> None:
    request = Request(method="GET", url=f"http://{'x' * 60}.invalid/")
    with pytest.raises(HostUnknown):
        await Fetch(client, Guard(Net())).send(request, Rules.of(["*"]), CAPS)


async def test_the_next_address_is_tried_where_one_cannot_be_reached(client: Client) -> None:
    async with site(_ok) as url:
        host = f"{NAME}:{port_of(url)}"
        page = await get(client, f"http://{host}/", named(host), Names(["127.9.9.9", "127.0.0.1"]))
    assert b"ok" == page.body


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/secret",
        "//127.0.0.1:{port}/secret",
        "http://other.example:{port}/secret",
        "http://localhost:{port}/secret",
        "http://2130706433:{port}/secret",
        "http://[::ffff:127.0.0.1]:{port}/secret",
        "http://169.254.169.254/latest/meta-data",
        "http://user@site.example:{port}/secret",
        "file:///etc/passwd",
        "http://[",
        "http://other.example/",  # which resolves to loopback
    ],
)
async def test_no_redirect_leads_inside(location: str, client: Client) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert "/" == request.path
        port = request.host.partition(":")[2]
        return web.Response(status=302, headers={"Location": location.format(port=port)})

    async with site(answer) as url:
        port = port_of(url)
        rules = named(f"{NAME}:{port}", f"other.example:{port}")  # itself an allowed endpoint
        with pytest.raises(EgressRefused):
            await get(client, f"http://{NAME}:{port}/", rules)


async def test_a_redirect_within_the_same_site_is_followed_for_a_while(client: Client) -> None:
    async def answer(request: web.Request) -> web.Response:
        count = int(request.query.get("n", "0"))
        if request.path == "/loop" or count < 2:
            where = f"?n={count + 1}"
            return web.Response(status=307, headers={"Location": where}, text=request.method)
        return web.Response(text=f"{count} {request.headers['X-Key']}")

    async with site(answer) as url:
        host = f"{NAME}:{port_of(url)}"
        page = await get(client, f"http://{host}/", named(host))
        assert ("2 k", f"http://{host}/?n=2") == (page.body.decode(), page.url)
        looped = await get(client, f"http://{host}/loop", named(host))
        assert (307, f"http://{host}/loop?n=3") == (looped.status, looped.url)
        post = Request(method="POST", url=f"http://{host}/", data=b"once")
        posted = await Fetch(client, Guard(Net(), Names())).send(post, named(host), CAPS)
        assert (307, f"http://{host}/") == (posted.status, posted.url)


async def test_behind_a_proxy_names_decide_and_headers_stay_with_their_origin() -> None:
    seen: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        seen.append(head.split()[1] + (" with key" if "X-Key" in head else ""))
        if "a.example" in seen[-1]:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async with listening(proxy) as port:
        net = Net(proxy=f"http://127.0.0.1:{port}")
        names = Names()
        async with Client(net) as client, site(_ok) as url:
            near = f"near.example:{port_of(url)}"
            fetch = Fetch(client, Guard(net, names))

            async def ask(where: str) -> Page:
                request = Request(method="GET", url=where, headers={"X-Key": "k"})
                return await fetch.send(request, named(near), CAPS)

            assert b"ok" == (await ask("http://a.example/")).body
            assert ["http://a.example/ with key", "http://b.example/"] == seen
            assert [] == names.asked
            for inside in ("http://127.0.0.1/", "http://localhost/", "http://printer/"):
                with pytest.raises(EgressRefused):
                    await ask(inside)
            assert b"ok" == (await ask(f"http://{near}/")).body  # what is private is near
            assert 2 == len(seen)


async def test_a_certificate_is_checked_against_the_name(tmp_path: Path) -> None:
    context, ca_file = certificate(tmp_path, NAME)
    told: list[str | None] = []
    context.sni_callback = lambda _, name, __: told.append(name)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    net = Net(ca_file=str(ca_file))
    async with listening(answer, context) as port, Client(net) as client:
        for host in (f"{NAME}:{port}", f"other.example:{port}"):
            request = get(client, f"https://{host}/", named(host))
            if host.startswith(NAME):
                assert b"ok" == (await request).body
            else:
                with pytest.raises(TlsFailed):
                    await request
    assert [NAME, "other.example"] == told


@pytest.mark.parametrize("size", [100_000, 100_001, 5_000_000])
async def test_a_long_body_is_cut(size: int, client: Client) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bytes(size))

    async with site(answer) as url:
        host = f"{NAME}:{port_of(url)}"
        page = await get(client, f"http://{host}/", named(host))
    assert (100_000, size == 100_000) == (len(page.body), page.whole)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_does_not_go_off(coding: str, client: Client) -> None:
    zeros = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    bomb = b"".join([*(packer.compress(zeros) for _ in range(200)), packer.flush()])

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": coding})

    async with site(answer) as url:
        host = f"{NAME}:{port_of(url)}"
        tracemalloc.start()
        try:
            page = await get(client, f"http://{host}/", named(host))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (100_000, False) == (len(page.body), page.whole)
    assert peak < 8 << 20


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\n\x00\x01\x02\x03",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nraw",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"220 smtp.example ESMTP\r\n",
    ],
)
async def test_a_lying_answer_is_a_failure(answer: bytes, client: Client) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with listening(talk) as port:
        host = f"{NAME}:{port}"
        with pytest.raises(Broken):
            await get(client, f"http://{host}/", named(host))


async def test_a_body_that_drips_ends_with_the_deadline_of_the_whole(client: Client) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while await _waited(reader, 0.01):
            writer.write(b".")

    async with listening(drip) as port:
        host = f"{NAME}:{port}"
        caps = Caps(timeout_s=0.3, body_bytes=1000)
        with pytest.raises(TimedOut) as caught:
            await get(client, f"http://{host}/", named(host), caps=caps)
    assert caught.value.sent


async def test_a_resolver_that_hangs_ends_with_the_deadline_too(client: Client) -> None:
    async def hang(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    request = Request(method="GET", url="http://a.example/")
    with pytest.raises(TimedOut):
        await Fetch(client, Guard(Net(), hang)).send(
            request, Rules.of(["*"]), Caps(timeout_s=0.1, body_bytes=1)
        )


async def _waited(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Wait a while for the other side to leave."""
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(1000):
                pass
    except TimeoutError:
        return True
    return False


async def _never(request: web.Request) -> web.Response:
    raise AssertionError(request.url)


async def _ok(request: web.Request) -> web.Response:
    return web.Response(text="ok")
