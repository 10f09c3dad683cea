"""A mail site with a log-in, sites that want its password, and a plugin's Selenium."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from aiohttp import web
from selenium.webdriver.remote.webdriver import WebDriver

from clawdbot.domain.errors import Denied
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Net
from clawdbot.net.egress import Rules
from clawdbot.net.fetch import Guard
from clawdbot.net.proxy import Pass, Passage, Proxy
from clawdbot.net.proxy import opened as proxy_opened
from clawdbot.plugins import driver
from clawdbot.sandbox.broker import Broker, Errand
from clawdbot.sandbox.chromium import Browsers
from clawdbot.sandbox.run import Sandbox
from tests.integration.net.stage import site

T = TypeVar("T")

MAIL, EVIL = "mail.example", "evil.example"
USER, WORD = "ann@mail.example", 'c4nary "hunter2" &<é'
LOGIN = """<title>Log in</title><form method=post action=/login>
<input name=user id=user><input type=password name=password id=password>
<button id=go>Log in</button></form><p id=said></p>"""


@dataclass(slots=True, kw_only=True)
class Sites:
    """What the sites serve, by host and path, and every byte that reached them."""

    port: int = 0
    pages: dict[str, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)

    def at(self, host: str, path: str = "/") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        host = request.host.partition(":")[0]
        words = (await request.read()).decode()
        self.heard.append(f"{host} {request.method} {request.path_qs} {words}")
        if (request.method, request.path) == ("POST", "/login"):
            form = await request.post()
            good = (USER, WORD) == (form["user"], form["password"])
            return self._page("<h1>Inbox</h1><p class=mail>Lunch?</p>" if good else "<h1>No</h1>")
        if request.path == "/to":
            raise web.HTTPFound(request.query["url"])
        return self._page(self.pages.get(f"{host}{request.path}", LOGIN))

    def _page(self, text: str) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    def heard_by(self, host: str) -> str:
        return "\n".join(line for line in self.heard if line.startswith(f"{host} "))


@dataclass(frozen=True, slots=True)
class Ring:
    """A secret, bound to one origin."""

    origin: str
    text_: str

    async def text(self, name: str, origin: str) -> Secret:
        if name != "mail" or origin != self.origin:
            raise Denied("There is no such secret for this address.")
        return Secret(self.text_)


@dataclass(slots=True, kw_only=True)
class Desk:
    """Everything around one plugin: sites, proxy, browser, broker."""

    sites: Sites
    proxy: Proxy
    browsers: Browsers
    told: list[Passage]
    traffic: bytearray
    folder: Path

    def carry(self, way: socket.socket, *hosts: str) -> AbstractContextManager[None]:
        names = [f"{host}:{self.sites.port}" for host in hosts or (MAIL, EVIL)]
        return self.proxy.browser(way, Pass(who="mail", rules=Rules.of(names, private=names)))

    def errand(self, text: str = "", secrets: Sequence[str] = ("mail",)) -> Errand:
        import json

        both = text or json.dumps({"username": USER, "password": WORD})
        ring = Ring(self.sites.at(MAIL, ""), both)
        return Errand(keyring=ring, carry=self.carry, secrets=frozenset(secrets))

    async def play(
        self, plugin: Callable[[WebDriver, Sites], T], errand: Errand | None = None
    ) -> T:
        """Run a plugin's code against the broker, and keep all that it was sent."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            async with Broker(self.browsers, ours).call(errand or self.errand()):
                return await asyncio.to_thread(self._run, plugin, theirs)

    def _run(self, plugin: Callable[[WebDriver, Sites], T], line: socket.socket) -> T:
        line.setblocking(True)
        web_driver = driver.opened(_Tap(line, self.traffic))
        return plugin(web_driver, self.sites)


class _Tap:
    """A line that is listened to."""

    def __init__(self, line: socket.socket, heard: bytearray) -> None:
        self._line, self._heard = line, heard

    def send(self, data: bytes) -> int:
        return self._line.send(data)

    def recv(self, size: int) -> bytes:
        data = self._line.recv(size)
        self._heard.extend(data)
        return data


async def resolve(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"] if host.endswith(".example") else []


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    """Set it up; the browser starts with the first play."""
    sites, told = Sites(), list[Passage]()
    net = Net(connect_timeout_s=2.0)
    async with (
        site(sites.answer) as url,
        proxy_opened(Guard(net, resolve), net, told.append) as proxy,
        Browsers(Sandbox(folder / "boxes"), folder / "browser").opened() as browsers,
    ):
        sites.port = int(url.rpartition(":")[2])
        yield Desk(
            sites=sites,
            proxy=proxy,
            browsers=browsers,
            told=told,
            traffic=bytearray(),
            folder=folder,
        )
