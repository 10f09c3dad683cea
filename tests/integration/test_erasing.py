"""Who is erased is out at once and leaves no byte behind; what others wrote stays.

Covers clawdbot.panel.erasing and clawdbot.store.erasure.
"""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from clawdbot.app.assembly import doors
from clawdbot.app.sections import SECTIONS
from clawdbot.app.serving import serve
from clawdbot.config.load import load
from clawdbot.ops.process import Started
from tests.fakes.telegram import TOKEN, UNLIMITED, TelegramServer
from tests.integration.gateway.conftest import JSON
from tests.integration.gateway.test_approvals import Bank
from tests.integration.panel.conftest import Browser
from tests.integration.test_asking_on_telegram import asked
from tests.integration.test_spine import GROUP, OWNER, make_owner
from tests.passwords import quick_hash
from tests.patience import PATIENCE_S

CANARY = "qxzebrafinchvw"
BOB, PASSWORD = 2002, "correct horse battery"
RULES: list[JSON] = [
    {"when": "rent", "calls": [{"tool": "pay", "arguments": {"to": CANARY, "amount": 900}}]},
    {"when": "keep", "calls": [{"tool": "note_add", "arguments": {"text": f"a {CANARY}"}}]},
    {
        "when": "remind",
        "calls": [{"tool": "reminder_add", "arguments": {"text": CANARY, "in_seconds": 9000}}],
    },
    {"when": "slow", "say": f"one {CANARY} two three four five", "pause_s": 2.0},
]
ADDRESS = b'{"channel":"telegram","account":"main","chat":"2002"}'
ROWS: list[tuple[str, tuple[object, ...]]] = [
    ("users", ("u-bob", f"Bob {CANARY}", "member", "en", "UTC", "", 1e9, None)),
    ("identities", ("telegram", "2002", "u-bob", CANARY, 1e9)),
    ("pairings", ("h", "telegram", "2002", CANARY, "en", "x", "used", 1e9, 1e9)),
    (
        "outbox",
        (
            *("d1", "telegram/main/2002/", 900, ADDRESS, "t0", "u-bob", "notice", ""),
            *(CANARY.encode(), "dead", 3, "", "gone", 0, 1e9, None),
        ),
    ),
    (
        "inbox",
        (
            *("i1", "k1", "", "", "", "telegram", "", "unreadable", "", "", "", 0),
            *(CANARY.encode(), 1e9),
        ),
    ),
]


@dataclass(slots=True, kw_only=True)
class House:
    """A running service, where it lives, and its owner's and Bob's browsers."""

    home: Path
    olga: Browser
    bob: Browser

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.home / "data/clawdbot.db", timeout=5)) as db:
            return db.execute(sql).fetchall()


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(pace=UNLIMITED) as server:
        await server.add_group(GROUP, "Friends")
        yield server


@asynccontextmanager
async def living(folder: Path, telegram: TelegramServer) -> AsyncIterator[House]:
    """Run a service for Olga, its owner, and Bob."""
    home = folder / "home"
    if not (home / "data").exists():
        await make_owner(home)
        _begin(home)
    (folder / "script.yaml").write_bytes(msgspec.yaml.encode(RULES))
    account = {"token": TOKEN, "base_url": telegram.url, "pace": "off"}
    settings = {
        "gateway": {"port": 0},
        "providers": {"play": {"protocol": "scripted", "script": str(folder / "script.yaml")}},
        "model_routing": {"default": {"provider": "play"}},
        "channels": {"telegram": {"main": account}},
    }
    (home / "clawdbot.yaml").write_bytes(msgspec.yaml.encode(settings))
    stop, up = asyncio.Event(), asyncio.get_running_loop().create_future()
    outside = replace(doors(), tools=Bank().tools, slow=quick_hash)
    async with asyncio.TaskGroup() as tasks:
        loaded = load(home, {}, SECTIONS)
        tasks.create_task(serve(loaded, outside, stop=stop, started=up.set_result))
        started: Started = await asyncio.wait_for(up, PATIENCE_S)
        url = f"http://127.0.0.1:{started.port}"
        jars = (aiohttp.CookieJar(unsafe=True) for _ in range(2))
        one, two = (aiohttp.ClientSession(cookie_jar=jar) for jar in jars)
        async with one, two:
            olga, bob = Browser(url=url, session=one), Browser(url=url, session=two)
            await olga.log_in("Olga", PASSWORD)
            yield House(home=home, olga=olga, bob=bob)
            stop.set()


