"""`clawdbot token`: shown once, good for what it names, and for nothing once it is taken back."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.fakes.command import running, scripted
from tests.integration.cli.conftest import Run


@pytest.fixture(autouse=True)
def owner(home: Path, run: Run) -> None:
    scripted(home)
    assert 0 == run("setup", "--name", "Ada").returncode


def asked(address: str, path: str, token: str) -> int:
    """Ask the API with a token, and give the status."""
    request = urllib.request.Request(
        f"{address}/api/v1{path}", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_token_opens_what_it_names_until_it_is_taken_back(
    run: Run, environ: dict[str, str], home: Path
) -> None:
    with running(environ):
        made = run("token", "new", "ci", "--scope", "overview", "--scope", "logs", "--read-only")
        token = made.stdout.strip()
        assert (0, "Keep it: it is not shown again.\n") == (made.returncode, made.stderr)
        address = json.loads(run("status", "--json").stdout)["address"]
        assert [200, 200, 403] == [
            asked(address, path, token) for path in ("/overview", "/logs", "/people")
        ]
        (kept,) = json.loads(run("token", "list", "--json").stdout)
        assert ("ci", ["logs", "overview"], True) == (
            kept["name"], kept["scopes"], kept["read_only"],
        )  # fmt: skip
        assert ["ci", "logs overview", "only reads"] == run("token", "list").stdout.split("\t")[:3]
        assert 0 == run("token", "revoke", kept["id"]).returncode
        assert 401 == asked(address, "/overview", token)
    assert "" == run("token", "list").stdout
    assert token.encode() not in (home / "data/clawdbot.db").read_bytes()


def test_what_is_no_token_is_told(run: Run) -> None:
    assert 2 == run("token", "new", "ci", "--scope", "everything").returncode
    assert 65 == run("token", "revoke", "none").returncode
    made = json.loads(run("token", "new", "ci", "--json").stdout)
    assert made["token"].startswith("cb_")
