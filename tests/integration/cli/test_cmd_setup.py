"""`clawdbot setup`: by options and by questions, with a service and without; no secret is shown."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.command import PATIENCE_S, running, shown
from tests.fakes.models import KEY, MODEL, Fault, ModelServer
from tests.integration.cli.conftest import Run

PASSWORD = "canary-password"


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    (home / "clawdbot.yaml").write_text("gateway: {port: 0}\n")


def setup(environ: dict[str, str], text: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run `clawdbot setup` with something on standard input."""
    return subprocess.run(
        [sys.executable, "-m", "clawdbot", "setup", *args],
        capture_output=True,
        check=False,
        env=environ,
        input=text,
        text=True,
        timeout=PATIENCE_S,
    )


def test_options_make_the_owner_and_nothing_else_is_asked(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    args = ("--name", "Ada", "--language", "zh", "--timezone", "Asia/Shanghai")
    done = setup(environ, f"{PASSWORD}\n", *args, "--stdin", "password")
    assert (0, "") == (done.returncode, done.stderr)
    assert "已保存。这个助手属于 Ada。" in done.stdout
    assert "clawdbot start" in done.stdout
    (user,) = json.loads(run("user", "list", "--json").stdout)
    assert ("Ada", "owner", "zh") == (user["name"], user["role"], user["language"])
    rows = {row["key"]: row["value"] for row in json.loads(run("config", "show", "--json").stdout)}
    assert ("zh", "Asia/Shanghai") == (rows["language"], rows["timezone"])
    assert PASSWORD not in "".join(
        path.read_text(errors="replace") for path in home.rglob("*") if path.is_file()
    )


def test_a_second_time_changes_only_what_is_given(run: Run, environ: dict[str, str]) -> None:
    assert 0 == setup(environ, "", "--name", "Ada", "--timezone", "Asia/Shanghai").returncode
    assert 0 == setup(environ, "", "--name", "Bea").returncode
    assert ["Bea"] == [u["name"] for u in json.loads(run("user", "list", "--json").stdout)]
    rows = {row["key"]: row["value"] for row in json.loads(run("config", "show", "--json").stdout)}
    assert "Asia/Shanghai" == rows["timezone"]


def test_what_cannot_be_is_told_and_nothing_is_kept(run: Run, environ: dict[str, str]) -> None:
    for args in (["--timezone", "Nowhere"], ["--stdin", "password"], ["--stdin", "key"]):
        done = setup(environ, "short\n", "--name", "Ada", *args)
        assert (65, "") == (done.returncode, done.stdout), args
    assert 2 == setup(environ, "").returncode
    assert [] == json.loads(run("user", "list", "--json").stdout)


async def test_a_model_is_tried_before_it_is_kept(environ: dict[str, str], home: Path) -> None:
    async with ModelServer() as models:
        await models.fault(Fault(kind="status", status=401, count=1))
        args = ["--name", "Ada", "--endpoint", f"{models.url}/v1", "--stdin", "key"]
        done = await asyncio.to_thread(setup, environ, "wrong-key\n", *args)
        assert (1, "") == (done.returncode, done.stdout)
        assert "The model endpoint refused the key." in done.stderr
        assert not (home / ".env").exists()
        done = await asyncio.to_thread(setup, environ, f"{KEY}\n", *args, "--model", MODEL)
        assert (0, "") == (done.returncode, done.stderr)
    assert f"{models.url}/v1" in (home / ".env").read_text()
    assert 0 == (home / ".env").stat().st_mode & 0o077


async def test_questions_at_a_terminal(run: Run, environ: dict[str, str], home: Path) -> None:
    async with ModelServer() as models:
        await models.fault(Fault(kind="status", status=401, count=1))
        await asyncio.to_thread(_answer_everything, environ, f"{models.url}/v1")
    (user,) = json.loads(run("user", "list", "--json").stdout)
    assert ("Ada", "owner") == (user["name"], user["role"])
    assert KEY in (home / ".env").read_text()


def _answer_everything(environ: dict[str, str], endpoint: str) -> None:
    with shown(environ, "setup") as screen:
        seen = ""
        for question, answer in (
            ("Language (en, zh) [en]: ", ""),
            ("Your name [", "Ada"),
            ("control panel: ", "short"),
            ("at least 8 characters.", None),
            ("control panel: ", PASSWORD),
            ("The same again: ", "another"),
            ("These are not the same.", None),
            ("control panel: ", PASSWORD),
            ("The same again: ", PASSWORD),
            ("Time zone [", "Nowhere"),
            ("There is no time zone Nowhere.", None),
            ("Time zone [", "Europe/Berlin"),
            ("model's endpoint: ", endpoint),
            ("Its key: ", "wrong-key"),
            ("Model: ", ""),
            ("refused the key.", None),
            ("Keep it all the same? [y/N]: ", "n"),
            ("model's endpoint: ", endpoint),
            ("Its key: ", KEY),
            ("Model: ", MODEL),
            (MODEL, None),
            ("Telegram bot: ", ""),
        ):
            seen += screen.wait_for(question)
            if answer is not None:
                screen.type(f"{answer}\n")
        seen += screen.wait_for("Saved. This assistant is Ada's.")
        screen.wait_for("Start it with `clawdbot start`.")
        assert 0 == screen.end()
        assert not any(secret in seen for secret in (PASSWORD, KEY, "wrong-key"))


async def test_a_running_service_takes_what_was_set_up_and_starts_anew(
    run: Run, environ: dict[str, str]
) -> None:
    async with ModelServer() as models:
        await asyncio.to_thread(_set_up_while_it_runs, run, environ, f"{models.url}/v1")


def _set_up_while_it_runs(run: Run, environ: dict[str, str], endpoint: str) -> None:
    with running(environ) as process:
        before = json.loads(run("status", "--json").stdout)
        done = setup(environ, f"{KEY}\n", "--name", "Ada", "--endpoint", endpoint, "--stdin", "key")
        assert (0, "") == (done.returncode, done.stderr)
        assert "clawdbot start" not in done.stdout
        done = run("chat", "hello")
        assert (0, "") == (done.returncode, done.stderr)
        after = json.loads(run("status", "--json").stdout)
        assert ("Ada", process.pid, before["address"]) == (
            after["owner"],
            after["pid"],
            after["address"],
        )
        assert before["since"] < after["since"]


def test_ctrl_c_leaves_everything_as_it_was(run: Run, environ: dict[str, str]) -> None:
    with shown(environ, "setup") as screen:
        screen.wait_for("Language")
        screen.type("\n")
        screen.wait_for("Your name")
        assert 130 == screen.interrupt()
    assert [] == json.loads(run("user", "list", "--json").stdout)


def test_an_impatient_ctrl_c_ends_it_all_the_same(run: Run, environ: dict[str, str]) -> None:
    with shown(environ, "setup") as screen:
        screen.wait_for("Language")
        screen.type("\n")
        screen.wait_for("Your name")
        assert 130 == screen.interrupt(every_s=0.03)
