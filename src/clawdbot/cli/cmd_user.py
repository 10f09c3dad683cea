"""`clawdbot user`: who may talk to this assistant, and letting in who waits."""

import re
from datetime import UTC, datetime

import click
from msgspec.structs import replace

from clawdbot.cli.output import Terminal, json_option
from clawdbot.cli.service import asked
from clawdbot.domain.people import Level
from clawdbot.gateway.control import Admit, Control

_ID = re.compile(r"[0-9a-f]{64}")


@click.group()
def command() -> None:
    """List users and let strangers in."""


@command.command("list")
@json_option
@click.pass_obj
def listed(terminal: Terminal, as_json: bool) -> None:  # noqa: FBT001 - click's calling convention
    """List the users."""
    people = asked(terminal, Control.people)
    states = {False: terminal.say("active"), True: terminal.say("disabled")}
    rows = [(p.name, terminal.say(p.role), p.language, states[p.disabled]) for p in people]
    terminal.listing(("Name", "Role", "Language", "State"), rows, people if as_json else None)


@command.command()
@json_option
@click.pass_obj
def pairings(terminal: Terminal, as_json: bool) -> None:  # noqa: FBT001
    """List the strangers who wait to be let in."""
    waiting = asked(terminal, Control.knocking)
    rows = [(k.name, k.platform, _clock_time(k.expires_at), k.id) for k in waiting]
    terminal.listing(("Name", "Platform", "Until", "Id"), rows, waiting if as_json else None)


@command.command()
@click.argument("code")
@click.option(
    "--as", "as_user", default="", metavar="NAME", help="It is this user, who has a name."
)
@click.option(
    "--role",
    type=click.Choice([level for level in Level if level is not Level.OWNER]),
    default=Level.MEMBER,
    show_default=True,
    help="The role of the new user.",
)
@click.pass_obj
def pair(terminal: Terminal, code: str, as_user: str, role: str) -> None:
    """Let a stranger in by the code that they were shown (or the id in `pairings`)."""
    wish = replace(_stranger(code), as_user=as_user, role=Level(role))
    person = asked(terminal, Control.admit, wish)
    click.echo(terminal.say("{name} is let in.", name=person.name))


@command.command()
@click.argument("code")
@click.pass_obj
def refuse(terminal: Terminal, code: str) -> None:
    """Send a stranger away by their code (or the id in `pairings`); they are told once."""
    knock = asked(terminal, Control.refuse, _stranger(code))
    click.echo(terminal.say("{name} is not let in.", name=knock.name or code))


def _stranger(code: str) -> Admit:
    return Admit(id=code) if _ID.fullmatch(code) else Admit(code=code)


def _clock_time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%H:%M}"
