"""Tool servers in real boxes: what an owner trusted is offered; a bad one harms nobody else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from clawdbot.app.sections import SECTIONS
from clawdbot.app.servers import reaching
from clawdbot.config.clock import SystemClock
from clawdbot.config.load import load
from clawdbot.domain.errors import BadInput, ToolFailed
from clawdbot.domain.policy import Effect
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import McpServer, Store
from clawdbot.net import proxy
from clawdbot.net.client import Client
from clawdbot.net.fetch import Guard
from clawdbot.sandbox.run import Sandbox
from clawdbot.store import people, rights, sqlite
from clawdbot.store.audit import Entry
from clawdbot.store.plugins import SERVER
from clawdbot.store.sqlite import SqliteDb
from clawdbot.tools.decisions import Decisions
from clawdbot.tools.registry import Registry
from clawdbot.tools.servers import Servers, effect_of
from tests.integration.net.stage import site
from tests.integration.tools.conftest import ANN, Hand, standing
from tests.patience import PATIENCE_S

CODE = Path(__file__).with_name("tool_server.py")


@dataclass
class Stage:
    """The servers of an installation, and what was put on record."""

    servers: Servers
    registry: Registry
    recorded: list[Entry]
    db: SqliteDb

    def hand(self) -> Hand:
        return Hand(tuple(self.registry.all()))

    async def state(self, name: str = "good") -> str:
        return {shown.name: shown.state for shown in await self.servers.listed()}[name]

    async def becomes(self, state: str, name: str = "good") -> None:
        async with asyncio.timeout(PATIENCE_S):
            while state != await self.state(name):
                await asyncio.sleep(0.01)


def server(folder: Path, *manners: str, **more: object) -> McpServer:
    """Describe a server of ours with its manners, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CODE.name).write_bytes(CODE.read_bytes())
    given = {"timeout_s": 10.0, **more}
    command = ("/usr/bin/env", "python3", CODE.name, *manners)
    return McpServer(command=command, folder=str(folder), **given)  # type: ignore[arg-type]


@asynccontextmanager
async def staged(
    home: Path, private: Sequence[str] = (), **servers: McpServer
) -> AsyncIterator[Stage]:
    """Run the life of servers."""
    recorded: list[Entry] = []
    (home / "clawdbot.yaml").write_bytes(msgspec.yaml.encode({"net": {"private": private}}))
    loaded = load(home, {}, SECTIONS)
    net = loaded.core.net
    async with (
        sqlite.opened(home / "db", Store()) as db,
        Client(net) as client,
        proxy.opened(Guard(net), net, lambda _: None) as egress,
    ):
        if not await db.read(people.owners):
            await db.write(lambda tx: people.add(tx, ANN, 1.0))
        clock, registry = SystemClock(), Registry(())
        decisions = Decisions(db, clock, lambda _, entry: recorded.append(entry), SERVER)
        reach = reaching(loaded, Sandbox(home / "sandbox"), client, egress)
        made = Servers(servers, decisions, registry, clock, reach)
        await made.begin()
        async with asyncio.TaskGroup() as tasks:
            life = tasks.create_task(made.run())
            yield Stage(made, registry, recorded, db)
            life.cancel()


async def test_what_is_trusted_is_offered_and_called_in_its_box(tmp_path: Path) -> None:
    async with staged(tmp_path, good=server(tmp_path / "s")) as stage:
        await stage.becomes("new")
        assert [] == stage.registry.all()
        shown = await stage.servers.shown("good")
        assert ("new", ["echo"]) == (shown.state, [tool.name for tool in shown.tools])
        await stage.servers.trust("good")
        assert [("server good", "trust", shown.hash)] == [
            (e.what, e.decision, e.arguments) for e in stage.recorded
        ]
        [tool] = stage.registry.all()
        assert ("good_echo", Effect.READ, "Say it again") == (
            tool.manifest.name,
            tool.manifest.effect,
            tool.description,
        )
        hand = stage.hand()
        assert "hello 你好" == await hand("good_echo", text="hello 你好")
        assert "running" == await stage.state()
        assert "no token, unseen" == await hand("good_echo", text="look")
        assert 20_000 >= len(await hand("good_echo", text="large"))
        with pytest.raises(ToolFailed, match="it failed"):
            await hand("good_echo", text="fail")
        for wrong in ({}, {"text": 5}, {"text": "a", "other": 1}, {"text": "a", "times": "b"}):
            with pytest.raises(ToolFailed, match="do not fit"):
                await hand("good_echo", **wrong)


