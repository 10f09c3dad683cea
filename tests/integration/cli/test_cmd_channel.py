"""`clawdbot channel`: an account rests, works again, is taken away; with a service or without."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from tests.fakes.command import fed, running, scripted
from tests.fakes.faults import Fault
from tests.fakes.telegram import TOKEN, UNLIMITED, TelegramServer
from tests.integration.cli.conftest import Run
from tests.patience import PATIENCE_S

USER = 5
Channels = dict[str, dict[str, object]]


@pytest.fixture
async def bots() -> AsyncIterator[tuple[TelegramServer, TelegramServer]]:
    """Run two Telegrams, each with a bot of its own."""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(TelegramServer(token=token, pace=UNLIMITED))
            for token in (TOKEN, f"1{TOKEN}")
        ]
        yield servers[0], servers[1]


@pytest.fixture(autouse=True)
def owned(home: Path, run: Run) -> None:
    scripted(home)
    assert 0 == run("setup", "--name", "Ada").returncode


def settle(environ: dict[str, str], home: Path, servers: tuple[TelegramServer, ...]) -> None:
    """Write accounts as the channels' page does: to our file, their tokens sealed."""
    accounts: Channels = {}
    for name, server in zip(("main", "side"), servers, strict=True):
        fed(environ, server.token, "secret", "set", f"{name}-token", "--origin", server.url)
        session = {"access": "allowlist", "allow": [str(USER)]}
        token = f"secret://{name}-token"
        accounts[name] = {"token": token, "base_url": server.url, "pace": "off", "session": session}
    write(home, {"telegram": accounts})


def write(home: Path, channels: dict[str, Channels]) -> None:
    """Write accounts into our own file."""
    (home / "settings.yaml").write_bytes(msgspec.yaml.encode({"channels": channels}))


def written(home: Path) -> dict[str, Channels]:
    """Read the accounts of our own file, whatever is there."""
    found = msgspec.yaml.decode((home / "settings.yaml").read_bytes())
    return dict(found["channels"])


async def status(run: Run, accounts: dict[str, str]) -> dict[str, object]:
    """Wait until the service has these accounts in these states, and give its status."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            done = await asyncio.to_thread(run, "status", "--json")
            told = json.loads(done.stdout) if not done.returncode else {"channels": []}
            found = {f"{each['kind']}/{each['account']}": _state(each) for each in told["channels"]}
            if found == accounts:
                return dict(told)


def _state(channel: dict[str, object]) -> str:
    return "paused" if channel["paused"] else "up" if channel["up"] else "down"


async def echoed(server: TelegramServer, text: str) -> None:
    """Say something, and wait for its answer."""
    await server.user_says(USER, USER, text)
    await server.wait_for(USER, lambda chat: chat[-1].text == f"echo: {text}")


async def test_an_account_is_removed_with_its_key_and_no_other_waits_for_it(
    run: Run,
    environ: dict[str, str],
    home: Path,
    bots: tuple[TelegramServer, TelegramServer],
) -> None:
    main, side = bots
    settle(environ, home, bots)
    with running(environ):
        await echoed(main, "one")
        await main.fault(Fault(kind="status", method="sendMessage", status=502, count=0))
        await main.user_says(USER, USER, "never answered")
        async with asyncio.timeout(PATIENCE_S):
            while not json.loads((await asyncio.to_thread(run, "status", "--json")).stdout)[
                "outbox"
            ]:
                continue
        refused = await asyncio.to_thread(run, "channel", "remove", "telegram/main", typed="n\n")
        assert (130, True) == (refused.returncode, "main" in written(home)["telegram"])
        args = ("channel", "remove", "telegram/main", "--yes", "--json")
        done = await asyncio.to_thread(run, *args)
        assert (0, "") == (done.returncode, done.stderr)
        gone = json.loads(done.stdout)
        assert ("telegram", "main") == (gone["kind"], gone["account"])
        told = await status(run, {"telegram/side": "up"})
        assert told["outbox"]  # what waits for an account that is gone
        asked = len(main.requests.since(0))
        await echoed(side, "two")
        await echoed(side, "three")
        assert asked == len(main.requests.since(0))
    assert ["side"] == list(written(home)["telegram"])
    assert b"null" not in (home / "settings.yaml").read_bytes()
    names = json.loads((await asyncio.to_thread(run, "secret", "list", "--json")).stdout)
    assert ["side-token"] == [each["name"] for each in names]
    trail = json.loads((await asyncio.to_thread(run, "audit", "show", "--json")).stdout)
    assert ["settings.remove", "secret.remove"] == [row["what"] for row in trail][-2:]
    assert {"Ada"} == {row["user"] for row in trail[-2:]}


async def test_a_key_that_another_account_names_stays(
    run: Run,
    environ: dict[str, str],
    home: Path,
    bots: tuple[TelegramServer, TelegramServer],
) -> None:
    settle(environ, home, bots)
    accounts = written(home)["telegram"]
    write(home, {"telegram": accounts | {"twin": accounts["main"]}})
    done = await asyncio.to_thread(run, "channel", "remove", "telegram/twin", "--yes")
    assert (0, "Removed: telegram/twin\n", "") == (done.returncode, done.stdout, done.stderr)
    assert ["main", "side"] == list(written(home)["telegram"])
    names = json.loads((await asyncio.to_thread(run, "secret", "list", "--json")).stdout)
    assert ["main-token", "side-token"] == [each["name"] for each in names]
    with running(environ):
        await echoed(bots[0], "hello")


async def test_an_account_is_paused_and_resumed(
    run: Run,
    environ: dict[str, str],
    home: Path,
    bots: tuple[TelegramServer, TelegramServer],
) -> None:
    main, side = bots
    settle(environ, home, bots)
    with running(environ):
        await status(run, {"telegram/main": "up", "telegram/side": "up"})
        done = await asyncio.to_thread(run, "channel", "pause", "telegram/main")
        assert (0, "Paused: telegram/main\n", "") == (done.returncode, done.stdout, done.stderr)
        await status(run, {"telegram/main": "paused", "telegram/side": "up"})
        await main.user_says(USER, USER, "kept by the platform")
        await echoed(side, "hello")
        done = await asyncio.to_thread(run, "channel", "resume", "telegram/main", "--json")
        assert {"kind": "telegram", "account": "main"} == json.loads(done.stdout)
        await main.wait_for(USER, lambda chat: chat[-1].text == "echo: kept by the platform")


def test_what_is_not_there_or_not_ours_is_told(run: Run, home: Path) -> None:
    with (home / "clawdbot.yaml").open("a") as file:
        file.write(f'channels: {{telegram: {{own: {{token: "{TOKEN}", paused: true}}}}}}\n')
    for verb in ("pause", "resume", "remove"):
        for place in ("telegram/main", "telegram", "pigeon/main", "/"):
            done = run("channel", verb, place, *(("--yes",) if verb == "remove" else ()))
            assert (65, "") == (done.returncode, done.stdout)
            assert "There is no account of that name." in done.stderr
    done = run("channel", "remove", "telegram/own", "--yes", "--json")
    assert (65, "") == (done.returncode, done.stdout)
    assert "clawdbot.yaml:" in done.stderr
