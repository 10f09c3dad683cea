"""`clawdbot session`: where somebody is logged in, and how that ends."""

import json

import pytest

from tests.fakes.command import scripted
from tests.integration.cli.conftest import Run


@pytest.fixture(autouse=True)
def owner(home, run: Run) -> None:
    scripted(home)
    assert 0 == run("setup", "--name", "Ada").returncode


def test_log_ins_are_listed_and_ended(run: Run) -> None:
    kept = [json.loads(run("token", "new", name, "--json").stdout)["id"] for name in "abc"]
    found = json.loads(run("session", "list", "--json").stdout)
    assert sorted(kept) == sorted(each["id"] for each in found)
    assert found == json.loads(run("session", "list", "--user", "Ada", "--json").stdout)
    assert "Logged out.\n" == run("session", "end", kept[0]).stdout
    assert 65 == run("session", "end", kept[0]).returncode
    assert 0 == run("session", "end", kept[1], "--user", "Ada").returncode
    # Every browser; a token is ended by name, or with all of a user's.
    assert 0 == run("session", "end", "--all").returncode
    assert [kept[2]] == [e["id"] for e in json.loads(run("session", "list", "--json").stdout)]
    assert 0 == run("session", "end", "--all", "--user", "Ada").returncode
    assert "[]\n" == run("session", "list", "--json").stdout


def test_what_to_end_must_be_said(run: Run) -> None:
    assert 2 == run("session", "end").returncode
    assert 2 == run("session", "end", "x", "--all").returncode
    assert 65 == run("session", "list", "--user", "Nobody").returncode
