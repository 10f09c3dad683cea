"""`clawdbot logs`: the last events for people or as JSON, and those to come; needs no service."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import click
import msgspec

from clawdbot.cli.output import Terminal, json_option
from clawdbot.ops.lines import FILE, LEVELS, neutral
from clawdbot.ops.reading import Wanted, fits, last, written

_PAUSE_S = 0.2


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many of the last lines.")
@click.option("--level", default="debug", type=click.Choice(LEVELS), help="The least level.")
@click.option("--turn", default="", help="Only what belongs to this turn.")
@click.option("--plugin", default="", help="Only what this plugin says.")
@click.option("--text", default="", help="Only with this text.")
@json_option
@click.pass_obj
def command(terminal: Terminal, /, *, follow: bool, lines: int, **which: str) -> None:
    """Read the log."""
    path = terminal.home / FILE
    wanted = msgspec.structs.replace(Wanted(most=max(lines, 0)), **which)
    for line in reversed(list(last(path, wanted, within=sys.maxsize))):
        click.echo(_shown(terminal, line))
    if follow:
        for line in (line for line in _coming(path) if fits(line, wanted)):
            click.echo(_shown(terminal, line))


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


def _shown(terminal: Terminal, line: bytes) -> str:
    if terminal.as_json:
        return neutral(line.decode(errors="replace").rstrip("\n"))
    return written(line, colour=terminal.colour(sys.stdout))