def _begin(home: Path) -> None:
    with closing(sqlite3.connect(home / "data/clawdbot.db")) as db, db:
        for table, row in ROWS:
            db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        db.execute("UPDATE users SET password = ?", (quick_hash(PASSWORD),))


def left(home: Path) -> list[str]:
    """Name every file of a home folder that has the canary in a name or in any byte."""
    bare = CANARY.encode()[2:]  # an index may keep a word without its beginning
    return [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if bare in path.name.encode() or (path.is_file() and bare in path.read_bytes().lower())
    ]


async def live_fully(house: House, telegram: TelegramServer) -> None:
    """Have Bob leave something of his wherever there is a place for it."""

    async def said(chat: int, who: int, text: str, answer: str) -> None:
        await telegram.user_says(chat, who, text)
        await telegram.wait_for(chat, lambda chat: any(answer in s.text for s in chat))

    await said(BOB, BOB, f"hello {CANARY}", f"echo: hello {CANARY}")
    await said(GROUP, BOB, f"@clawdbot_test_bot group {CANARY}", f"echo: group {CANARY}")
    await said(GROUP, OWNER, "@clawdbot_test_bot olga's words", "echo: olga's words")
    await said(OWNER, OWNER, "olga's words, too", "echo: olga's words, too")
    await said(BOB, BOB, "keep this", "")
    await said(BOB, BOB, "remind me", "")
    for password in (PASSWORD, "wrong"):
        await house.bob.log_in(f"Bob {CANARY}", password)
    await house.bob.call("POST", "/me/tokens", {"name": CANARY, "scopes": ["chat"]})
    headers = {"Origin": house.bob.url, "X-CSRF-Token": (await house.bob.get("/chat")).csrf}
    url = f"{house.bob.url}/media?name={CANARY}.txt"
    async with house.bob.session.post(url, data=CANARY.encode(), headers=headers) as answer:
        assert 201 == answer.status
    await house.bob.say("c", f"on the page {CANARY}")
    await telegram.user_says(BOB, BOB, "pay the rent")
    await asked(telegram, OWNER)


async def erased(house: House, user: str = "u-bob") -> None:
    """Wait until an erasure is finished."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told = msgspec.json.decode((await house.olga.call("GET", "/erasures")).text)
            if [True] == [each["finished"] for each in told if each["id"] == user]:
                return
            await asyncio.sleep(0.05)


async def test_a_full_life_is_erased_to_the_last_byte(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with living(tmp_path, telegram) as house:
        await live_fully(house, telegram)
        socket = await house.bob.socket("running")
        frame = {"type": "send", "conversation": "running", "key": "k", "text": f"slow {CANARY}"}
        await socket.send_json(frame)
        while "delta" != (await socket.receive_json(timeout=PATIENCE_S))["type"]:
            pass
        assert [] != left(house.home)
        foretold = msgspec.json.decode(
            (await house.olga.call("GET", "/people/u-bob/erasure")).text
        )["counts"]
        assert {0} != {*foretold.values()}
        assert [] == [name for name, count in foretold.items() if not count]
        assert 204 == (await house.olga.call("DELETE", "/people/u-bob")).status
        while (await socket.receive(timeout=PATIENCE_S)).type is not aiohttp.WSMsgType.CLOSE:
            pass
        assert "/login" == (await house.bob.get("/chat")).path
        await erased(house)
        assert [] == left(house.home)
        # What the others wrote is there, the record holds, and names nobody.
        words = house.rows("SELECT CAST(body AS TEXT) FROM transcript")
        assert [True] * 4 == ["olga's words" in str(body) for (body,) in words]
        verdict = msgspec.json.decode((await house.olga.call("GET", "/audit/verdict")).text)
        assert not verdict.get("problems"), verdict
        trail = msgspec.json.decode((await house.olga.call("GET", "/audit?user=u-bob")).text)
        assert {"erased person"} == {row["user"] for row in trail}
        assert 404 == (await house.olga.call("GET", "/people/u-bob")).status
    assert [] == left(tmp_path / "home")
    kept = tmp_path / "home/erased"
    assert 0o600 == stat.S_IMODE(kept.stat().st_mode)
    assert ["u-bob"] == [line.split()[0] for line in kept.read_text().splitlines()]
