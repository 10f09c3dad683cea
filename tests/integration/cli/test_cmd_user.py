"""`clawdbot user`: who is known, who waits; with a service or without (`clawdbot.cli.service`)."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.fakes.command import running, scripted
from tests.fakes.telegram import TOKEN, UNLIMITED, TelegramServer
from tests.integration.cli.conftest import Run


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    scripted(home)


@pytest.fixture
async def telegram(home: Path):
    async with TelegramServer(pace=UNLIMITED) as server:
        account = f'{{token: "{TOKEN}", base_url: "{server.url}"}}'
        with (home / "clawdbot.yaml").open("a") as file:
            file.write(f"channels: {{telegram: {{main: {account}}}}}\n")
        yield server


async def knock(telegram: TelegramServer, who: int) -> str:
    """Write as a stranger and read the code of the answer."""
    await telegram.user_says(who, who, "hello")
    chat = await telegram.wait_for(who, lambda chat: chat[-1].from_bot)
    code = re.search(r"\b[2-9A-Z]{8}\b", chat[-1].text)
    assert code
    return code[0]


async def answered(telegram: TelegramServer, who: int) -> None:
    await telegram.wait_for(who, lambda chat: chat[-1].text == "echo: hello")


async def test_a_stranger_is_let_in_while_the_service_runs(
    run: Run, environ: dict[str, str], telegram: TelegramServer
) -> None:
    with running(environ):
        code = await knock(telegram, 5)
        done = await asyncio.to_thread(run, "user", "pair", code.lower())
        assert (0, "") == (done.returncode, done.stderr)
        assert "is let in." in done.stdout
        await answered(telegram, 5)
        await knock(telegram, 6)
        listing = await asyncio.to_thread(run, "user", "pairings", "--json")
        (waiting,) = json.loads(listing.stdout)
        plain = await asyncio.to_thread(run, "user", "pairings")
        assert [waiting["name"], "telegram"] == plain.stdout.split("\t")[:2]
        assert 0 == (await asyncio.to_thread(run, "user", "pair", waiting["id"])).returncode
        await answered(telegram, 6)
    users = json.loads((await asyncio.to_thread(run, "user", "list", "--json")).stdout)
    assert ["member", "member"] == [user["role"] for user in users]


async def test_a_stranger_is_let_in_without_a_service_and_answered_by_the_next(
    run: Run, environ: dict[str, str], telegram: TelegramServer
) -> None:
    assert 0 == (await asyncio.to_thread(run, "setup", "--name", "Ada")).returncode
    with running(environ) as process:
        code = await knock(telegram, 5)
        process.terminate()
        await asyncio.to_thread(process.wait)
    done = await asyncio.to_thread(run, "user", "pair", code, "--as", "Ada")
    assert (0, "Ada is let in.\n", "") == (done.returncode, done.stdout, done.stderr)
    done = await asyncio.to_thread(run, "user", "list")
    assert "Ada\towner\ten\tactive\n" == done.stdout
    with running(environ):
        await answered(telegram, 5)


async def test_a_refused_stranger_is_told_once(
    run: Run, environ: dict[str, str], telegram: TelegramServer
) -> None:
    refusal = "The owner of this assistant does not let you in."
    with running(environ):
        code = await knock(telegram, 5)
        done = await asyncio.to_thread(run, "user", "refuse", code)
        assert (0, "") == (done.returncode, done.stderr)
        assert done.stdout.endswith(" is not let in.\n")
        await telegram.wait_for(5, lambda chat: chat[-1].text == refusal)
        await telegram.user_says(5, 5, "please")
        await knock(telegram, 6)  # who writes later is answered: the first was passed over
        chat = await telegram.wait_for(5, bool)
        assert [refusal, "please"] == [message.text for message in chat][-2:]
        listing = await asyncio.to_thread(run, "user", "pairings", "--json")
        assert 1 == len(json.loads(listing.stdout))
        done = await asyncio.to_thread(run, "user", "pair", code)
        assert 65 == done.returncode


def test_an_unknown_code_or_user_is_told(run: Run) -> None:
    done = run("user", "pair", "ABCD2345")
    assert (65, "") == (done.returncode, done.stdout)
    assert "This pairing code is unknown or too old." in done.stderr
    done = run("user", "pair", "ABCD2345", "--as", "Nobody")
    assert (65, "") == (done.returncode, done.stdout)
    assert "There is no user of that name." in done.stderr


def test_nobody_becomes_an_owner_by_a_code(run: Run) -> None:
    assert 65 == run("user", "pair", "ABCD2345", "--role", "owner").returncode


def test_what_a_user_may_is_the_policys_own_answer(run: Run) -> None:
    assert 0 == run("setup", "--name", "Ada").returncode
    (note,) = json.loads(run("user", "may", "Ada", "note_add", "--json").stdout)
    assert ("note_add", "write", "own") == (note["tool"], note["effect"], note["clean"]["rule"])
    assert 0 == run("plugin", "grant", "note_add", "--never").returncode
    told = run("user", "may", "Ada", "note_add").stdout.splitlines()
    assert 2 == len(told)
    assert told[0].startswith("note_add\twrite\town words\tdeny\tIt was refused for good.")
    assert 65 == run("user", "may", "Ada", "no_such").returncode
    assert 65 == run("user", "may", "Nobody").returncode


def test_a_second_factor_that_is_not_there_cannot_be_removed(run: Run) -> None:
    assert 0 == run("setup", "--name", "Ada").returncode
    assert 65 == run("user", "reset-totp", "Ada").returncode
    assert "[]\n" == run("user", "locked", "--json").stdout
    assert 65 == run("user", "unlock", "name:ada").returncode
