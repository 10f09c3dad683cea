"""What a command is given and how it shows things: words in the user's language, lists, JSON.

Lists are tables on a terminal, tab-separated lines elsewhere; no value can steer the terminal.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TextIO

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clawdbot.config import load
from clawdbot.domain.errors import Failure
from clawdbot.domain.text import say
from clawdbot.ops.lines import neutral

if TYPE_CHECKING:
    from clawdbot.panel.roles import Explained


P = ParamSpec("P")


class Terminal(Struct, frozen=True, kw_only=True):
    """The place a command runs in."""

    home: Path
    language: str
    environ: Mapping[str, str]
    as_json: bool = False

    def __repr__(self) -> str:
        """Show no secret: the environment may hold some."""
        return f"Terminal({self.home})"

    def unsealed(self) -> load.Loaded:
        """Read the settings and open the secrets in them; raises SettingsInvalid."""
        from clawdbot.app.unseal import unsealed

        return unsealed(self.load())

    def load(self) -> load.Loaded:
        """Read the settings; raises SettingsInvalid."""
        from clawdbot.app.sections import SECTIONS

        return load.load(self.home, self.environ, SECTIONS)

    def say(self, english: str, /, **values: object) -> str:
        """Give a sentence in the user's language."""
        return say(self.language, english, **values)

    def colour(self, stream: TextIO) -> bool:
        """Tell whether colours are welcome there."""
        return stream.isatty() and not self.environ.get("NO_COLOR")

    def json(self, value: object) -> None:
        """Write a value as JSON."""
        text = msgspec.json.format(msgspec.json.encode(value)).decode()
        if any(neutral(line) != line for line in text.split("\n")):
            text = json.dumps(msgspec.json.decode(text), indent=2)  # ASCII: nothing steers
        click.echo(text)

    def write(self, text: str) -> None:
        """Write lines."""
        for line in text.split("\n"):
            click.echo(neutral(line))

    def tell(self, text: str, value: object) -> None:
        """Write lines, or a value as JSON where that is wanted."""
        if self.as_json:
            self.json(value)
        else:
            self.write(text)

    def failure(self, error: Failure, value: object) -> Exception:
        """Give what to raise for a failure; where JSON is wanted, a value is all that is told."""
        if not self.as_json:
            return error
        self.json(value)
        return click.exceptions.Exit(error.exit_code)

    def listing(
        self, headings: Sequence[str], rows: Iterable[Iterable[str]], value: object
    ) -> None:
        """Write rows under headings (in English), or a value as JSON where that is wanted."""
        if self.as_json:
            self.json(value)
            return
        cells = [[neutral(cell) for cell in row] for row in rows]
        if not sys.stdout.isatty():
            for row in cells:
                click.echo("\t".join(row))
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*map(self.say, headings), box=None)
        for row in cells:
            table.add_row(*map(Text, row))
        Console(color_system="auto" if self.colour(sys.stdout) else None).print(table)


class Verbs(click.Group):
    """A command of several, each of which is given the terminal first; its help is the table's."""

    def verb(
        self, name: str | None = None
    ) -> Callable[[Callable[Concatenate[Terminal, P], int | None]], click.Command]:
        """Make a function one of them, under its own name if it is given no other."""

        def made(act: Callable[Concatenate[Terminal, P], int | None]) -> click.Command:
            return self.command(name)(click.pass_obj(act))

        return made


def _choose_json(context: click.Context, _: click.Parameter, wanted: object) -> None:
    if wanted:
        context.obj = replace(context.obj, as_json=True)


json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_choose_json, help="Write JSON."
)


def moment(at: float) -> str:
    """Write a time as this machine's clock shows it; empty for never."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M}" if at else ""


def explained(terminal: Terminal, rights: "list[Explained]") -> None:
    """Write what the policy answers, tool by tool: of words of one's own, and beside others'."""
    rows = [
        (
            each.tool,
            each.effect,
            terminal.say(when),
            told.answer,
            " ".join((told.reason, *told.trace)),
        )
        for each in rights
        for when, told in (("own words", each.clean), ("others' in sight", each.tainted))
    ]
    columns = ("Tool", "Effect", "Turn", "Answer", "Why")
    terminal.listing(columns, rows, rights)
