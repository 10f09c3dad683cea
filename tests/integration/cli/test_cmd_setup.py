"""`clawdbot setup`: by options and by questions, with a service and without; no secret is shown."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.fakes.command import fed, running, shown
from tests.fakes.models import KEY, MODEL, Fault, ModelServer
from tests.integration.cli.conftest import Run

PASSWORD = "canary-password"


@pytest.fixture(autouse=True)
def settings(home: Path) -> None:
    (home / "clawdbot.yaml").write_text("gateway: {port: 0}\n")


def test_options_make_the_owner_and_nothing_else_is_asked(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    args = ("--name", "Ada", "--language", "zh", "--timezone", "Asia/Shanghai")
    done = fed(environ, f"{PASSWORD}\n", "setup", *args, "--stdin", "password")
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
    assert 0 == fed(environ, "", "setup", "--name", "Ada", "--timezone", "Asia/Shanghai").returncode
    assert 0 == fed(environ, "", "setup", "--name", "Bea").returncode
    assert ["Bea"] == [u["name"] for u in json.loads(run("user", "list", "--json").stdout)]
    rows = {row["key"]: row["value"] for row in json.loads(run("config", "show", "--json").stdout)}
    assert "Asia/Shanghai" == rows["timezone"]


def test_what_cannot_be_is_told_and_nothing_is_kept(run: Run, environ: dict[str, str]) -> None:
    for args in (["--timezone", "Nowhere"], ["--stdin", "password"], ["--stdin", "key"]):
        done = fed(environ, "short\n", "setup", "--name", "Ada", *args)
        assert (65, "") == (done.returncode, done.stdout), args
    assert 2 == fed(environ, "", "setup").returncode
    assert [] == json.loads(run("user", "list", "--json").stdout)


async def test_a_model_is_tried_before_it_is_kept(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    async with ModelServer() as models:
        await models.fault(Fault(kind="status", status=401, count=1))
        args = ["--name", "Ada", "--endpoint", f"{models.url}/v1", "--stdin", "key"]
        done = await asyncio.to_thread(fed, environ, "wrong-key\n", "setup", *args)
        assert (1, "") == (done.returncode, done.stdout)
        assert "The model endpoint refused the key." in done.stderr
        assert not (home / "settings.yaml").exists()
        done = await asyncio.to_thread(fed, environ, f"{KEY}\n", "setup", *args, "--model", MODEL)
        assert (0, "") == (done.returncode, done.stderr)
        tested = await asyncio.to_thread(run, "test-model", "--json")
        assert (0, MODEL) == (tested.returncode, json.loads(tested.stdout)["model"])
    assert not (home / ".env").exists()
    rows = {row["key"]: row for row in json.loads(run("config", "show", "--json").stdout)}
    assert f"{models.url}/v1" == rows["providers.external.url"]["value"]
    assert "secret://model" == rows["providers.external.auth"]["value"]
    for path in filter(Path.is_file, home.rglob("*")):
        assert KEY.encode() not in path.read_bytes(), path
        assert 0 == path.stat().st_mode & 0o077, path
    (kept,) = json.loads(run("secret", "list", "--json").stdout)
    assert ("model", [models.url]) == (kept["name"], kept["origins"])


async def test_a_new_endpoint_takes_the_place_of_the_one_in_the_env_file(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    env = home / ".env"
    env.write_text(
        "MODEL_ENDPOINT_URL=http://127.0.0.1:9/v1\nMODEL_PROVIDER_AUTH=old-canary\nA=1\n"
    )
    async with ModelServer() as models:
        args = ["--name", "Ada", "--endpoint", f"{models.url}/v1", "--stdin", "key"]
        done = await asyncio.to_thread(fed, environ, f"{KEY}\n", "setup", *args)
        assert (0, "") == (done.returncode, done.stderr)
        assert 0 == (await asyncio.to_thread(run, "test-model")).returncode
        assert "A=1\n" == env.read_text()
        # And a pair that is written there again stands above.
        env.write_text("MODEL_ENDPOINT_URL=http://127.0.0.1:9/v1\nMODEL_PROVIDER_AUTH=\n")
        assert 69 == (await asyncio.to_thread(run, "test-model")).returncode


async def test_questions_at_a_terminal(run: Run, environ: dict[str, str], home: Path) -> None:
    async with ModelServer() as models:
        await models.fault(Fault(kind="status", status=401, count=1))
        await asyncio.to_thread(_answer_everything, environ, f"{models.url}/v1")
    (user,) = json.loads(run("user", "list", "--json").stdout)
    assert ("Ada", "owner") == (user["name"], user["role"])
    assert ["model"] == [s["name"] for s in json.loads(run("secret", "list", "--json").stdout)]
    for path in filter(Path.is_file, home.rglob("*")):
        assert KEY.encode() not in path.read_bytes(), path


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
        done = fed(
            environ, f"{KEY}\n", "setup", "--name", "Ada", "--endpoint", endpoint, "--stdin", "key"
        )
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
