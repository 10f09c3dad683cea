"""`clawdbot session`: browsers that are logged in and tokens, of the owner or of a user."""

import click

from clawdbot.cli.output import Terminal, Verbs, json_option, moment
from clawdbot.cli.service import asked
from clawdbot.gateway.route import OWNER
from clawdbot.panel.clients import Clients

_user = click.option("--user", default="", metavar="NAME", help="Of this user, not the owner's.")

command = Verbs()


@command.verb("list")
@_user
@json_option
def listed(terminal: Terminal, *, user: str) -> None:
    """List browsers and tokens."""
    if user:
        found = asked(terminal, Clients.of, OWNER, user)
    else:
        found = asked(terminal, Clients.mine, OWNER)
    rows = [
        (c.kind, c.name, c.address, moment(c.since), moment(c.seen_at), moment(c.expires_at), c.id)
        for c in found
    ]
    columns = ("Kind", "Client", "Address", "Since", "Last seen", "Until", "Id")
    terminal.listing(columns, rows, found)


@command.verb()
@click.argument("id", metavar="ID", default="")
@click.option("--all", "every", is_flag=True, help="Every browser; of a --user tokens, too.")
@_user
def end(terminal: Terminal, id: str, *, every: bool, user: str) -> None:  # noqa: A002
    """Log a browser out, or take a token back; it stops at once."""
    if bool(id) == every:
        raise click.UsageError(terminal.say("Name one to end, or give --all."))
    if user and every:
        asked(terminal, Clients.end_all, OWNER, user)
    elif user:
        asked(terminal, Clients.end_of, OWNER, user, id)
    elif every:
        asked(terminal, Clients.end_others, OWNER)
    else:
        asked(terminal, Clients.end, OWNER, id)
    click.echo(terminal.say("Logged out."))
