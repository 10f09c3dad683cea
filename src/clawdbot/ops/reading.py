"""The log, read back: its last lines that fit, from the newest backwards, and no more than asked.

A line stands in the file as it may be shown: masked, on one line, bounded (`lines.cleaned`).
"""

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from clawdbot.ops.lines import FILE, LEVELS, human, neutral

_BLOCK = 262_144
_READ_MOST = 16 * 1_048_576


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines: of this level at least, of a turn, of a plugin, with this text."""

    level: str = "debug"
    turn: str = ""
    plugin: str = ""
    text: str = ""
    most: Annotated[int, Meta(ge=1, le=1000)] = 200


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line for a person."""

    level: str
    text: str


class _Told(msgspec.Struct):
    level: str = ""
    turn: str = ""
    plugin: str = ""


class Reader:
    """The log of an installation."""

    def __init__(self, home: Path) -> None:
        """Read below the home folder."""
        self.home = home
        self._path = home / FILE

    async def lines(self, wanted: Wanted) -> list[Line]:
        """Read the last lines that fit, newest first."""
        return await asyncio.to_thread(lambda: list(self._found(wanted)))

    async def of_plugin(self, name: str, wanted: Wanted) -> list[Line]:
        """Read what a plugin printed, and how it failed."""
        return await self.lines(msgspec.structs.replace(wanted, plugin=name))

    def _found(self, wanted: Wanted) -> Iterator[Line]:
        return map(_line, last(self._path, wanted))


def last(path: Path, wanted: Wanted, within: int = _READ_MOST) -> Iterator[bytes]:
    """Give the last lines that fit, as they stand in the file, newest first."""
    return islice((raw for raw in _backwards(path, within) if fits(raw, wanted)), wanted.most)


def fits(raw: bytes, wanted: Wanted) -> bool:
    """Tell whether a line is wanted."""
    try:
        told = msgspec.json.decode(raw, type=_Told)
    except (msgspec.DecodeError, UnicodeError):
        told = _Told()
    known = told.level in LEVELS and wanted.level in LEVELS
    heavy = not known or LEVELS.index(told.level) >= LEVELS.index(wanted.level)
    theirs = wanted.turn in {"", told.turn} and wanted.plugin in {"", told.plugin}
    if not heavy or not theirs or not wanted.text:
        return heavy and theirs
    return wanted.text.lower() in written(raw).lower()


def written(raw: bytes, *, colour: bool = False) -> str:
    """Write a line for a person."""
    try:
        return human(msgspec.json.decode(raw, type=dict[str, object]), colour=colour)
    except (msgspec.DecodeError, UnicodeError):
        return neutral(raw.decode(errors="replace").rstrip("\n"))


def _line(raw: bytes) -> Line:
    try:
        level = msgspec.json.decode(raw, type=_Told).level
    except (msgspec.DecodeError, UnicodeError):
        level = ""
    return Line(level=level, text=written(raw))


def _backwards(path: Path, within: int) -> Iterator[bytes]:
    """Read lines from the end, in the files before this one too (`.1` is the newest)."""
    left, number, file = within, 0, path
    while left > 0 and file.exists():
        with file.open("rb") as lines:
            at, rest = lines.seek(0, 2), b""
            while at > 0 and left > 0:
                step = min(_BLOCK, at)
                at, left = at - step, left - step
                lines.seek(at)
                rest, *whole = (lines.read(step) + rest).split(b"\n")
                yield from filter(None, reversed(whole))
            if rest and not at:
                yield rest
        number += 1
        file = path.with_name(f"{path.name}.{number}")
