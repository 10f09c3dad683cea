"""`clawdbot invite`: links that are good once, by which somebody comes in."""

import click

from clawdbot.cli.output import Terminal, Verbs, json_option, moment
from clawdbot.cli.service import asked
from clawdbot.domain.people import Level
from clawdbot.gateway.control import Control
from clawdbot.gateway.route import OWNER
from clawdbot.panel.invitations import Invitations, Invite

command = Verbs()


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
    """List the open invitations."""
    found = asked(terminal, Invitations.listed, OWNER)
    rows = [(i.name, terminal.say(i.role), i.by, moment(i.expires_at), i.id) for i in found]
    columns = ("Name", "Role", "Invited by", "Until", "Id")
    terminal.listing(columns, rows, found)


@command.verb()
@click.argument("name", default="")
@click.option("--role", default=Level.MEMBER, show_default=True, help="The role of a new user.")
@click.option("--user", default="", metavar="NAME", help="A link by which they set a password.")
@click.option("--days", default=7, type=click.IntRange(1, 30), show_default=True, help="How long.")
@json_option
def new(terminal: Terminal, *, name: str, role: str, user: str, days: int) -> None:
    """Invite somebody new by name; the link is shown this once."""
    wish = Invite(name=name, role=role, user=user, days=days)
    made = asked(terminal, Invitations.make, OWNER, wish)
    gateway = terminal.load().core.gateway
    known = asked(terminal, Control.status).address or gateway.public_url.rstrip("/")
    link = (known or f"http://127.0.0.1:{gateway.port}") + made.path
    terminal.tell(link, {"id": made.id, "link": link, "expires_at": made.expires_at})


@command.verb()
@click.argument("id", metavar="ID")
def revoke(terminal: Terminal, id: str) -> None:  # noqa: A002 - the argument's name
    """Take an invitation back."""
    asked(terminal, Invitations.revoke, OWNER, id)
    click.echo(terminal.say("Taken back: {count}", count=1))