@pytest.mark.parametrize("manner", ["hang", "crash", "flood", "endless", "lie"])
async def test_a_bad_server_is_started_anew_and_harms_no_other(tmp_path: Path, manner: str) -> None:
    bad = server(tmp_path / "bad", timeout_s=1.0)
    async with staged(tmp_path, good=server(tmp_path / "good"), bad=bad) as stage:
        for name in ("good", "bad"):
            await stage.servers.trust(name)
            await stage.becomes("running", name)
        hand = stage.hand()
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(_fails(hand, manner))
            assert "still here" == await hand("good_echo", text="still here")
            await call
        await stage.becomes("waiting", "bad")
        await stage.becomes("running", "bad")
        assert "again" == await hand("bad_echo", text="again")
        assert "running" == await stage.state("good")


async def _fails(hand: Hand, manner: str) -> None:
    with pytest.raises(ToolFailed):
        await hand("bad_echo", text=manner)


async def test_garbage_between_the_lines_is_dropped(tmp_path: Path) -> None:
    async with staged(tmp_path, good=server(tmp_path / "s")) as stage:
        await stage.servers.trust("good")
        assert "garbage" == await stage.hand()("good_echo", text="garbage")
        assert "hello" == await stage.hand()("good_echo", text="hello")


async def test_a_changed_description_is_withdrawn_until_it_is_trusted_again(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, good=server(tmp_path / "s")) as stage:
        await stage.servers.trust("good")
        await stage.becomes("running")
        hand = stage.hand()
        await hand("good_echo", text="rug")
        await stage.becomes("changed")
        assert [] == stage.registry.all()
    async with staged(tmp_path, good=server(tmp_path / "s", "evil")) as stage:
        [tool] = stage.registry.all()
        assert "Say it again" == tool.description  # never a server's newest words
        await stage.becomes("changed")
        assert [] == stage.registry.all()
        await stage.servers.trust("good")
        await stage.becomes("running")
        [tool] = stage.registry.all()
        assert "evil.example" in tool.description


async def test_a_standing_yes_ends_where_a_server_is_trusted_as_something_else(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, good=server(tmp_path / "s")) as stage:
        await stage.servers.trust("good")
        for tool in ("good_echo", "other_echo"):
            new = standing(f"yes to {tool}", tool, {})
            await stage.db.write(lambda tx, new=new: rights.allow(tx, new))  # type: ignore[misc]
        await stage.servers.trust("good")
        assert 2 == len(await stage.db.read(rights.listed))
    async with staged(tmp_path, good=server(tmp_path / "s", "evil")) as stage:
        await stage.becomes("changed")
        await stage.servers.trust("good")
        assert ["other_echo"] == [kept.tool for kept in await stage.db.read(rights.listed)]


async def test_one_that_cannot_begin_says_why(tmp_path: Path) -> None:
    gone = McpServer(command=("/usr/bin/nothing-here",))
    both = McpServer(command=("/bin/true",), url="http://127.0.0.1:1/mcp")
    ours = server(tmp_path / "s", paths=(str(tmp_path),))
    nobody = McpServer(url="http://127.0.0.1:1/mcp")
    async with staged(tmp_path, gone=gone, both=both, ours=ours, nobody=nobody) as stage:
        for name, why in {
            "both": "either a command or a url",
            "ours": "assistant's own",
            "nobody": "",
            "gone": "",
        }.items():
            await stage.becomes("waiting", name)
            problem = {s.name: s.problem for s in await stage.servers.listed()}[name]
            assert why in problem
            assert problem
            with pytest.raises(ToolFailed):
                await stage.servers.trust(name)
        with pytest.raises(BadInput):
            await stage.servers.trust("unknown")
        assert [] == stage.recorded


async def test_a_server_reaches_the_hosts_that_it_was_granted_alone(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="a page")

    async with site(answer) as url:
        host = url.removeprefix("http://")
        env = {"PAGE": Secret(url), "TOKEN": Secret("t0ken-of-this-test")}
        granted = server(tmp_path / "a", hosts=(host,), env=env)
        other = server(tmp_path / "b", hosts=("other.example",), env=env)
        none = server(tmp_path / "c", env=env)
        assert [Effect.EGRESS, Effect.READ] == [effect_of(granted), effect_of(none)]
        async with staged(tmp_path, [host], a=granted, b=other, c=none) as stage:
            told = {}
            for name in "abc":
                await stage.servers.trust(name)
                told[name] = await stage.hand()(f"{name}_echo", text="fetch")
        assert "a page" == told["a"]
        assert told["b"].startswith("no way")
        assert told["c"].startswith("no way")
