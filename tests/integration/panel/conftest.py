"""A browser without a screen: cookies, origin, the token of the page it last saw."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.integration.gateway.conftest import PASSWORD, Running, running
from tests.passwords import quick_hash
from tests.patience import PATIENCE_S

__all__ = ["PASSWORD", "Browser", "Running", "browsing", "let_knock", "running", "write"]


@dataclass(slots=True, kw_only=True)
class Page:
    """What came back: the last answer of a chain of redirects."""

    status: int
    path: str
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def csrf(self) -> str:
        """Find the token that the page's forms repeat."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        return found[1] if found else ""


@dataclass(slots=True, kw_only=True)
class Browser:
    """A client with its own cookies."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> Page:
        return await self._ask(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    async def post(self, path: str, form: dict[str, str], origin: str | None = None) -> Page:
        return await self.ask("POST", path, form, origin)

    async def ask(
        self, method: str, path: str, form: dict[str, str], origin: str | None = None
    ) -> Page:
        sent = {"Origin": self.url if origin is None else origin}
        return await self._ask(method, path, data=form if method != "GET" else None, headers=sent)

    async def call(self, method: str, path: str, body: object = None) -> Page:
        """Ask the API for something, as a page's form does."""
        csrf = (await self.get("/approvals")).csrf or (await self.get("/chat")).csrf
        sent = {"Origin": self.url, "X-CSRF-Token": csrf}
        return await self._ask(method, f"/api/v1{path}", json=body, headers=sent)

    async def send(self, path: str, body: object, origin: str | None = None) -> Page:
        sent = {"Origin": self.url if origin is None else origin}
        return await self._ask("POST", path, json=body, headers=sent)

    async def log_in(self, name: str = "Ann", password: str = PASSWORD) -> Page:
        return await self.post("/login", {"name": name, "password": password})

    async def socket(self, conversation: str = "") -> aiohttp.ClientWebSocketResponse:
        """Open the page's socket, greet, and follow a conversation."""
        socket = await self.session.ws_connect(f"{self.url}/socket", origin=self.url)
        await socket.send_json({"type": "hello", "version": 1})
        assert "hello" == (await socket.receive_json(timeout=PATIENCE_S))["type"]
        if conversation:
            await socket.send_json({"type": "open", "conversation": conversation})
        return socket

    async def say(self, conversation: str, text: str) -> dict[str, object]:
        """Say something and wait for its answer."""
        socket = await self.socket(conversation)
        key = f"k{abs(hash((conversation, text)))}"
        await socket.send_json(
            {"type": "send", "conversation": conversation, "key": key, "text": text}
        )
        frame: dict[str, object] = {}
        turn = ""
        while frame.get("type") != "final" or frame["turn"] != turn:
            frame = await socket.receive_json(timeout=PATIENCE_S)
            turn = str(frame["turn"]) if frame["type"] == "ack" else turn
        await socket.close()
        return frame

    async def _ask(self, method: str, path: str, **more: object) -> Page:
        async with self.session.request(method, self.url + path, **more) as answer:  # type: ignore[arg-type]
            headers = dict(answer.headers.items())
            for earlier in answer.history:
                if "Set-Cookie" in earlier.headers:
                    headers["Set-Cookie"] = earlier.headers["Set-Cookie"]
            return Page(
                status=answer.status,
                path=answer.url.path,
                text=await answer.text(),
                headers=headers,
            )


@asynccontextmanager
async def browsing(service: Running) -> AsyncIterator[Browser]:
    """Open a browser of its own."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Browser(url=service.url, session=session)


@pytest.fixture
def short_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home whose socket path is short."""
    return tmp_path_factory.mktemp("h", numbered=True) / "home"


@pytest.fixture
async def service(short_home: Path) -> AsyncIterator[Running]:
    """Run a service with an owner and an echo for a model."""
    async with running(short_home) as found:
        await found.set_up()
        yield found


@pytest.fixture
async def browser(service: Running) -> AsyncIterator[Browser]:
    """Open the owner's browser, logged in."""
    async with browsing(service) as opened:
        assert "/chat" == (await opened.log_in()).path
        yield opened


def add_user(service: Running, name: str, *, role: str = "member", language: str = "en") -> None:
    """Make another user who can log in."""
    row = (f"u-{name}", name, role, language, "UTC", quick_hash(PASSWORD), 2e9)
    write(service, "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)


def let_knock(service: Running, name: str, code_hash: str = "c0de") -> None:
    """Let a stranger of a platform wait to be let in."""
    row = (code_hash, "telegram", "4711", name, "en", "", "open", 1e9, 4e9)
    write(service, "INSERT INTO pairings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def write(service: Running, sql: str, *rows: tuple[object, ...]) -> None:
    """Write rows behind the service's back."""
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db, db:
        db.executemany(sql, rows)
