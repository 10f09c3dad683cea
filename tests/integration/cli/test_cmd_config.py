"""`clawdbot config`: valid or every problem, what is in force and from where."""

import json
import re
from pathlib import Path

import pytest

from tests.fakes.command import running, scripted
from tests.integration.cli.conftest import Run
from tests.patience import PATIENCE_S

YAML = """\
gateway: {port: 9000}
net: {proxy: "http://user:canary-pw@proxy.test:3128"}
channels:
  telegram:
    main: {token: "env:TELEGRAM_BOT_TOKEN", session: {idle: 10m}}
"""
ENV = "export MODEL_ENDPOINT_URL=https://model.test/v1\nMODEL_PROVIDER_AUTH='canary-key'\n"


def test_valid_settings_are_said_to_be_valid(run: Run) -> None:
    done = run("config", "check")
    assert (0, "The settings are valid.\n", "") == (done.returncode, done.stdout, done.stderr)
    done = run("config", "check", "--json")
    assert {"valid": True, "problems": [], "warnings": []} == json.loads(done.stdout)


def test_a_limit_for_what_is_no_tool_is_told_with_the_nearest_name(run: Run, home: Path) -> None:
    (home / "clawdbot.yaml").write_text(
        "tools:\n  shell: {per_hour: 3}\n  web_fech: {per_hour: 1}\n"
    )
    warning = "clawdbot.yaml:3: tools.web_fech: unknown; did you mean tools.web_fetch?"
    done = run("config", "check")
    expected = (0, "The settings are valid.\n", f"{warning}\n")
    assert expected == (done.returncode, done.stdout, done.stderr)
    done = run("config", "check", "--json")
    assert {"valid": True, "problems": [], "warnings": [warning]} == json.loads(done.stdout)


def test_every_problem_is_told_and_the_exit_code_is_the_documented_one(
    run: Run, home: Path
) -> None:
    (home / "clawdbot.yaml").write_text("gatway: {port: 1}\nlogs: {level: loud}\n")
    problems = [
        "clawdbot.yaml:1: gatway: unknown; did you mean gateway?",
        "clawdbot.yaml:2: logs.level: expected debug | error | info | warning",
    ]
    done = run("config", "check")
    assert (78, "") == (done.returncode, done.stdout)
    assert "Error: " + "\n".join(problems) + "\n" == done.stderr
    done = run("config", "check", "--json")
    assert (78, "") == (done.returncode, done.stderr)
    assert {"valid": False, "problems": problems} == json.loads(done.stdout)


def test_what_is_in_force_is_shown_with_its_origin_and_without_secrets(
    run: Run, home: Path
) -> None:
    (home / "clawdbot.yaml").write_text(YAML)
    (home / ".env").write_text(ENV + "TELEGRAM_BOT_TOKEN=canary-token\n")
    done = run("config", "show", "--json")
    rows = {row["key"]: (row["value"], row["origin"]) for row in json.loads(done.stdout)}
    expected = {
        "gateway.port": ("9000", "clawdbot.yaml:1"),
        "gateway.host": ("127.0.0.1", "default"),
        "net.proxy": ("http://****@proxy.test:3128", "clawdbot.yaml:2"),
        "providers.external.url": ("https://model.test/v1", ".env"),
        "providers.external.auth": ("****", ".env"),
        "providers.fallback.auth": ("", "default"),
        "model_routing.default.provider": ("external", "default"),
        "channels.telegram.main.token": ("****", "clawdbot.yaml:5"),
        "channels.telegram.main.session.idle": ("600", "clawdbot.yaml:5"),
        "channels.telegram.main.session.reset": ("/new, 新对话", "default"),
    }
    assert expected == {key: rows[key] for key in expected}
    plain = run("config", "show").stdout
    assert "gateway.port\t9000\tclawdbot.yaml:1\n" in plain
    assert "canary" not in plain + done.stdout
    part = run("config", "show", "gateway").stdout.splitlines()
    assert {"gateway"} == {line.split(".")[0] for line in part}


def test_show_needs_valid_settings(run: Run, home: Path) -> None:
    (home / "settings.yaml").write_text("language: [")
    done = run("config", "show")
    assert (78, "") == (done.returncode, done.stdout)
    assert "Error: settings.yaml:" in done.stderr


@pytest.mark.parametrize("name", [".env", "settings.yaml"])
def test_the_path_is_the_folder(name: str, run: Run, home: Path) -> None:
    (home / name).write_text("")
    assert f"{home}\n" == run("config", "path").stdout
    expected = {"home": str(home), "files": [name]}
    assert expected == json.loads(run("config", "path", "--json").stdout)


def test_a_terminal_gets_a_table_in_the_users_language(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    text = _on_terminal(environ | {"COLUMNS": "200"}, "--lang", "zh", "config", "show", "gateway")
    assert "设置" in text
    assert "gateway.port" in text
    coloured = environ | {"NO_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b" not in _on_terminal(coloured, "config", "show", "gateway")


def _on_terminal(environ: dict[str, str], *args: str) -> str:
    """Run in a pseudo-terminal and give what it shows."""
    import os
    import pty
    import subprocess
    import sys

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "clawdbot", *args]
    with subprocess.Popen(
        command, stdout=theirs, stdin=theirs, stderr=theirs, env=environ
    ) as child:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:  # the child has closed its end
            pass
        finally:
            os.close(ours)
        assert 0 == child.wait(PATIENCE_S)
    return shown.decode()


def test_a_setting_is_changed_as_its_page_does(run: Run, home: Path) -> None:
    (home / "clawdbot.yaml").write_text("logs: {file_mb: 7}\n")
    assert 0 == run("setup", "--name", "Ada").returncode
    done = run("config", "set", "login.totp", "owner", "admin")
    assert (0, "") == (done.returncode, done.stderr)
    (row,) = json.loads(run("config", "show", "login.totp", "--json").stdout)
    assert row["origin"].startswith("settings.yaml")
    assert "owner" in row["value"]
    assert 0 == run("config", "set", "login.failures", "9").returncode
    assert 0 == run("config", "set", "login.lock", "5s").returncode
    assert 0 == run("config", "set", "login.totp").returncode
    assert "owner" not in run("config", "show", "login.totp").stdout
    assert "login.failures\t9" in run("config", "show", "login").stdout
    # What is fixed in a file of the user's stays there; what is no setting is told.
    assert 0 != run("config", "set", "logs.file_mb", "8").returncode
    assert "logs.file_mb\t7" in run("config", "show", "logs").stdout
    assert 78 == run("config", "set", "logs.files", "many").returncode
    assert 65 == run("config", "set", "logs.fils", "1").returncode


def test_a_fault_is_told_in_the_language_of_the_command(
    run: Run, home: Path, environ: dict[str, str]
) -> None:
    scripted(home)
    with (home / "clawdbot.yaml").open("a") as file:
        file.write("language: en\nlogs: {file_mb: 7}\n")
    assert 0 == run("setup", "--name", "Ada").returncode

    def refused() -> list[str]:
        wishes = (("turns.seconds", "soon"), ("logs.file_mb", "8"), ("logs.level", "loud"))
        done = [run("--lang", "zh", "config", "set", *wish) for wish in wishes]
        assert [78, 78, 78] == [each.returncode for each in done]
        return [each.stderr for each in done]

    alone = refused()
    assert all(word in text for word, text in zip(("应为", "固定", "应为"), alone, strict=True))
    assert not [text for text in alone if re.search(r"[A-Za-z]{2,} [a-z]{2,}", text)]
    with running(environ):
        assert alone == refused()
        assert "expected 30s" in run("config", "set", "turns.seconds", "soon").stderr
