"""`clawdbot logs`: the end of the log, what is wanted of it, and what comes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clawdbot.ops.lines import FILE
from tests.integration.cli.conftest import Run
from tests.patience import PATIENCE_S


@pytest.fixture
def log(home: Path) -> Path:
    path = home / FILE
    path.parent.mkdir()
    path.write_text("".join(_line(n) for n in range(100)))
    return path


def test_the_last_lines_are_shown_for_people(run: Run, log: Path) -> None:
    done = run("logs", "-n", "2")
    assert 0 == done.returncode
    expected = [
        "2026-11-22 10:00:00 warning  event 98 turn=T0",
        "2026-11-22 10:00:00 error    event 99 turn=T1",
    ]
    assert expected == done.stdout.splitlines()
    assert 50 == len(run("logs").stdout.splitlines())
    assert "" == run("logs", "-n", "0").stdout


def test_lines_are_chosen_by_level_and_turn(run: Run, log: Path) -> None:
    shown = run("logs", "--level", "error", "-n", "3", "--json").stdout.splitlines()
    assert ["event 95", "event 97", "event 99"] == [json.loads(line)["event"] for line in shown]
    assert "event 98" in run("logs", "--turn", "T0", "-n", "1").stdout
    assert "" == run("logs", "--turn", "T9").stdout
    found = run("logs", "--text", "EVENT 4", "--level", "error").stdout.splitlines()
    assert ["41", "43", "45", "47", "49"] == [line.split()[4] for line in found]


def test_older_files_are_read_where_the_newest_is_too_short(run: Run, log: Path) -> None:
    log.rename(log.with_name("clawdbot.log.1"))
    log.write_text(_line(100))
    shown = run("logs", "-n", "3").stdout
    assert ["98", "99", "100"] == [line.split()[4] for line in shown.splitlines()]


def test_without_a_log_there_is_nothing_to_show(run: Run) -> None:
    done = run("logs")
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_a_forged_or_broken_line_steers_nothing(run: Run, log: Path) -> None:
    forged = {"level": "info", "event": "a\x1b[2J\nb", "k\x9b": "\u202e", "exception": "no list"}
    log.write_bytes(
        b"\x1b]0;x\x07\xff not json\n{}\n[1]\n" + json.dumps(forged).encode() + b'\n{"event": "cut'
    )
    for args in ([], ["--json"]):
        done = run("logs", *args)
        assert (0, "") == (done.returncode, done.stderr)
        assert {"\n"} >= {c for c in done.stdout if ord(c) < 32 or 0x7F <= ord(c) < 0xA0}
        assert 5 == done.stdout.count("\n")


def test_what_comes_is_shown_also_after_the_file_was_replaced(
    environ: dict[str, str], log: Path
) -> None:
    with _following(environ, "-n", "1", "--level", "error") as shown:
        assert "event 99" in next(shown)
        with log.open("a") as file:
            file.write(_line(101)[:20])
            file.flush()
            file.write(_line(101)[20:] + _line(102))
        assert "event 101" in next(shown)
        with log.open("a") as file:
            file.write(_line(103))
        log.rename(log.with_name("clawdbot.log.1"))
        log.write_text(_line(104) + _line(105))
        assert "event 103" in next(shown)
        assert "event 105" in next(shown)


def test_a_log_that_does_not_exist_yet_can_be_followed(environ: dict[str, str], home: Path) -> None:
    with _following(environ) as shown:
        (home / FILE).parent.mkdir()
        (home / FILE).write_text(_line(1))
        assert "event 1" in next(shown)


def _line(number: int) -> str:
    level = "error" if number % 2 else "warning"
    event = {
        "at": "2026-11-22T10:00:00.000000Z",
        "level": level,
        "event": f"event {number}",
        "turn": f"T{number % 2}",
    }
    return json.dumps(event) + "\n"


@contextmanager
def _following(environ: dict[str, str], *args: str) -> Iterator[Iterator[str]]:
    """Follow the log; the lines come as they are shown, each within ten seconds."""
    command = [sys.executable, "-u", "-m", "clawdbot", "logs", "-f", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as child:
        try:
            yield _lines(child)
        finally:
            child.kill()


def _lines(child: subprocess.Popen[bytes]) -> Iterator[str]:
    assert child.stdout
    os.set_blocking(child.stdout.fileno(), False)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if line := child.stdout.readline():
            yield line.decode()
            end = time.monotonic() + PATIENCE_S
    raise TimeoutError
