"""`clawdbot approval`: what waits for a yes, shown whole, and its answer."""

import click

from clawdbot.cli.output import Terminal, Verbs, json_option, moment
from clawdbot.cli.service import asked
from clawdbot.domain.approval import Verb
from clawdbot.gateway.control import Control

command = Verbs()


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
    """Show what waits for a yes, with everything that will run."""
    waiting = asked(terminal, Control.approvals)
    lines = [] if waiting else [terminal.say("Nothing waits for an answer.")]
    for each in waiting:
        about = terminal.say("{user}, until {time}", user=each.user, time=moment(each.until))
        lines += [f"{each.code}  {about}", *each.text.splitlines(), ""]
    terminal.tell("\n".join(lines), waiting)


@command.verb()
@click.argument("code")
@click.argument("verb", type=click.Choice([verb.value for verb in Verb]), metavar="yes|no|...")
def answer(terminal: Terminal, code: str, verb: str) -> None:
    """Answer what has a code: yes, no, conversation (these targets in it), always or never."""
    click.echo(asked(terminal, Control.answer, code, Verb(verb)))
