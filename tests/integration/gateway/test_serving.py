"""A service that is told to stop while it stops to start anew; work that is ended ends.

Covers clawdbot.app.serving, clawdbot.gateway.supervisor, clawdbot.tools.servers and
clawdbot.net.tasks.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from clawdbot.app.assembly import doors
from clawdbot.app.sections import SECTIONS
from clawdbot.app.serving import serve
from clawdbot.app.unseal import unsealed
from clawdbot.config.clock import SystemClock
from clawdbot.config.load import load
from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.ports import Health
from clawdbot.domain.settings import McpServer, Store
from clawdbot.gateway.supervisor import Supervisor
from clawdbot.store import sqlite
from clawdbot.store.plugins import SERVER
from clawdbot.tools.decisions import Decisions
from clawdbot.tools.registry import Registry
from clawdbot.tools.servers import Servers
from tests.integration.gateway.conftest import JSON, running, settings_of
from tests.integration.gateway.test_ws import connected, told
from tests.passwords import quick_hash
from tests.patience import PATIENCE_S


@pytest.mark.parametrize("told", [True, False])
async def test_whoever_stops_it_while_it_stops_to_start_anew_has_stopped_it(
    short_home: Path, told: bool
) -> None:
    short_home.mkdir(mode=0o700)
    (short_home / "clawdbot.yaml").write_bytes(msgspec.yaml.encode(settings_of([], short_home)))
    stop, up = asyncio.Event(), asyncio.Event()
    loop, signed = asyncio.get_running_loop(), []

    def connect(uri: str) -> sqlite3.Connection:
        """Tell it to stop once it signs the audit trail, the last that a service writes."""

        def look(statement: str) -> None:
            if statement.startswith("INSERT INTO checkpoints"):
                signed.append(statement)
                loop.call_soon_threadsafe(stop.set if told else bool)

        connection = sqlite.connect(uri)
        connection.set_trace_callback(look)
        return connection

    outside = replace(doors(), connect=connect, slow=quick_hash)
    loaded = unsealed(load(short_home, {}, SECTIONS))
    serving = asyncio.create_task(serve(loaded, outside, stop=stop, started=lambda _: up.set()))
    async with asyncio.timeout(PATIENCE_S):
        await up.wait()
        local = aiohttp.UnixConnector(str(short_home / "clawdbot.sock"))
        async with aiohttp.ClientSession(connector=local) as session:
            owner = {"name": "Ann", "password": "correct horse battery", "language": "en"}
            secret = {"name": "bank", "text": "s3cr3t", "origins": []}
            calls = {"set_up": [owner], "Custody.keep_secret": [secret], "restart": []}
            for call, given in calls.items():
                async with session.post(f"http://clawdbot/{call}", json=given) as answer:
                    assert 200 == answer.status, await answer.text()
        assert told is not await serving
    assert signed


async def test_a_turn_that_ends_as_it_was_stopped_before_a_crash_may_be_looked_at(
    short_home: Path,
) -> None:
    slow: list[JSON] = [{"when": "slow", "say": "one two three four", "pause_s": 20}]
    question = {"type": "send", "conversation": "c", "key": "k1", "text": "slow"}
    async with running(short_home, slow) as service:
        await service.set_up()
        socket = await connected(service)
        await socket.send_json({"type": "open", "conversation": "c"})
        await socket.send_json(question)
        await told(socket, "delta")
        with closing(sqlite3.connect(short_home / "data/clawdbot.db", timeout=5)) as db, db:
            db.execute("UPDATE turns SET stop = 'somebody'")
    loop, go_on = asyncio.get_running_loop(), threading.Event()
    ending, looked = asyncio.Event(), asyncio.Event()

    def connect(uri: str) -> sqlite3.Connection:
        """Let the turn end no further than to the look at what it had done."""

        def look(statement: str) -> None:
            if statement.startswith("SELECT intent FROM steps"):
                loop.call_soon_threadsafe(ending.set)
                go_on.wait(PATIENCE_S)
            elif "FROM turns WHERE id = " in statement and ending.is_set():
                loop.call_soon_threadsafe(looked.set)

        connection = sqlite.connect(uri)
        connection.set_trace_callback(look)
        return connection

    outside = replace(doors(), connect=connect, slow=quick_hash)
    async with running(short_home, slow, outside) as service, asyncio.timeout(PATIENCE_S):
        await ending.wait()
        socket = await connected(service)
        await socket.send_json({"type": "open", "conversation": "c"})
        await socket.send_json(question)  # again: its turn is looked at
        await looked.wait()
        await socket.send_json({"type": "ping", "n": 1})
        await told(socket, "ping")
        go_on.set()
        last = (await told(socket, "final"))[-1]
        assert ("stopped", "(stopped)") == (last["state"], last["text"])


class Stubborn:
    """Ends with a failure when it is cancelled, as a task group may in whose child one happens."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def run(self, _: object) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ToolFailed("The sandbox ended.") from None

    async def health(self) -> Health:
        return Health(up=True)

    async def tools(self) -> bytes:
        await asyncio.Event().wait()
        return b""


async def ends(task: asyncio.Task[None]) -> None:
    """End a task; within the time of its first new try, or it lives on."""
    task.cancel()
    await asyncio.wait([task], timeout=0.5)
    assert task.cancelled()


async def test_a_channel_that_fails_when_it_is_ended_is_not_begun_anew() -> None:
    stubborn = Stubborn()
    supervisor = Supervisor(SystemClock(), Bus(), lambda: None)
    supervisor.add("fake", "main", stubborn)  # type: ignore[arg-type]
    task = asyncio.create_task(supervisor.run(None))  # type: ignore[arg-type]
    await stubborn.begun.wait()
    await ends(task)


async def test_a_tool_server_that_fails_when_it_is_ended_is_not_begun_anew(tmp_path: Path) -> None:
    stubborn = Stubborn()

    @asynccontextmanager
    async def reach(_: str, __: McpServer) -> AsyncIterator[object]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stubborn.run(None))
            yield stubborn

    async with sqlite.opened(tmp_path / "db", Store()) as db:
        decisions = Decisions(db, SystemClock(), lambda *_: None, SERVER)
        settings = {"time": McpServer(command=("time",))}
        servers = Servers(settings, decisions, Registry(()), SystemClock(), reach)  # type: ignore[arg-type]
        task = asyncio.create_task(servers.run())
        await stubborn.begun.wait()
        await ends(task)
