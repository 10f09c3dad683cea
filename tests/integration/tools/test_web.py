"""The web's tools against real servers; what is private there is named by the settings."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from clawdbot.app.assembly import assembled, doors
from clawdbot.app.sections import SECTIONS
from clawdbot.config.key import MasterKey
from clawdbot.config.load import load
from clawdbot.domain.errors import Denied, SettingsInvalid, ToolFailed
from clawdbot.domain.inbound import Address
from clawdbot.domain.messages import Call, Source
from clawdbot.domain.people import User
from clawdbot.domain.policy import Effect
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Net, Search, Web
from clawdbot.net.client import Client
from clawdbot.net.fetch import Fetch, Guard
from clawdbot.store import secrets
from clawdbot.store.vault import Vault
from clawdbot.tools.builtin import search
from clawdbot.tools.builtin import web as web_tools
from clawdbot.tools.registry import Grant, Registry, Tool
from tests.integration.net.stage import site

GRANT = Grant(
    user=User("u1", "Ann", "owner", "en", "UTC"),
    to=Address(channel="telegram", account="main", chat="5"),
    language="en",
    timezone="UTC",
    now=1_750_000_000.0,
    id="t1.0.0",
    source=Source.MODEL,
    tainted=False,
)
KEY = "canary-7f3a"


async def loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def reveal(reference: str, url: str) -> Secret:
    if reference == "secret://crm" and url.startswith("http://site.example:"):
        return Secret(KEY)
    if reference == "secret://broken":
        return Secret("a\r\nX: b")
    raise Denied


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(Net(connect_timeout_s=1.0)) as client:
        yield client


def tools(client: Client, *hosts: str, **limits: int) -> tuple[Tool, ...]:
    net = Net(private=hosts)
    settings = Web(hosts=("*", *hosts), http_hosts=hosts, **limits)
    return web_tools.tools(Fetch(client, Guard(net, loopback)), net, settings, reveal)


async def use(found: tuple[Tool, ...], tool: str, **arguments: object) -> str:
    call = Call(id="0", tool=tool, arguments=json.dumps(arguments), source=Source.MODEL)
    ready = Registry(found).call(GRANT, call)
    assert ready.tool.read is None
    assert ready.taint
    return (await ready.run()).decode()


def host_of(url: str) -> str:
    return f"site.example:{url.rpartition(':')[2]}"


async def test_a_page_is_read_as_text_and_paged(client: Client) -> None:
    async def page(request: web.Request) -> web.Response:
        body = f"<title>T</title><p><a href='../y'>next</a> {'word ' * 6000}</p>"
        return web.Response(
            body=body.encode("gbk"), headers={"Content-Type": "text/html; charset=gbk"}
        )

    async with site(page) as url:
        host = host_of(url)
        found = tools(client, host)
        text = await use(found, "web_fetch", url=f" http://{host}/a/x ")
        assert text.startswith(f"http://{host}/a/x\n\n# T\n\n[next](http://{host}/y) word")
        assert "[Cut. Go on with start=20000; 30" in text
        rest = await use(found, "web_fetch", url=f"http://{host}/", start=20_000)
        assert 9_000 < len(rest) < 11_000


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("application/json", b'{"a": "\xc3\xa9"}', '{"a": "é"}'),
        ("application/ld+json", b"{}", "{}"),
        ("text/plain", b"a\x1b[31m\xe2\x80\xaeb", "a[31mb"),
        ("", b" <p>x</p>", "x"),
        ("", b"x", "x"),
        ("image/png", b"\x89PNG", "(4 bytes of image/png)"),
        ("text/csv; charset=hex", b"a,b", "a,b"),
    ],
)
async def test_other_types_are_told_for_what_they_are(
    kind: str, body: bytes, told: str, client: Client
) -> None:
    async def page(request: web.Request) -> web.Response:
        response = web.Response(body=body)
        response.headers["Content-Type"] = kind
        return response

    async with site(page) as url:
        host = host_of(url)
        text = await use(tools(client, host), "web_fetch", url=f"http://{host}/")
    assert f"http://{host}/\n\n{told}" == text


async def test_what_is_inside_is_no_page(client: Client) -> None:
    async with site(_never) as url:
        port = url.rpartition(":")[2]
        found = tools(client, f"site.example:{port}")
        for inside in (url, f"http://0x7f000001:{port}/", "http://evil.example/", "file:///x/y"):
            with pytest.raises(ToolFailed):
                await use(found, "web_fetch", url=inside)


async def test_a_status_and_a_broken_server_are_told(client: Client) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=503 if request.path == "/x" else 302, headers={"Location": "/"})

    async with site(answer) as url:
        host = host_of(url)
        found = tools(client, host, redirects=2)
        with pytest.raises(ToolFailed, match="answered 503"):
            await use(found, "web_fetch", url=f"http://{host}/x")
        with pytest.raises(ToolFailed, match="answered 302"):
            await use(found, "web_fetch", url=f"http://{host}/")
    with pytest.raises(ToolFailed, match="Nothing answers"):
        await use(found, "web_fetch", url=f"http://{host}/")


async def test_a_hostile_page_does_not_hold_up_the_others(client: Client) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<a " * 300_000, content_type="text/html")

    async with site(page) as url:
        host = host_of(url)
        begun = time.monotonic()
        await use(tools(client, host, body_max_bytes=1_000_000), "web_fetch", url=f"http://{host}/")
        assert time.monotonic() - begun < 20


async def test_a_request_carries_a_secret_to_its_host_and_tells_nobody(client: Client) -> None:
    got: list[str] = []

    async def api(request: web.Request) -> web.Response:
        got.append(f"{request.method} {request.headers['Authorization']} {await request.text()}")
        return web.Response(
            status=201,
            text=f"echo {request.headers['Authorization']}",
            headers={"ETag": KEY, "X": "y"},
        )

    async with site(api) as url:
        host = host_of(url)
        text = await use(
            tools(client, host), "http", url=f"http://{host}/things", method="POST",
            headers={"Authorization": "Bearer secret://crm"}, body='{"to": "secret://crm"}',
        )  # fmt: skip
    assert [f'POST Bearer {KEY} {{"to": "secret://crm"}}'] == got
    assert text.startswith("201\n")
    assert "etag: secret://crm\n" in text.lower()
    assert text.endswith("echo Bearer secret://crm")
    assert KEY not in text
    assert "x: y" not in text.lower()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"content-length": "0"}, {"Transfer-Encoding": "chunked"},
        {"Proxy-Authorization": "x"}, {"Connection": "x"}, {"A b": "c"}, {"": "c"},
        {"A": "b\r\nX: y"}, {"A": "secret://broken"}, {"A": "é"}, {"A:": "b"}, {"A\n": "b"},
    ],
)  # fmt: skip
async def test_a_header_that_is_not_the_model_s_is_refused(
    headers: dict[str, str], client: Client
) -> None:
    async with site(_never) as url:
        host = host_of(url)
        with pytest.raises(ToolFailed, match="cannot be sent"):
            await use(tools(client, host), "http", url=f"http://{host}/", headers=headers)


async def test_a_secret_goes_to_no_other_host(client: Client) -> None:
    async with site(_never) as url:
        port = url.rpartition(":")[2]
        found = tools(client, f"site.example:{port}", f"other.example:{port}")
        headers = {"A": "secret://crm"}
        with pytest.raises(Denied):
            await use(found, "http", url=f"http://other.example:{port}/", headers=headers)
        with pytest.raises(Denied):
            await use(
                found, "http", url=f"http://site.example:{port}/", headers={"A": "secret://b"}
            )
        with pytest.raises(ToolFailed, match="not on the list"):
            await use(found, "http", url="http://third.example/", headers=headers)


async def test_a_request_follows_no_redirect(client: Client) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.path == "/"
        return web.Response(status=302, headers={"Location": "/x"})

    async with site(answer) as url:
        host = host_of(url)
        text = await use(tools(client, host), "http", url=f"http://{host}/")
    assert "302\nLocation: /x\n".lower() in text.lower()


async def test_a_service_s_tools_reach_what_its_settings_name(tmp_path: Path) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.path} {request.headers.get('X-Key', '')}")

    async with site(echo) as url:
        host = url.removeprefix("http://")
        settings = (
            f"net: {{private: ['{host}']}}\nweb: {{http_hosts: ['{host}'], hosts: ['{host}']}}\n"
        )
        (tmp_path / "clawdbot.yaml").write_text(settings)
        async with assembled(load(tmp_path, {}, SECTIONS), doors()) as service:
            new = secrets.New(
                id="s1", name="crm", text=Secret(KEY), origins=[url], user="u1", now=1.0
            )
            row = secrets.seal(Vault(MasterKey(tmp_path, {})), new)
            await service.db.write(lambda tx: secrets.put(tx, row))

            async def ask(tool: str, **arguments: object) -> str:
                call = Call(id="0", tool=tool, arguments=json.dumps(arguments), source=Source.MODEL)
                return (await service.hands.registry.call(GRANT, call).run()).decode()

            told = await ask("http", url=f"{url}/a", headers={"X-Key": "secret://crm"})
            assert told.endswith("/a secret://crm")
            assert f"{url}/b\n\n/b" == (await ask("web_fetch", url=f"{url}/b")).strip()
            with pytest.raises(Denied):
                await ask("http", url=url, headers={"X-Key": "secret://other"})
            with pytest.raises(ToolFailed, match="not on the list"):
                await ask("web_fetch", url="http://a.example/")


def test_manifests_name_effect_and_target() -> None:
    net = Net(private=("ha.lan:8123",))
    fetch = Fetch(Client(net), Guard(net))
    pages, asks = web_tools.tools(fetch, net, Web(http_hosts=("ha.lan:8123",)), reveal)
    [searches] = search.tools(fetch, Search(url="http://searx.lan:8080"))
    for tool in (pages, asks, searches):
        assert Effect.EGRESS is tool.manifest.effect
        assert tool.manifest.sinks
    assert (("*",), ("ha.lan:8123",)) == (pages.manifest.hosts, asks.manifest.hosts)
    assert [True, False, True] == [t.manifest.idempotent for t in (pages, asks, searches)]
    assert 1 == len(web_tools.tools(fetch, net, Web(), reveal))
    assert () == search.tools(fetch, Search())


def test_a_wrong_rule_is_a_wrong_setting() -> None:
    net = Net()
    fetch = Fetch(Client(net), Guard(net))
    with pytest.raises(SettingsInvalid, match=r"web\.http_hosts: 'http://a.example' is no host"):
        web_tools.tools(fetch, net, Web(http_hosts=("http://a.example",)), reveal)
    with pytest.raises(SettingsInvalid, match=r"search\.url"):
        search.tools(fetch, Search(url="http://127.1:80"))


async def test_searxng_is_asked_at_its_configured_address(client: Client) -> None:
    async def searx(request: web.Request) -> web.Response:
        assert ("json", "a&b=ü/ c") == (request.query["format"], request.query["q"])
        assert "/base/search" == request.path
        results = [
            {"title": "One\n\u202etwo", "url": "http://a.example/", "content": "x" * 1000, "n": 1},
            {"title": None, "url": "http://b.example/"},
            "odd",
            {},
        ]
        return web.json_response({"results": results})

    async with site(searx) as url:
        fetch = Fetch(client, Guard(Net()))
        found = search.tools(fetch, Search(url=f"{url}/base/"))
        text = await use(found, "web_search", query="a&b=ü/ c")
    assert f"One two\nhttp://a.example/\n{'x' * 400}\n\nhttp://b.example/" == text.strip()


async def test_another_engine_is_asked_as_the_settings_say(client: Client) -> None:
    async def engine(request: web.Request) -> web.Response:
        assert ("w", "k", "/q") == (request.query["x"], request.headers["X-Token"], request.path)
        found = [{"name": str(n), "href": "u", "snippet": "s"} for n in range(9)]
        return web.json_response({"web": {"items": found}})

    async with site(engine) as url:
        settings = Search(
            url=f"{url}/q?x={{query}}", key=Secret("k"), key_header="X-Token", list="web.items",
            title="name", link="href", text="snippet", results=2,
        )  # fmt: skip
        text = await use(
            search.tools(Fetch(client, Guard(Net())), settings), "web_search", query="w"
        )
    assert "0\nu\ns\n\n1\nu\ns" == text


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, "<html>", "did not answer in JSON"), (429, "{}", "answered 429"),
        (302, "", "answered 302"), (200, '{"results": 1}', ""), (200, "[]", ""), (200, "null", ""),
        (200, '{"results": []}', ""), (200, '{"a": "\xff"}', ""),
    ],
)  # fmt: skip
async def test_an_engine_that_answers_oddly_is_told(
    status: int, body: str, told: str, client: Client
) -> None:
    async def engine(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers={"Location": "http://127.0.0.1:9/"})

    async with site(engine) as url:
        found = search.tools(Fetch(client, Guard(Net())), Search(url=url))
        if told:
            with pytest.raises(ToolFailed, match=told):
                await use(found, "web_search", query="w")
        else:
            assert "Nothing was found." == await use(found, "web_search", query="w")


async def _never(request: web.Request) -> web.Response:
    raise AssertionError(request.url)
