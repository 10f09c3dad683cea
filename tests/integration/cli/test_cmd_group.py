"""`clawdbot group`: the groups it is in, and the policy of each; with a service or without."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.fakes.command import running, scripted
from tests.fakes.telegram import TOKEN, UNLIMITED, TelegramServer
from tests.integration.cli.conftest import Run
from tests.patience import PATIENCE_S

GROUP = -100


@pytest.fixture(autouse=True)
def settings(home) -> None:
    scripted(home)


async def known(run: Run) -> list[dict[str, str]]:
    done = await asyncio.to_thread(run, "group", "list", "--json")
    return list(json.loads(done.stdout))


async def found(telegram: TelegramServer, home: Path) -> None:
    """Put an account into the settings, and its bot into a group."""
    account = f'{{token: "{TOKEN}", base_url: "{telegram.url}"}}'
    with (home / "clawdbot.yaml").open("a") as file:
        file.write(f"channels: {{telegram: {{main: {account}}}}}\n")
    await telegram.add_group(GROUP, "Friends")


async def test_a_forgotten_group_begins_anew(run: Run, environ: dict[str, str], home: Path) -> None:
    async with TelegramServer(pace=UNLIMITED) as telegram:
        await found(telegram, home)
        with running(environ):
            await telegram.user_says(GROUP, 5, "anybody here?")
            async with asyncio.timeout(PATIENCE_S):
                while not (before := await known(run)):
                    continue
            await asyncio.to_thread(run, "group", "set", "Friends", "--speaks", "always")
            kept = await asyncio.to_thread(run, "group", "forget", "Friends", typed="n\n")
            assert (130, 1) == (kept.returncode, len(await known(run)))
            args = ("group", "forget", "Friends", "--yes", "--json")
            done = await asyncio.to_thread(run, *args)
            assert (0, "") == (done.returncode, done.stderr)
            assert before[0] | {"speaks": "always"} == json.loads(done.stdout)
            assert [] == await known(run)
            assert 65 == (await asyncio.to_thread(run, *args)).returncode
            await telegram.user_says(GROUP, 5, "and now?")
            async with asyncio.timeout(PATIENCE_S):
                while not (after := await known(run)):
                    continue
            assert ("mentioned", True) == (
                after[0]["speaks"], after[0]["id"] != before[0]["id"],
            )  # fmt: skip
    done = await asyncio.to_thread(run, "group", "forget", after[0]["id"], "--yes")
    assert (0, "Forgotten: Friends\n") == (done.returncode, done.stdout)
    assert [] == await known(run)


async def test_a_group_is_listed_shown_and_set(run: Run, environ: dict[str, str], home) -> None:
    async with TelegramServer(pace=UNLIMITED) as telegram:
        await found(telegram, home)
        with running(environ):
            await telegram.user_says(GROUP, 5, "anybody here?")
            await telegram.user_says(5, 5, "hello")  # in order: the group was heard before
            await telegram.wait_for(5, lambda chat: chat[-1].from_bot)
            args = ("--answers", "everybody", "--speaks", "always", "--language", "zh")
            done = await asyncio.to_thread(run, "group", "set", "Friends", *args, "--json")
            assert (0, "") == (done.returncode, done.stderr)
            group = json.loads(done.stdout)
            assert ("everybody", "always", "zh") == (
                group["answers"], group["speaks"], group["language"],
            )  # fmt: skip
            await telegram.user_says(GROUP, 5, "and now?")
            await telegram.wait_for(GROUP, lambda chat: chat[-1].text == "echo: and now?")
    (listed,) = json.loads((await asyncio.to_thread(run, "group", "list", "--json")).stdout)
    assert (group["id"], "Friends", "member") == (
        listed["id"], listed["name"], listed["ceiling"],
    )  # fmt: skip
    done = await asyncio.to_thread(
        run, "group", "set", group["id"], "--ceiling", "guest", "--language", "any"
    )
    cells = done.stdout.rstrip("\n").split("\t")
    assert ["Friends", "telegram/main", "everybody", "always", "guest", "any"] == cells[:6]
    shown = await asyncio.to_thread(run, "group", "show", "Friends")
    assert done.stdout == shown.stdout


def test_an_unknown_group_role_or_choice_is_told(run: Run) -> None:
    done = run("group", "show", "Nobody")
    assert (65, "") == (done.returncode, done.stdout)
    assert "There is no group of that name." in done.stderr
    assert 2 == run("group", "set", "Friends", "--answers", "perhaps").returncode
    assert "[]\n" == run("group", "list", "--json").stdout
