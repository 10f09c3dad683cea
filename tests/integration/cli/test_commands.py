"""What all commands share: version, help, languages, errors, exit codes, completion."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import clawdbot
from clawdbot.cli.commands import COMMANDS, Group
from clawdbot.cli.output import Terminal
from clawdbot.domain.text import say
from tests.fakes.command import fed, whole
from tests.integration.cli.conftest import Run

# What stays as it is in any language: names that one types, paths, codes.
TYPED = re.compile(
    r"`[^`]*`|'[^']*'|“[^”]*”|--?[a-z-]+|[A-Z_]{3,}|\b[a-z]+\.yaml\b|\ben\b|\bzh\b|\.env"
)


@pytest.fixture
def run(environ: dict[str, str], tmp_path: Path) -> Run:
    """Run `clawdbot ...` as a shell does, in an interpreter of its own."""
    return lambda *args, **more: whole(environ | more, "", *args, folder=tmp_path)


@pytest.mark.parametrize(
    "line", ["", "--help", "xyzzy", "config path", "--lang zh config show", "secret set", "status"]
)
def test_a_command_that_a_test_forks_is_told_apart_by_nothing(
    environ: dict[str, str], tmp_path: Path, line: str
) -> None:
    as_a_shell, forked = (
        start(environ, "a\nb\n", *line.split(), folder=tmp_path) for start in (whole, fed)
    )
    assert as_a_shell.stdout == forked.stdout
    assert as_a_shell.stderr == forked.stderr
    assert as_a_shell.returncode == forked.returncode


def test_the_version_tells_the_build_date(run: Run) -> None:
    for args in (["--version"], ["-V"], ["--lang", "zh", "--version"]):
        done = run(*args)
        expected = f"clawdbot {clawdbot.__version__} (built {clawdbot.BUILD_DATE})\n"
        assert (expected, "", 0) == (done.stdout, done.stderr, done.returncode)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", clawdbot.BUILD_DATE)


def test_the_version_costs_less_than_a_tenth_of_a_second(run: Run) -> None:
    def cpu(*command: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    bare = min(cpu("-c", "pass") for _ in range(3))
    assert 0.1 > min(cpu("-m", "clawdbot", "--version") for _ in range(3)) - bare


def test_the_help_lists_commands_and_exit_codes_without_importing_any(run: Run) -> None:
    done = run("--help", PYTHONVERBOSE="1")
    assert 0 == done.returncode
    for name, text in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text[:20])}", done.stdout, re.MULTILINE)
    assert re.search(r"^  78 +The settings are not valid", done.stdout, re.MULTILINE)
    assert "clawdbot.cli.cmd_" not in done.stderr
    assert "structlog" not in done.stderr


def test_an_unknown_command_names_the_nearest(run: Run) -> None:
    done = run("conifg")
    assert 2 == done.returncode
    assert "There is no command conifg. Did you mean config?" in done.stderr
    assert "Did you mean" not in run("xyzzy").stderr
    assert "\x1b" not in run("\x1b[31m").stderr


@pytest.mark.parametrize(
    "args", [(), ("--nonsense",), ("config", "chek"), ("--lang", "xx", "config")]
)
def test_a_wrong_command_line_is_no_stack_trace(args: tuple[str, ...], run: Run) -> None:
    done = run(*args)
    assert (2, "") == (done.returncode, done.stdout)
    assert "Usage: clawdbot" in done.stderr
    assert "Traceback" not in done.stderr


FAULT = """
import clawdbot.app.sections
class Broken(dict):
    def __contains__(self, kind):
        local_value = "local-value"
        raise RuntimeError("fault with canary-5f1e")
