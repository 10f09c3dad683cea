"""A running service without channels, and clients that speak to its server as a browser would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from clawdbot.app.assembly import Doors, doors
from clawdbot.app.sections import SECTIONS
from clawdbot.app.serving import serve
from clawdbot.app.unseal import unsealed
from clawdbot.config.load import load
from clawdbot.ops.process import Started
from clawdbot.tools.registry import Tool
from tests.passwords import quick_hash
from tests.patience import PATIENCE_S

PASSWORD = "correct horse battery"
JSON = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service on its port and its Unix socket."""

    started: Started
    home: Path
    web: aiohttp.ClientSession
    local: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.started.port}"

    async def set_up(self, name: str = "Ann", language: str = "en") -> None:
        """Make the owner through the Unix socket."""
        answers = {"name": name, "password": PASSWORD, "language": language}
        async with self.local.post("http://clawdbot/set_up", json=[answers]) as answer:
            assert 200 == answer.status, await answer.text()


def settings_of(rules: list[JSON], home: Path, **core: object) -> JSON:
    """Write a script and give settings that play it; `tools_` is the setting `tools`."""
    (home / "script.yaml").write_bytes(msgspec.yaml.encode(rules))
    return {
        "gateway": {"port": 0},
        "providers": {"play": {"protocol": "scripted", "script": str(home / "script.yaml")}},
        "model_routing": {"default": {"provider": "play"}},
        **{name.rstrip("_"): value for name, value in core.items()},
    }


@asynccontextmanager
async def running(
    home: Path,
    rules: list[JSON] | None = None,
    outside: Doors | None = None,
    /,
    *,
    tools: tuple[Tool, ...] = (),
    **core: object,
) -> AsyncIterator[Running]:
    """Run a service while the block runs."""
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "clawdbot.yaml").write_bytes(
        msgspec.yaml.encode(settings_of(rules or [], home, **core))
    )
    stop, up = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        loaded = unsealed(load(home, {}, SECTIONS))
        given = replace(outside or replace(doors(), slow=quick_hash), tools=tools)
        tasks.create_task(serve(loaded, given, stop=stop, started=up.set_result))
        started = await asyncio.wait_for(up, PATIENCE_S)
        local = aiohttp.UnixConnector(str(home / "clawdbot.sock"))
        async with (
            aiohttp.ClientSession() as web,
            aiohttp.ClientSession(connector=local) as inner,
        ):
            try:
                yield Running(started=started, home=home, web=web, local=inner)
            finally:
                stop.set()


@pytest.fixture
async def service(short_home: Path) -> AsyncIterator[Running]:
    """Run a service with an owner and an echo for a model."""
    async with running(short_home) as found:
        await found.set_up()
        yield found


@pytest.fixture
def short_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home whose socket path is short."""
    return tmp_path_factory.mktemp("h", numbered=True) / "home"


async def until(look: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(timeout_s):
        while not look():
            await asyncio.sleep(0.01)
