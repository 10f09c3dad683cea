"""`clawdbot skill`: what the assistant was taught, and whether it may use it."""

import click

from clawdbot.cli.cmd_plugin import echo, word_of
from clawdbot.cli.output import Terminal, json_option
from clawdbot.cli.service import asked
from clawdbot.tools.skills import Shown, Skills


@click.group()
def command() -> None:
    """List, show, trust and remove skills."""


@command.command("list")
@json_option
@click.pass_obj
def listed(terminal: Terminal, as_json: bool) -> None:  # noqa: FBT001 - click's calling convention
    """List the skills that are there, and whether they may be used."""
    found = asked(terminal, Skills.listed)
    rows = [(s.name, word_of(terminal, s.state), s.problem or s.description) for s in found]
    terminal.listing(("Name", "State", "Description"), rows, found if as_json else None)


@command.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(terminal: Terminal, name: str, as_json: bool) -> None:  # noqa: FBT001
    """Show a skill's files, and its text."""
    shown = asked(terminal, Skills.shown, name)
    if as_json:
        terminal.json(shown)
    else:
        _tell(terminal, shown)
        echo(shown.text)


@command.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def trust(terminal: Terminal, names: tuple[str, ...]) -> None:
    """Let skills be used, exactly as they are now."""
    for name in names:
        _tell(terminal, asked(terminal, Skills.trust, name))


@command.command()
@click.argument("name")
@click.pass_obj
def remove(terminal: Terminal, name: str) -> None:
    """Remove a skill, its files, and the decision on it."""
    asked(terminal, Skills.remove, name)
    click.echo(terminal.say("Removed: {name}", name=name))


def _tell(terminal: Terminal, shown: Shown) -> None:
    lines = [f"{shown.name}: {word_of(terminal, shown.state)}", f"  sha256 {shown.hash}"]
    echo("\n".join([*lines, f"  {shown.problem or shown.description}", *shown.files]))
