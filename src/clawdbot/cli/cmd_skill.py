"""`clawdbot skill`: what the assistant was taught, and whether it may use it."""

import click

from clawdbot.cli.cmd_plugin import word_of
from clawdbot.cli.output import Terminal, Verbs, json_option
from clawdbot.cli.service import asked
from clawdbot.tools.skills import Shown, Skills

command = Verbs()


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
    """List the skills that are there, and whether they may be used."""
    found = asked(terminal, Skills.listed)
    rows = [(s.name, word_of(terminal, s.state), s.problem or s.description) for s in found]
    terminal.listing(("Name", "State", "Description"), rows, found)


@command.verb()
@click.argument("name")
@json_option
def show(terminal: Terminal, name: str) -> None:
    """Show a skill's files, and its text."""
    shown = asked(terminal, Skills.shown, name)
    terminal.tell("\n".join((*_lines(terminal, shown), shown.text)), shown)


@command.verb()
@click.argument("names", nargs=-1, required=True)
def trust(terminal: Terminal, names: tuple[str, ...]) -> None:
    """Let skills be used, exactly as they are now."""
    for name in names:
        terminal.write("\n".join(_lines(terminal, asked(terminal, Skills.trust, name))))


@command.verb()
@click.argument("name")
def remove(terminal: Terminal, name: str) -> None:
    """Remove a skill, its files, and the decision on it."""
    asked(terminal, Skills.remove, name)
    click.echo(terminal.say("Removed: {name}", name=name))


def _lines(terminal: Terminal, shown: Shown) -> tuple[str, ...]:
    state, about = word_of(terminal, shown.state), shown.problem or shown.description
    return (f"{shown.name}: {state}", f"  sha256 {shown.hash}", f"  {about}", *shown.files)
