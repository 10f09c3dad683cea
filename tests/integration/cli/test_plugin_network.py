"""A plugin reaches the hosts that it was granted, and no other (`clawdbot.app.plugins`)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.fakes.command import scripted
from tests.integration.cli.conftest import Run

CODE = """
from urllib.error import URLError
from urllib.request import urlopen
from clawdbot.plugins import ForbiddenError, system_command

def read(url):
    try:
        return urlopen(url, timeout=5).read().decode()
    except (URLError, OSError) as error:
        raise ForbiddenError(str(error))

@system_command.register(hosts=["127.0.0.1:PORT"])
def granted(url: str): return read(url)

@system_command.register
def bare(url: str): return read(url)
"""


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="the sky is blue")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_only_the_granted_host_is_reached(run: Run, home: Path, port: int) -> None:
    scripted(home)
    with (home / "clawdbot.yaml").open("a") as file:
        file.write(f'net: {{private: ["127.0.0.1:{port}"]}}\n')
    (home / "plugins").mkdir(mode=0o700)
    (home / "plugins" / "sky.py").write_text(CODE.replace("PORT", str(port)))
    url = f"http://127.0.0.1:{port}/"

    async def told(function: str, url: str) -> tuple[int, str, str]:
        done = await asyncio.to_thread(run, "plugin", "run", function, "--url", url)
        return done.returncode, done.stdout, done.stderr

    assert 0 == (await asyncio.to_thread(run, "plugin", "trust", "sky")).returncode
    assert (0, "the sky is blue\n", "") == await told("granted", url)
    code, shown, error = await told("granted", "http://other.example/")
    assert (1, "") == (code, shown)
    assert "other.example" in error
    code, shown, _ = await told("bare", url)
    assert (1, "") == (code, shown)
