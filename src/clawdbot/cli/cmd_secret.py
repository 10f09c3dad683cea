"""`clawdbot secret`: keys and passwords, sealed, each for certain addresses; never shown again.

The text is typed unseen, or comes on standard input; it is never an argument.
"""

import sys

import click

from clawdbot.cli.output import Terminal, Verbs, json_option, moment
from clawdbot.cli.service import asked
from clawdbot.gateway.control import Control
from clawdbot.gateway.custody import Keep

command = Verbs()


@command.verb("set")
@click.argument("name")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="ADDRESS",
    help="A host or https:// address that it may be sent to; may be repeated.",
)
def put(terminal: Terminal, *, name: str, origins: tuple[str, ...]) -> None:
    """Set a secret; asks for its text, or reads it from standard input."""
    wish = Keep(name=name, text=_text(terminal), origins=origins)
    asked(terminal, Control.keep_secret, wish)
    click.echo(terminal.say("Sealed. Write it as secret://{name}.", name=name))
    if not origins:
        click.echo(terminal.say("It is bound to no address, so it is sent nowhere."))


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
    """List the secrets and the addresses that they are bound to."""
    found = asked(terminal, Control.secrets)
    rows = [(s.name, " ".join(s.origins), moment(s.rotated_at or s.created_at)) for s in found]
    terminal.listing(("Name", "Addresses", "Set"), rows, found)


@command.verb()
@click.argument("name")
def remove(terminal: Terminal, *, name: str) -> None:
    """Forget a secret."""
    asked(terminal, Control.forget_secret, Keep(name=name))
    click.echo(terminal.say("Removed."))


@command.verb()
@click.argument("name", default="")
def rotate(terminal: Terminal, *, name: str) -> None:
    """Give secret NAME a new text; without NAME, seal everything under a new master key."""
    wish = Keep(name=name, text=_text(terminal) if name else "")
    asked(terminal, Control.rotate_secret, wish)
    if name:
        click.echo(terminal.say("Sealed. A service that uses it takes it at its next restart."))
    else:
        click.echo(terminal.say("Everything is sealed under a new master key."))


def _text(terminal: Terminal) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(terminal.say("The secret"), hide_input=True))
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