clawdbot.app.sections.SECTIONS = Broken()
"""


def test_a_fault_of_ours_is_one_sentence_and_a_trace_in_the_log(run: Run, home: Path) -> None:
    (home / ".env").write_text("A=canary-5f1e\n")
    (home / "clawdbot.yaml").write_text("channels: {x: {}}")
    (home / "sitecustomize.py").write_text(FAULT)
    done = run("config", "check", PYTHONPATH=f"{home}:{Path(clawdbot.__file__).parents[1]}")
    assert (1, "") == (done.returncode, done.stdout)
    assert "Error: Something went wrong. See the log with `clawdbot logs`.\n" == done.stderr
    shown = run("logs").stdout
    assert "RuntimeError: fault with ****\n" in shown
    assert "__contains__" in shown
    assert "local-value" not in shown


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("config", "--help"),
        ("config", "show", "--help"),
        ("logs", "--help"),
        ("completion", "--help"),
        ("conifg",),
        ("config", "chek"),
        ("--nonsense",),
        ("logs", "--level", "loud"),
        ("logs", "extra"),
        ("config", "check"),
    ],
)
def test_a_chinese_user_reads_chinese(args: tuple[str, ...], run: Run, home: Path) -> None:
    (home / "clawdbot.yaml").write_text("gatway: {}\nlogs: {level: 1}\n")
    for done in (run("--lang", "zh", *args), run(*args, LC_ALL="zh_CN.UTF-8")):
        text = TYPED.sub("", done.stdout + done.stderr)
        assert set() == set(re.findall(r"[A-Za-z]{2,}", text)) - set(COMMANDS) - KNOWN, text


KNOWN = {
    "clawdbot", "check", "show", "set", "path", "chek", "conifg", "extra", "loud", "bash", "zsh",
    "fish",
    "debug", "info", "warning", "error", "critical", "JSON", "gatway", "gateway", "level",
    "nonsense", "timeout", "protocol", "net", "ca", "file", "shell", "DNS", "Telegram", "test",
}  # fmt: skip


def test_the_settings_language_is_the_users_and_an_option_wins(run: Run, home: Path) -> None:
    (home / "clawdbot.yaml").write_text("language: zh")
    assert "用法" in run("--help").stdout
    assert "Usage" in run("--lang", "en", "--help", LC_ALL="zh_CN.UTF-8").stdout
    assert "Usage" in run("--lang=en", "config", "--help").stdout


def test_the_table_says_what_the_commands_say() -> None:
    for name, text in COMMANDS.items():
        assert text == _command(name).help


def test_every_help_text_is_translated() -> None:
    texts = [text for name in COMMANDS for text in _texts(_command(name))]
    assert [] == [text for text in texts if text == say("zh", text)]


def test_the_catalogue_of_the_library_is_compiled() -> None:
    folder = Path(clawdbot.__file__).parent / "locale/zh_CN/LC_MESSAGES"
    with (folder / "click.po").open("rb") as source, (folder / "click.mo").open("rb") as compiled:
        want, have = (
            {str(list(m.id)): list(m.string or "") for m in catalogue if m.id}
            for catalogue in (read_po(source), read_mo(compiled))
        )
    assert want == have


def test_home_is_an_option_too(run: Run, tmp_path: Path) -> None:
    assert f"{tmp_path}/x\n" == run("--home", f"{tmp_path}/x", "config", "path").stdout
    assert f"{tmp_path}/.clawdbot\n" == run("config", "path", CLAWDBOT_HOME="").stdout


def test_a_reader_who_leaves_is_told_nothing(environ: dict[str, str]) -> None:
    command = f"{sys.executable} -m clawdbot config show | true"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, env=environ, text=True
    )
    assert ("", "") == (done.stdout, done.stderr)


def _command(name: str) -> click.Command:
    group = Group(Terminal(home=Path("/nowhere"), language="en", environ={}))
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


def _texts(command: click.Command) -> list[str]:
    texts = [command.help or ""]
    options = [each for each in command.params if isinstance(each, click.Option)]
    texts += [each.help or "" for each in options if not each.hidden]
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        texts += _texts(below)
    return texts
