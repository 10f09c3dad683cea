"""One question to a provider, and a look around this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from clawdbot.app.assembly import doors
from clawdbot.app.sections import SECTIONS
from clawdbot.app.serving import serve
from clawdbot.config.clock import SystemClock
from clawdbot.config.load import load
from clawdbot.domain.errors import ModelKeyRejected
from clawdbot.domain.settings import Net, Provider
from clawdbot.models.endpoint import Endpoint
from clawdbot.models.probe import Found, discover, probe
from clawdbot.models.providers.openai import OpenAi
from clawdbot.models.providers.scripted import Scripted
from clawdbot.net.client import Client
from clawdbot.ops.process import Started
from tests.fakes.models import MODEL, Fault, ModelServer, Reply, Rule, Timing
from tests.fakes.models.server import Flavour
from tests.patience import PATIENCE_S


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(Net()) as opened:
        yield opened


async def test_latency_and_speed_are_measured_apart(client: Client) -> None:
    timing = Timing(first_ms=100, token_ms=5)
    async with ModelServer(timing=timing) as models:
        # Finding a model is no part of its latency.
        await models.fault(Fault(kind="delay", method="/v1/models", seconds=1.0))
        endpoint = Endpoint(Provider(url=models.url), OpenAi(), client)
        shown = await probe(endpoint, SystemClock())
    assert (MODEL, True) == (shown.model, shown.listed)
    assert 0.1 <= shown.first_token_s < 1.0
    assert 20 < shown.tokens_per_s < 200


async def test_an_answer_that_comes_at_once_has_a_speed_too(client: Client) -> None:
    async with ModelServer(timing=Timing(first_ms=100)) as models:
        endpoint = Endpoint(Provider(url=models.url, model=MODEL), OpenAi(), client)
        shown = await probe(endpoint, SystemClock())
    assert 42 < shown.tokens_per_s <= 420


async def test_a_provider_that_tells_nothing_is_asked_all_the_same() -> None:
    shown = await probe(Scripted(""), SystemClock())
    assert ("scripted", "", ()) == (shown.model, shown.version, shown.quota)


async def test_a_probe_fails_as_the_provider_does(client: Client) -> None:
    async with ModelServer(timing=Timing(first_ms=0)) as models:
        await models.script(Rule(reply=Reply(status=401)))
        endpoint = Endpoint(Provider(url=models.url), OpenAi(), client)
        with pytest.raises(ModelKeyRejected):
            await probe(endpoint, SystemClock())


async def test_local_servers_are_found_all_at_once(client: Client) -> None:
    flavours: dict[Flavour, str] = {"ollama": "Ollama", "vllm": "vLLM", "cloud": ""}
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(ModelServer(flavour=flavour, models=("m",)))
            for flavour in flavours
        ]
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # never accepts
        ports = [server.port for server in servers]
        begun = asyncio.get_running_loop().time()
        found = await discover(client, [*ports, 1, silent.getsockname()[1]])
        assert 5 > asyncio.get_running_loop().time() - begun
    expected = [
        Found(kind=kind, url=f"http://127.0.0.1:{port}/v1", models=("m",))
        for kind, port in zip(flavours.values(), ports, strict=True)
        if kind
    ]
    assert expected == found


async def test_our_own_panel_is_no_model_server(client: Client, tmp_path) -> None:
    (tmp_path / "clawdbot.yaml").write_text("gateway: {port: 0}\nstore: {low_water_mb: 0}\n")
    started: asyncio.Queue[Started] = asyncio.Queue()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(PATIENCE_S):
        loaded = load(tmp_path, {}, SECTIONS)
        tasks.create_task(serve(loaded, doors(), stop=stop, started=started.put_nowait))
        assert [] == await discover(client, [(await started.get()).port])
        stop.set()
