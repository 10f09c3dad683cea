"""`clawdbot channel`: an account on a platform, as `status` names it, rests or is taken away."""

import click

from clawdbot.cli.output import Terminal, Verbs, json_option
from clawdbot.cli.service import asked
from clawdbot.gateway.route import OWNER
from clawdbot.panel.channels import Channels

_ACCOUNT = "KIND/ACCOUNT"

command = Verbs()


@command.verb()
@click.argument("account", metavar=_ACCOUNT)
@json_option
def pause(terminal: Terminal, account: str) -> None:
    """Let an account rest: it neither receives nor sends; a running service starts anew."""
    kind, name = _named(account)
    asked(terminal, Channels.pause, OWNER, kind, name)
    _tell(terminal, terminal.say("Paused: {name}", name=account), account)


@command.verb()
@click.argument("account", metavar=_ACCOUNT)
@json_option
def resume(terminal: Terminal, account: str) -> None:
    """Let an account work again; a running service starts anew."""
    kind, name = _named(account)
    asked(terminal, Channels.resume, OWNER, kind, name)
    _tell(terminal, terminal.say("Resumed: {name}", name=account), account)


@command.verb()
@click.argument("account", metavar=_ACCOUNT)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def remove(terminal: Terminal, account: str, *, yes: bool) -> None:
    """Take an account away, with the key that nothing else names; a running service starts anew."""
    kind, name = _named(account)
    if not yes:
        click.confirm(terminal.say("Its key is forgotten, too. Remove?"), abort=True, err=True)
    asked(terminal, Channels.remove, OWNER, kind, name)
    _tell(terminal, terminal.say("Removed: {name}", name=account), account)


def _named(account: str) -> tuple[str, str]:
    kind, _, name = account.partition("/")
    return kind, name


def _tell(terminal: Terminal, text: str, account: str) -> None:
    kind, name = _named(account)
    terminal.tell(text, {"kind": kind, "account": name})
