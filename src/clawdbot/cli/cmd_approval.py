"""`clawdbot approval`: what waits for a yes, shown whole, and its answer."""

from datetime import UTC, datetime

import click

from clawdbot.cli.output import Terminal, json_option
from clawdbot.cli.service import asked
from clawdbot.domain.approval import Verb
from clawdbot.gateway.control import Control
from clawdbot.ops.lines import neutral


@click.group()
def command() -> None:
    """List what waits for a yes, and answer."""


@command.command("list")
@json_option
@click.pass_obj
def listed(terminal: Terminal, as_json: bool) -> None:  # noqa: FBT001 - click's calling convention
    """Show what waits for a yes, with everything that will run."""
    waiting = asked(terminal, Control.approvals)
    if as_json:
        terminal.json(waiting)
        return
    if not waiting:
        click.echo(terminal.say("Nothing waits for an answer."))
    for each in waiting:
        until = f"{datetime.fromtimestamp(each.until, UTC).astimezone():%Y-%m-%d %H:%M}"
        about = terminal.say("{user}, until {time}", user=each.user, time=until)
        lines = (f"{each.code}  {about}", *each.text.splitlines())
        click.echo("\n".join(map(neutral, lines)) + "\n")


@command.command()
@click.argument("code")
@click.argument("verb", type=click.Choice([verb.value for verb in Verb]), metavar="yes|no|...")
@click.pass_obj
def answer(terminal: Terminal, code: str, verb: str) -> None:
    """Answer what has a code: yes, no, conversation (these targets in it), always or never."""
    click.echo(asked(terminal, Control.answer, code, Verb(verb)))
