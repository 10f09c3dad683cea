"""`clawdbot skill`: looking at a skill, trusting it, and seeing it change."""

import json
from pathlib import Path

import pytest

from tests.fakes.command import scripted
from tests.integration.cli.conftest import Run
from tests.integration.tools.test_skills import TEXT


@pytest.fixture
def folder(home: Path) -> Path:
    scripted(home)
    folder = home / "skills" / "weekly-report"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "SKILL.md").write_text(TEXT + "\x1b[2J")
    return folder


def good(run: Run, *args: str) -> str:
    done = run("skill", *args)
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def test_a_skill_is_listed_shown_trusted_changed_and_removed(run: Run, folder: Path) -> None:
    about = "How the weekly report is written"
    assert f"weekly-report\tnot trusted\t{about}\n" == good(run, "list")
    shown = good(run, "show", "weekly-report")
    assert "Run scripts/sum.py first." in shown
    assert "\x1b" not in shown
    assert "weekly-report: trusted\n" in good(run, "trust", "weekly-report")
    [listed] = json.loads(good(run, "list", "--json"))
    assert ("trusted", "") == (listed["state"], listed["text"])
    (folder / "more.md").write_text("more")
    assert "changed, not trusted" in good(run, "list")
    good(run, "remove", "weekly-report")
    assert "" == good(run, "list")
    done = run("skill", "show", "weekly-report")
    assert (65, "") == (done.returncode, done.stdout)
    assert "There is no skill of that name." in done.stderr
