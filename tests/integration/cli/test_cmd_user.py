"""`clawdbot user`: who is known, who waits; with a service or without (`clawdbot.cli.service`)."""

import asyncio
import json
import re
import sqlite3
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.command import running, scripted, started
from tests.fakes.telegram import TOKEN, UNLIMITED, TelegramServer
from tests.integration.cli.conftest import Run
from tests.patience import PATIENCE_S

CANARY, BOB = "qxzebrafinchvw", "Bob qxzebrafinchvw"


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
    assert 65 == run("user", "unlock", "name:Ada").returncode


def guess(run: Run, times: int) -> list[int]:
    """Log in with a wrong password; tell the answers' status."""
    address = json.loads(run("status", "--json").stdout)["address"]
    asked = urllib.request.Request(
        f"{address}/login", b"name=Ada&password=wrong", {"Origin": address}
    )
    found = []
    for _ in range(times):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked)
        with refused.value as answer:
            found.append(answer.code)
    return found


def test_a_lock_out_outlives_kill_9_and_is_lifted_with_a_service_and_without(
    run: Run, home: Path, environ: dict[str, str]
) -> None:
    with (home / "clawdbot.yaml").open("a") as file:
        file.write("login: {lock: 10m}\n")
    assert 0 == run("setup", "--name", "Ada").returncode
    with running(environ) as process:
        assert [401, 401, 401, 401] == guess(run, 4)
        process.kill()
        process.wait()
    with running(environ) as process:
        assert [401, 429] == guess(run, 2)
        process.kill()
        process.wait()
    found = json.loads(run("user", "locked", "--json").stdout)
    assert {("name:Ada", 5), ("peer:127.0.0.1", 5)} == {(f["key"], f["failures"]) for f in found}
    assert 0 == run("user", "unlock", "peer:127.0.0.1").returncode
    with running(environ):
        assert [429] == guess(run, 1)
        assert 0 == run("user", "unlock", "name:Ada").returncode
        assert "[]\n" == run("user", "locked", "--json").stdout
        assert [401] == guess(run, 1)


def fill(home: Path, turns: int) -> None:
    """Give Bob a long life, as far as the store tells."""
    to = b'{"channel":"web","account":"","chat":"u-bob"}'
    said = b'{"role":"user","parts":[{"type":"text","text":"a canary","source":"own"}]}'
    lane = (
        "c",
        "web",
        "direct:u-bob::u-bob",
        "u-bob",
        to,
        CANARY,
        "",
        "s",
        1e9,
        1e9,
        turns + 1,
        1e9,
    )
    with closing(sqlite3.connect(home / "data/clawdbot.db")) as db, db:
        db.execute(
            "INSERT INTO users VALUES ('u-bob', ?, 'member', 'en', 'UTC', '', 1e9, NULL)", (BOB,)
        )
        db.execute(f"INSERT INTO conversations VALUES ({', '.join('?' * len(lane))})", lane)
        for n in range(turns):
            words = f"{CANARY} {n} {CANARY}"
            turn = (f"t{n:08}", "c", "s", n, "u-bob", to, "", "done", "", 1, 1, 1, "", "", 1)
            db.execute(
                "INSERT INTO turns VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?, x'', 1e9, 1e9, 1e9)", turn
            )
            body = said.replace(b"a canary", words.encode() * 5)
            for seq in range(2):
                db.execute(
                    "INSERT INTO transcript VALUES ('c', ?, ?, 's', ?, 'u-bob', ?, 0, 9, 1e9, '')",
                    (n, seq, turn[0], body),
                )
            db.execute(
                "INSERT INTO search (user_id, conversation_id, words, position, at)"
                " VALUES ('u-bob', 'c', ?, ?, 1e9)",
                (words, n),
            )
            db.execute(
                "INSERT INTO outbox VALUES (?, 'x', ?, ?, ?, 'u-bob', 'chunk', '', ?, 'sent', 1,"
                " '', '', 0, 1e9, 1e9)",
                (f"o{n}", n, to, turn[0], body),
            )


def turns_left(home: Path) -> int:
    with closing(sqlite3.connect(home / "data/clawdbot.db", timeout=5)) as db:
        return int(db.execute("SELECT COUNT(*) FROM turns").fetchone()[0])


def left(home: Path) -> list[str]:
    """Name every file that has a byte of what is erased."""
    bare = CANARY.encode()[2:]
    files = [path for path in home.rglob("*") if path.is_file()]
    return [str(path) for path in files if bare in path.read_bytes().lower()]


def test_an_erasure_goes_on_after_a_kill_and_leaves_nothing(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    run("user", "list")
    fill(home, 4000)
    assert [] != left(home)
    dry = run("user", "erase", BOB, "--dry-run")
    assert "Turns\t4000" in dry.stdout
    refused = run("user", "erase", BOB, typed="Bobby\n")
    assert 0 != refused.returncode
    assert "Nothing was erased." in refused.stderr
    assert 4000 == turns_left(home)
    with started(environ, "user", "erase", BOB, "--yes") as process:
        while turns_left(home) > 3000:
            assert process.poll() is None, process.communicate()
        process.kill()
    assert 0 < turns_left(home)
    with running(environ):
        deadline = time.monotonic() + PATIENCE_S
        while left(home):
            assert time.monotonic() < deadline, left(home)
    assert [] == left(home)
    assert 0 == turns_left(home)
    assert "Bob" not in run("user", "list").stdout


def test_whom_the_list_names_is_erased_again_before_a_restored_database_runs(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    run("user", "list")
    fill(home, 20)
    backup = (home / "data/clawdbot.db").read_bytes()
    done = run("user", "erase", BOB, typed=f"{BOB}\n")
    assert (0, "Erased.") == (done.returncode, done.stdout.splitlines()[-1])
    assert [] == left(home)
    for path in (home / "data").glob("clawdbot.db*"):
        path.unlink()
    (home / "data/clawdbot.db").write_bytes(backup)
    assert [] != left(home)
    with running(environ):
        assert [] == left(home)
