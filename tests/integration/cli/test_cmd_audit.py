"""`clawdbot audit`: what was done is shown, exported and verified; a change of it is named."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from clawdbot.config.key import MasterKey
from clawdbot.domain.approval import digest_of
from clawdbot.domain.people import User
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Store
from clawdbot.store import people
from clawdbot.store import sqlite as store
from clawdbot.store.audit import Audit, Entry, Kind
from clawdbot.store.vault import Vault
from tests.fakes.command import fed, running, scripted
from tests.integration.cli.conftest import Run


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    scripted(home)
    with (home / "clawdbot.yaml").open("a") as file:
        file.write("audit: {export: kept.jsonl}\n")


@pytest.fixture
def trail(environ: dict[str, str]) -> None:
    """Leave four rows and a checkpoint behind."""
    with running(environ) as process:
        for name in "abcd":
            assert 0 == fed(environ, "x", "secret", "set", name).returncode
        process.terminate()
        process.wait()


def alter(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "data/clawdbot.db")) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.usefixtures("trail")
def test_rows_are_shown_by_filter_and_in_order(run: Run) -> None:
    rows = json.loads(run("audit", "show", "--json").stdout)
    assert ["a", "b", "c", "d"] == [row["outcome"] for row in rows]
    last = json.loads(run("audit", "show", "-n", "2", "--json").stdout)
    assert ["c", "d"] == [row["outcome"] for row in last]
    lines = run("audit", "show").stdout.splitlines()
    assert ["secret", "secret.set", "allow owner", "a"] == lines[0].split("\t")[2:6]
    for args, count in (
        (["--tool", "secret.set"], 4),
        (["--kind", "effect"], 0),
        (["--user", "nobody"], 0),
        (["--turn", "t"], 0),
        (["--since", "2020-01-01", "--until", "2999-01-01", "--kind", "secret"], 4),
        (["--until", "2020-01-01T10:00"], 0),
    ):
        assert count == len(json.loads(run("audit", "show", "--json", *args).stdout)), args
    assert 2 == run("audit", "show", "--since", "yesterday").returncode


@pytest.mark.usefixtures("trail")
def test_an_export_can_be_checked_by_anybody(run: Run) -> None:
    rows = [json.loads(line) for line in run("audit", "export").stdout.splitlines()]
    assert 4 == len(rows)
    previous = ""
    for row in rows:
        told = [row[key] for key in (
            "chain", "place", "at", "user_id", "turn_id", "step", "kind", "what", "decision",
            "rule", "arguments", "outcome", "payload", "previous",
        )]  # fmt: skip
        text = json.dumps(told, separators=(",", ":")).encode()
        assert hashlib.sha256(text).hexdigest() == row["hash"]
        assert previous == row["previous"]
        previous = row["hash"]


@pytest.mark.usefixtures("trail")
def test_a_whole_trail_is_told_and_a_broken_one_named(run: Run, home: Path) -> None:
    kept = str(home / "kept.jsonl")
    assert 0 == Path(kept).stat().st_mode & 0o077
    done = run("audit", "verify", "--against", kept)
    assert (0, "4 rows and 1 checkpoints are as they were written.\n", "") == (
        done.returncode, done.stdout, done.stderr,
    )  # fmt: skip
    alter(home, "UPDATE audit SET outcome = 'z' WHERE place = 2")
    done = run("audit", "verify")
    assert (67, "") == (done.returncode, done.stdout)
    assert "row 2: this row was changed, or moved from its place" in done.stderr
    assert "第 2 行: 这一行被改动过" in run("--lang", "zh", "audit", "verify").stderr
    found = run("audit", "verify", "--json")
    assert (67, 2) == (found.returncode, json.loads(found.stdout)["bad"]["place"])
    # Who takes away the rows and their checkpoint is caught by what was kept elsewhere.
    alter(home, "DELETE FROM audit")
    alter(home, "DELETE FROM checkpoints")
    assert 0 == run("audit", "verify").returncode
    done = run("audit", "verify", "--against", kept)
    assert 67 == done.returncode
    assert "row 4: this checkpoint was kept elsewhere, and is not here" in done.stderr
    Path(kept).write_text("no json\n")
    assert 65 == run("audit", "verify", "--against", kept).returncode


async def noted(home: Path) -> bytes:
    """Put on record what two users had done; give the first one's sealed key."""
    (home / "data").mkdir(mode=0o700, exist_ok=True)
    async with store.opened(home / "data/clawdbot.db", Store()) as db:
        trail = Audit(Vault(MasterKey(home, {})), "local:0")

        def work(tx: Tx) -> bytes:
            for id_, name in (("u1", "Ann"), ("u2", "Bob")):
                people.add(tx, User(id_, name, "owner", "en", "UTC"), 1.0)
                words = f"what {name} paid"
                entry = Entry(
                    at=1.0,
                    kind=Kind.EFFECT,
                    what="pay",
                    user_id=id_,
                    arguments=digest_of(words),
                    payload=words.encode(),
                )
                trail.append(tx, entry)
            return tx.one(bytes, "subject_keys.get", user_id="u1") or b""

        return await db.write(work)


async def test_what_a_person_said_is_erased_and_the_chain_stays_valid(run: Run, home: Path) -> None:
    key = await noted(home)
    before = json.loads(run("audit", "show", "--content", "--json").stdout)
    assert ["what Ann paid", "what Bob paid"] == [row["content"] for row in before]
    assert all(row["arguments"].startswith("hmac:") for row in before)
    assert 65 == run("audit", "erase", "nobody", "--yes").returncode
    assert 130 == run("audit", "erase", "Ann").returncode  # nobody there to answer
    done = run("audit", "erase", "Ann", "--yes")
    assert (0, "Erased. The rows stay, and can be verified as before.\n") == (
        done.returncode, done.stdout,
    )  # fmt: skip
    assert 0 == run("audit", "verify").returncode
    rows = json.loads(run("audit", "show", "--content", "--json").stdout)
    assert [("pay", "", True), ("pay", "what Bob paid", False), ("audit.erase", "", False)] == [
        (row["what"], row["content"], row["erased"]) for row in rows
    ]
    assert before[0]["hash"] == rows[0]["hash"]
    assert ("admin", "u1") == (rows[-1]["kind"], rows[-1]["outcome"])
    assert "erased" in run("audit", "show", "--content").stdout.splitlines()[0]
    for path in (home / "data").iterdir():
        assert key not in path.read_bytes(), path


def test_a_running_service_is_asked(run: Run, environ: dict[str, str], home: Path) -> None:
    with running(environ):
        assert "0 rows" in run("audit", "verify").stdout
        fed(environ, "x", "secret", "set", "a")
        done = run("audit", "verify")
        assert "1 rows and 0 checkpoints" in done.stdout
        assert "1 rows wait for their checkpoint." in done.stdout
        assert 1 == len(json.loads(run("audit", "show", "--json").stdout))
        assert 1 == len(run("audit", "export").stdout.splitlines())
        alter(home, "DELETE FROM audit")
        assert 0 == run("audit", "verify").returncode
    # The row was taken before it was signed: at the end nothing is left to sign.
    assert not (home / "kept.jsonl").exists()
