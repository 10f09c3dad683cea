"""`clawdbot token`: the owner's tokens for programs; a token's text is shown once."""

from typing import get_args

import click
import msgspec

from clawdbot.cli.output import Terminal, Verbs, json_option, moment
from clawdbot.cli.service import asked
from clawdbot.gateway.logins import CHAT
from clawdbot.gateway.route import OWNER
from clawdbot.panel.clients import Clients, NewToken, Scope

command = Verbs()


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
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
    terminal.listing(columns, rows, found)


@command.verb()
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
def new(
    terminal: Terminal,
    *,
    name: str,
    scopes: tuple[str, ...],
    read_only: bool,
    days: int,
) -> None:
    """Make a token; its text is shown this once."""
    given = {"name": name, "scopes": scopes, "read_only": read_only, "days": days}
    token = asked(terminal, Clients.make_token, OWNER, msgspec.convert(given, NewToken))
    terminal.tell(token.token, token)
    if not terminal.as_json:
        click.echo(terminal.say("Keep it: it is not shown again."), err=True)


@command.verb()
@click.argument("id", metavar="ID")
def revoke(terminal: Terminal, id: str) -> None:  # noqa: A002 - the argument's name
    """Take a token back; it stops at once."""
    asked(terminal, Clients.end, OWNER, id)
    click.echo(terminal.say("Taken back: {count}", count=1))
