"""`clawdbot approval`, and a question in `clawdbot chat`: shown whole, answered in words."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.command import shown
from tests.fakes.serving import ROOT
from tests.integration.cli.conftest import Run

SETTINGS = """\
gateway: {port: 0}
providers: {model: {protocol: scripted, script: SCRIPT}}
model_routing: {default: {provider: model}}
"""
SCRIPT = """\
- {when: rent, calls: [{tool: pay, arguments: {to: landlord, amount: 900}}]}
- {when: odd, calls: [{tool: pay, arguments: {to: "a\\e[2Jb\\u202ec", amount: 1}}]}
"""


@pytest.fixture(autouse=True)
def service(home: Path, environ: dict[str, str]) -> Iterator[None]:
    """Run a service with a bank among its tools."""
    (home / "script.yaml").write_text(SCRIPT)
    (home / "clawdbot.yaml").write_text(SETTINGS.replace("SCRIPT", str(home / "script.yaml")))
    command = (sys.executable, "-m", "tests.journey.bank", "--home", str(home), "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert b"http://" in process.stdout.readline()
        yield
        process.terminate()


def paid(home: Path) -> list[str]:
    file = home / "paid"
    return file.read_text().splitlines() if file.exists() else []


def test_one_question_says_what_waits_and_how_to_answer(run: Run, home: Path) -> None:
    assert "" == run("approval", "list").stdout.replace("Nothing waits for an answer.\n", "")
    done = run("chat", "pay the rent")
    assert (80, "") == (done.returncode, done.stdout)
    assert '{"amount":900,"purpose":"","to":"landlord"}' in done.stderr
    [waiting] = json.loads(run("approval", "list", "--json").stdout)
    code = waiting["code"]
    assert f"Answer YES {code} or NO {code}." in done.stderr
    assert f"clawdbot approval answer {code} yes" in done.stderr
    listed = run("approval", "list").stdout
    assert '{"amount":900,"purpose":"","to":"landlord"}' in listed
    assert code in listed
    status = json.loads(run("status", "--json").stdout)
    assert (1, True) == (status["approvals"], status["oldest_approval_s"] > 0)
    assert "Approvals" in run("status").stdout
    assert [] == paid(home)
    wrong = run("approval", "answer", f"{(int(code) + 1) % 10000:04}", "yes")
    assert (65, "Error: Nothing waits for this answer.\n") == (wrong.returncode, wrong.stderr)
    assert 2 == run("approval", "answer", code, "maybe").returncode
    answered = run("approval", "answer", code, "yes")
    assert (0, "Allowed.\n") == (answered.returncode, answered.stdout)
    assert 65 == run("approval", "answer", code, "yes").returncode
    # The next words come after what was allowed.
    assert "echo: hello\n" == run("chat", "hello").stdout
    assert ["900 landlord"] == paid(home)


def test_a_conversation_asks_and_takes_the_answer(environ: dict[str, str], home: Path) -> None:
    with shown(environ, "chat") as screen:
        screen.wait_for("Ctrl-D leaves.")
        screen.type("pay the rent\r")
        screen.wait_for('"to":"landlord"}')
        screen.wait_for("Answer YES ")
        screen.type("no\r")
        screen.wait_for("Not done.")
        screen.wait_for("The user said no.")
        assert [] == paid(home)
        screen.type("pay the rent\r")
        screen.wait_for("Answer YES ")
        screen.type("yes\r")
        screen.wait_for("paid 900 to landlord")
        assert ["900 landlord"] == paid(home)
        screen.type("pay the rent\r")
        screen.wait_for("Answer YES ")
        screen.wait_for(">")
        screen.type("\x04")
        assert 0 == screen.end()
    with shown(environ, "chat") as screen:
        # What waits is shown again to whoever comes back.
        screen.wait_for("Answer YES ")
        code = screen.wait_for(" or NO ")
        # It came while somebody may have been typing: a mere yes could mean another.
        screen.type("always\r")
        screen.wait_for("Answer with the code that the question shows")
        screen.type(f"yes {code} always\r")
        screen.wait_for("paid 900 to landlord")
        screen.type("pay the rent\r")
        screen.wait_for("paid 900 to landlord")
        screen.wait_for(">")
        screen.type("\x04")
        assert 0 == screen.end()
    assert 3 == len(paid(home))


def test_a_question_cannot_steer_the_terminal(run: Run) -> None:
    done = run("chat", "odd")
    assert 80 == done.returncode
    for text in (done.stderr, run("approval", "list").stdout):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\u202e" in text


def test_a_chinese_owner_reads_chinese(run: Run) -> None:
    done = run("--lang", "zh", "chat", "rent", LANG="zh_CN.UTF-8")
    assert 80 == done.returncode
    assert "clawdbot approval answer" in done.stderr
    assert "Or run" not in done.stderr
    assert "until" not in run("--lang", "zh", "approval", "list").stdout


def test_what_is_refused_for_good_stays_refused_until_it_is_taken_back(
    run: Run, home: Path
) -> None:
    assert 80 == run("chat", "pay the rent").returncode
    [waiting] = json.loads(run("approval", "list", "--json").stdout)
    answered = run("approval", "answer", waiting["code"], "never")
    assert (0, "Not done, and refused from now on.\n") == (answered.returncode, answered.stdout)
    again = run("chat", "pay the rent")
    assert 0 == again.returncode
    assert "never" in again.stdout
    [kept] = json.loads(run("plugin", "grant", "--json").stdout)
    assert ("pay", True, None) == (kept["tool"], kept["never"], kept["expires_at"])
    assert run("plugin", "grant").stdout.rstrip().endswith("\tnever")
    assert 0 == run("plugin", "revoke", kept["id"]).returncode
    assert 80 == run("chat", "pay the rent").returncode
    # For everybody, wherever the money goes: it beats a yes, and ends.
    given = ("plugin", "grant", "pay", "--where", "to=landlord", "--where", "amount=*")
    assert 0 == run(*given).returncode
    assert 0 == run("plugin", "grant", "pay", "--never", "--for", "1h").returncode
    assert "never" in run("chat", "pay the rent").stdout
    assert [] == paid(home)
