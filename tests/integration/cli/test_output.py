"""What commands write, from inside: nothing shown steers a terminal."""

import io
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from clawdbot.cli.main import main
from clawdbot.cli.output import Terminal

HEADINGS = ("Name", "Role")
ROWS = [("ev\x1b[2Jil\n\u202e", "guest"), ("张", "owner")]


@pytest.fixture
def terminal() -> Terminal:
    return Terminal(home=Path("/nowhere"), language="en", environ={"SECRET": "canary"})


def test_a_listing_is_one_line_a_row(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.listing(HEADINGS, ROWS, [1, "a"])
    assert "ev\\x1b[2Jil\\n\\u202e\tguest\n张\towner\n" == capsys.readouterr().out


def test_a_listing_is_json_where_asked(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(terminal, as_json=True).listing(HEADINGS, ROWS, [1, "a"])
    assert [1, "a"] == json.loads(capsys.readouterr().out)


def test_the_environment_shows_nowhere(terminal: Terminal) -> None:
    assert "canary" not in repr(terminal)
    assert not terminal.colour(io.StringIO())


def test_the_version_needs_no_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["clawdbot", "--version"])
    main()
    assert capsys.readouterr().out.startswith("clawdbot ")
