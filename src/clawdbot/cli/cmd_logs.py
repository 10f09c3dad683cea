"""`clawdbot logs`: the last events for people or as JSON, and those to come; needs no service."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import click
import msgspec

from clawdbot.cli.output import Terminal, json_option
from clawdbot.ops.lines import FILE, LEVELS, human, neutral

_PAUSE_S = 0.2


class _Line(msgspec.Struct):
    level: str = ""
    turn: str = ""
    plugin: str = ""


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many of the last lines.")
@click.option("--level", default="debug", type=click.Choice(LEVELS), help="The least level.")
@click.option("--turn", default="", help="Only what belongs to this turn.")
@click.option("--plugin", default="", help="Only what this plugin says.")
@json_option
@click.pass_obj
def command(
    terminal: Terminal,
    *,
    follow: bool,
    lines: int,
    level: str,
    turn: str,
    plugin: str,
    as_json: bool,
) -> None:
    """Read the log."""
    path = terminal.home / FILE
    colour = terminal.colour(sys.stdout)

    def wanted(line: bytes) -> bool:
        try:
            event = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError:
            return not turn and not plugin
        heavy = event.level not in LEVELS or LEVELS.index(event.level) >= LEVELS.index(level)
        return heavy and turn in {"", event.turn} and plugin in {"", event.plugin}

    for line in _last(path, max(lines, 0), wanted):
        click.echo(_shown(line, as_json=as_json, colour=colour))
    if follow:
        for line in filter(wanted, _coming(path)):
            click.echo(_shown(line, as_json=as_json, colour=colour))


def _last(path: Path, count: int, wanted: Callable[[bytes], bool]) -> list[bytes]:
    """Find the last wanted lines, in the files before this one too (`.1` is the newest)."""
    found: list[bytes] = []
    number, file = 0, path
    while len(found) < count and file.exists():
        with file.open("rb") as lines:
            found[:0] = deque(filter(wanted, lines), maxlen=count - len(found))
        number += 1
        file = path.with_name(f"{path.name}.{number}")
    return found


def _coming(path: Path) -> Iterator[bytes]:
    """Wait for whole lines from now on, also in the files that will follow this one."""
    seen = path.stat() if path.exists() else None
    at = seen.st_size if seen else 0
    pause = Event()
    while not pause.wait(_PAUSE_S):
        if not path.exists():
            continue
        with path.open("rb") as file:
            now = os.fstat(file.fileno())
            if seen and now.st_ino != seen.st_ino:
                yield from _rest(path.with_name(f"{path.name}.1"), at)
                at = 0
            seen = now
            file.seek(at)
            for line in file:
                if line.endswith(b"\n"):
                    at += len(line)
                    yield line


def _rest(path: Path, at: int) -> list[bytes]:
    with path.open("rb") as file:
        file.seek(at)
        return file.readlines()


def _shown(line: bytes, *, as_json: bool, colour: bool) -> str:
    text = line.decode(errors="replace").rstrip("\n")
    if as_json:
        return neutral(text)
    try:
        return human(msgspec.json.decode(text, type=dict[str, object]), colour=colour)
    except msgspec.DecodeError:
        return neutral(text)
