"""`clawdbot role`: made, changed, explained, removed; by the same hand as the page."""

import json

import pytest

from tests.fakes.command import scripted
from tests.integration.cli.conftest import Run


@pytest.fixture(autouse=True)
def owner(home, run: Run) -> None:
    scripted(home)
    assert 0 == run("setup", "--name", "Ada").returncode


def known(run: Run) -> dict[str, dict[str, object]]:
    return {role["name"]: role for role in json.loads(run("role", "list", "--json").stdout)}


def test_a_role_is_made_changed_explained_and_removed(run: Run) -> None:
    made = ("role", "set", "clerk", "--effect", "read", "--ask", "write", "--area", "people")
    done = run(*made)
    assert (0, "clerk\tread\twrite\t\t\tpeople\t0\n", "") == (
        done.returncode, done.stdout, done.stderr,
    )  # fmt: skip
    # What is not named stays.
    assert 0 == run("role", "set", "clerk", "--never", "note_add").returncode
    clerk = known(run)["clerk"]
    assert (["write"], ["people"], ["note_add"]) == (
        clerk["asks"], clerk["areas"], clerk["denied"],
    )  # fmt: skip
    rights = json.loads(run("role", "show", "clerk", "--json").stdout)
    (note,) = [each for each in rights if each["tool"] == "note_add"]
    assert ("deny", "clerk may not use note_add") == (
        note["clean"]["answer"],
        note["clean"]["rule"],
    )
    shown = run("role", "show", "clerk").stdout
    assert "note_add\twrite\town words\tdeny\tThe role clerk may not use note_add." in shown
    assert 0 == run("role", "set", "clerk", "--none", "--effect", "read").returncode
    assert ([], [], []) == tuple(known(run)["clerk"][key] for key in ("asks", "areas", "denied"))
    assert "Removed: clerk\n" == run("role", "remove", "clerk").stdout
    assert "clerk" not in known(run)


def test_what_was_made_changed_and_removed_is_told_as_json(run: Run) -> None:
    made = run("role", "set", "clerk", "--effect", "read", "--json")
    assert known(run)["clerk"] == json.loads(made.stdout)
    changed = json.loads(run("role", "set", "clerk", "--ask", "write", "--json").stdout)
    assert (["read"], ["write"]) == (changed["effects"], changed["asks"])
    assert changed == json.loads(run("role", "remove", "clerk", "--json").stdout)
    refused = run("role", "remove", "clerk", "--json")
    assert (65, "") == (refused.returncode, refused.stdout)


def test_what_may_not_be_is_told(run: Run) -> None:
    for args in (("set", "owner"), ("set", "x", "--tool", "no_such"), ("remove", "none")):
        done = run("role", *args)
        assert (65, "") == (done.returncode, done.stdout)
    assert 2 == run("role", "set", "x", "--effect", "magic").returncode
    assert 65 == run("role", "show", "none").returncode
