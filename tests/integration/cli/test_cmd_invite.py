"""`clawdbot invite`: a link that is good once, listed and taken back."""

import json
import re

import pytest

from tests.fakes.command import running, scripted
from tests.integration.cli.conftest import Run


@pytest.fixture(autouse=True)
def owner(home, run: Run) -> None:
    scripted(home)
    assert 0 == run("setup", "--name", "Ada").returncode


def test_an_invitation_is_made_listed_and_taken_back(run: Run, environ: dict[str, str]) -> None:
    with running(environ):
        link = run("invite", "new", "Bob", "--role", "guest", "--days", "1").stdout
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/join#[\w-]{32}/Bob\n", link)
        assert link not in run("invite", "list", "--json").stdout
    (kept,) = json.loads(run("invite", "list", "--json").stdout)
    assert ("Bob", "guest", "Ada", "") == (kept["name"], kept["role"], kept["by"], kept["path"])
    assert ["Bob", "guest", "Ada"] == run("invite", "list").stdout.split("\t")[:3]
    again = json.loads(run("invite", "new", "--user", "Ada", "--json").stdout)
    assert {"id", "link", "expires_at"} == again.keys()
    for each in (kept["id"], again["id"]):
        assert 0 == run("invite", "revoke", each).returncode
        assert 65 == run("invite", "revoke", each).returncode
    assert "[]\n" == run("invite", "list", "--json").stdout


def test_what_cannot_be_invited_is_told(run: Run) -> None:
    assert 65 == run("invite", "new", "Ada").returncode
    assert 65 == run("invite", "new", "Bob", "--role", "emperor").returncode
    assert 65 == run("invite", "new", "--user", "Nobody").returncode
    assert 2 == run("invite", "new", "Bob", "--days", "0").returncode
