"""`clawdbot user`: who may talk to this assistant and what, and letting in who waits."""

import asyncio

import click
import msgspec

from clawdbot.cli.output import Terminal, Verbs, explained, json_option, moment
from clawdbot.cli.service import Hand, asked, reached
from clawdbot.domain.errors import BadInput
from clawdbot.domain.people import Level
from clawdbot.gateway.route import OWNER
from clawdbot.panel.clients import Clients
from clawdbot.panel.erasing import Erasing, Erasure
from clawdbot.panel.roles import Roles, Which
from clawdbot.panel.second import Second
from clawdbot.panel.users import Admit, Alter, Users

command = Verbs()


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
    """List the users."""
    people = asked(terminal, Users.listed, OWNER)
    states = {False: terminal.say("active"), True: terminal.say("disabled")}
    rows = [(p.name, terminal.say(p.role), p.language, states[p.disabled]) for p in people]
    terminal.listing(("Name", "Role", "Language", "State"), rows, people)


@command.verb()
@json_option
def pairings(terminal: Terminal) -> None:
    """List the strangers who wait to be let in."""
    waiting = asked(terminal, Users.knocking)
    rows = [(k.name, k.platform, moment(k.expires_at), k.id) for k in waiting]
    terminal.listing(("Name", "Platform", "Until", "Id"), rows, waiting)


@command.verb()
@click.argument("code")
@click.option("--as", "as_user", default="", metavar="NAME", help="It is this user.")
@click.option("--role", default=Level.MEMBER, show_default=True, help="The role of a new user.")
def pair(terminal: Terminal, code: str, as_user: str, role: str) -> None:
    """Let a stranger in by the code that they were shown (or the id in `pairings`)."""
    person = asked(terminal, Users.admit, OWNER, code, Admit(user=as_user, role=role))
    click.echo(terminal.say("{name} is let in.", name=person.name))


@command.verb()
@click.argument("code")
def refuse(terminal: Terminal, code: str) -> None:
    """Send a stranger away by their code (or the id in `pairings`); they are told once."""
    knock = asked(terminal, Users.refuse, OWNER, code)
    click.echo(terminal.say("{name} is not let in.", name=knock.name or code))


@command.verb("set")
@click.argument("name")
@click.option("--role", default=None, help="A role; one that opens less ends all that they do.")
@click.option("--disable/--enable", "disabled", default=None, help="Shut out at once, or not.")
def change(terminal: Terminal, name: str, role: str | None, disabled: bool | None) -> None:  # noqa: FBT001
    """Give a user a role, or shut them out."""
    person = asked(terminal, Users.alter, OWNER, name, Alter(role=role, disabled=disabled))
    click.echo(f"{person.name}\t{terminal.say(person.role)}")


@command.verb()
@click.argument("name")
@click.argument("tool", default="")
@json_option
def may(terminal: Terminal, name: str, tool: str) -> None:
    """Tell what a user may with every tool, or with one, and why: the policy's own answer."""
    rights = asked(terminal, Roles.rights_of, OWNER, name, Which(tool=tool))
    explained(terminal, rights)


@command.verb("reset-totp")
@click.argument("name")
def reset_totp(terminal: Terminal, name: str) -> None:
    """Remove the second factor of a user who lost it."""
    asked(terminal, Second.reset, OWNER, name)
    click.echo(terminal.say("{name} logs in with the password alone.", name=name))


@command.verb()
@json_option
def locked(terminal: Terminal) -> None:
    """List the names and addresses that wait after wrong passwords."""
    found = asked(terminal, Clients.locked)
    rows = [(each.key, str(each.failures), str(round(each.seconds))) for each in found]
    terminal.listing(("Key", "Wrong tries", "Seconds left"), rows, found)


@command.verb()
@click.argument("key")
def unlock(terminal: Terminal, key: str) -> None:
    """Let a name or an address (the key in `locked`) try again at once."""
    asked(terminal, Clients.lift, OWNER, key)
    click.echo(terminal.say("They may try again."))


@command.verb()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only tell what would be erased.")
@click.option("--yes", is_flag=True, help="Do not ask for the name again.")
def erase(terminal: Terminal, name: str, dry_run: bool, yes: bool) -> None:  # noqa: FBT001
    """Erase a person and all that is theirs, for good; what others wrote stays."""
    under_way = {each.id for each in asked(terminal, Erasing.carry_on) if not each.finished}
    if name not in under_way:
        found = asked(terminal, Erasing.foretold, OWNER, name)
        counts = msgspec.structs.asdict(found.counts)
        rows = [(terminal.say(what.capitalize()), str(n)) for what, n in counts.items()]
        terminal.listing(("What", "Count"), rows, counts)
        if dry_run:
            return
        ask = terminal.say("This cannot be undone. Type the name to erase this person")
        if not yes and click.prompt(ask, err=True) != found.name:
            raise BadInput("That is another name. Nothing was erased.")
        asked(terminal, Erasing.remove, OWNER, found.id)
        name = found.id
    asyncio.run(_finish(terminal, name))
    click.echo(terminal.say("Erased."))


async def _finish(terminal: Terminal, user: str) -> None:
    """Go on with an erasure to its end, and tell how far it is."""
    async with reached(terminal) as hand:
        while not (now := await _now(hand, user)).finished:
            words = terminal.say("{done} of {all} forgotten", done=now.done, all=now.all)
            click.echo(words, err=True)


async def _now(hand: Hand, user: str) -> Erasure:
    """Go on for a moment, and tell how far it is."""
    return next(each for each in await hand.ask(Erasing.carry_on) if each.id == user)
