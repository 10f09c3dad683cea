"""What the guides show works as shown: each plugin is written and tested, each command runs."""

import re
import shlex
from pathlib import Path

import pytest

from tests.fakes.command import scripted
from tests.integration.cli.conftest import Run, environ, home, run

__all__ = ["environ", "home", "run"]

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"


def blocks(name: str) -> list[tuple[str, str]]:
    return re.findall(r"```(\w+)\n(.*?)```", (GUIDES / name).read_text("utf-8"), re.DOTALL)


def test_the_guide_to_plugins_works(run: Run, home: Path) -> None:
    scripted(home)
    folder = home / "plugins"
    folder.mkdir(mode=0o700)
    printed = ""
    for kind, text in blocks("plugins.md"):
        if kind == "python":
            name = text.split("\n")[0].removeprefix("# ")
            (folder / name).write_text(text)
        for line in text.splitlines() if kind == "console" else []:
            done = run(*shlex.split(line.removeprefix("$ clawdbot ")))
            assert (0, "") == (done.returncode, done.stderr), line
            printed += done.stdout
    assert '"counted": 2' in printed
    assert "counted: 4" in printed
    assert 0 == run("plugin", "trust", "upper").returncode


def test_the_guide_to_tools_works(run: Run, home: Path) -> None:
    scripted(home)
    found = dict(blocks("tools.md"))
    with (home / "clawdbot.yaml").open("a") as file:
        file.writelines(text for kind, text in blocks("tools.md") if kind == "yaml")
    assert "there is no secret wiki" in run("config", "check").stdout + run("start").stderr
    scripted(home)
    folder = home / "skills" / "weekly-report"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "SKILL.md").write_text(found["markdown"])
    for line in found["console"].splitlines():
        assert 0 == run(*shlex.split(line.removeprefix("$ clawdbot "))).returncode
    assert "weekly-report\ttrusted\t" in run("skill", "list").stdout


@pytest.mark.parametrize("name", ["plugins", "tools"])
def test_both_languages_show_the_same_code(name: str) -> None:
    names = (f"{name}.md", f"{name}.zh-CN.md")
    english, chinese = ([b for b in blocks(n) if b[0] != "sh"] for n in names)
    assert english == chinese


def test_every_example_passes_its_own_tests(run: Run, home: Path) -> None:
    scripted(home)
    (home / "plugins").mkdir(mode=0o700)
    names = sorted(path.stem for path in EXAMPLES.glob("[!t]*.py"))
    assert names
    for path in EXAMPLES.glob("*.py"):
        (home / "plugins" / path.name).write_bytes(path.read_bytes())
    for name in names:
        done = run("plugin", "test", name)
        assert 0 == done.returncode, done.stdout + done.stderr
        assert 0 == run("plugin", "trust", name).returncode
