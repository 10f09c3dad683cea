"""`clawdbot token`: the owner's tokens for programs; a token's text is shown once."""

from typing import get_args

import click
import msgspec

from clawdbot.cli.output import Terminal, json_option, moment
from clawdbot.cli.service import asked
from clawdbot.gateway.logins import CHAT
from clawdbot.gateway.route import OWNER
from clawdbot.panel.clients import Clients, NewToken, Scope


@click.group()
def command() -> None:
    """Make, list and take back the owner's tokens for programs."""


@command.command("list")
@json_option
@click.pass_obj
def listed(terminal: Terminal, as_json: bool) -> None:  # noqa: FBT001 - click's calling convention
    """List the tokens."""
    found = [c for c in asked(terminal, Clients.mine, OWNER) if c.kind == "token"]
    rights = {False: terminal.say("all"), True: terminal.say("only reads")}
    rows = [
        (
            *(c.name, " ".join(c.scopes), rights[c.read_only]),
            *(moment(c.seen_at), moment(c.expires_at), c.id),
        )
        for c in found
    ]
    columns = ("Name", "Opens", "Rights", "Last seen", "Until", "Id")
    terminal.listing(columns, rows, found if as_json else None)


@command.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(get_args(Scope)),
    multiple=True,
    default=(CHAT,),
    show_default=True,
    help="What it opens; may be repeated.",
)
@click.option("--read-only", is_flag=True, help="It changes nothing.")
@click.option(
    "--days", default=90, type=click.IntRange(1, 3650), show_default=True, help="How long."
)
@json_option
@click.pass_obj
def new(
    terminal: Terminal,
    *,
    name: str,
    scopes: tuple[str, ...],
    read_only: bool,
    days: int,
    as_json: bool,
) -> None:
    """Make a token; its text is shown this once."""
    given = {"name": name, "scopes": scopes, "read_only": read_only, "days": days}
    token = asked(terminal, Clients.make_token, OWNER, msgspec.convert(given, NewToken))
    if as_json:
        terminal.json(token)
        return
    click.echo(token.token)
    click.echo(terminal.say("Keep it: it is not shown again."), err=True)


@command.command()
@click.argument("id", metavar="ID")
@click.pass_obj
def revoke(terminal: Terminal, id: str) -> None:  # noqa: A002 - the argument's name
    """Take a token back; it stops at once."""
    asked(terminal, Clients.end, OWNER, id)
    click.echo(terminal.say("Taken back: {count}", count=1))
