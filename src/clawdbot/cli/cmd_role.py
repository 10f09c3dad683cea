"""`clawdbot role`: the roles, what each opens, and what it may with every tool and why."""

from collections.abc import Iterable

import click
import msgspec

from clawdbot.cli.output import Terminal, Verbs, explained, json_option
from clawdbot.cli.service import asked
from clawdbot.domain.people import Area
from clawdbot.domain.policy import Effect
from clawdbot.gateway.route import OWNER
from clawdbot.panel.roles import Roles, RoleShown, RoleWish, Which

_COLUMNS = ("Name", "Effects", "An admin may allow", "Tools", "Never", "Areas", "Users")
_EFFECT, _AREA = (click.Choice([each.value for each in kind]) for kind in (Effect, Area))

command = Verbs()


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
    """List the roles and what they open."""
    roles = asked(terminal, Roles.listed, OWNER)
    terminal.listing(_COLUMNS, map(_row, roles), roles)


@command.verb()
@click.argument("name")
@json_option
def show(terminal: Terminal, name: str) -> None:
    """Tell what a role may with every tool, and why: the policy's own answer."""
    explained(terminal, asked(terminal, Roles.rights, OWNER, name, Which()))


@command.verb("set")
@click.argument("name")
@click.option("--effect", "effects", type=_EFFECT, multiple=True, help="What it may have done.")
@click.option("--ask", "asks", type=_EFFECT, multiple=True, help="What an admin may allow it.")
@click.option("--tool", "allowed", multiple=True, metavar="TOOL", help="A tool that is its own.")
@click.option("--never", "denied", multiple=True, metavar="TOOL", help="A tool it never has.")
@click.option("--area", "areas", type=_AREA, multiple=True, help="A part of the panel it opens.")
@click.option("--none", "empty", is_flag=True, help="What is not named is empty; else it stays.")
@json_option
def change(terminal: Terminal, /, name: str, *, empty: bool, **given: tuple[str, ...]) -> None:
    """Make a role, or change what it opens for all who have it; every option may be repeated."""
    before = None if empty else _found(terminal, name)
    wish = {key: values or getattr(before, key, ()) for key, values in given.items()}
    asked(terminal, Roles.put, OWNER, name, msgspec.convert(wish, RoleWish))
    if (after := _found(terminal, name)) is not None:
        terminal.listing(_COLUMNS, [_row(after)], after)


@command.verb()
@click.argument("name")
@json_option
def remove(terminal: Terminal, name: str) -> None:
    """Remove a role that nobody has."""
    gone = _found(terminal, name)
    asked(terminal, Roles.remove, OWNER, name)
    terminal.tell(terminal.say("Removed: {name}", name=name), gone)


def _found(terminal: Terminal, name: str) -> RoleShown | None:
    return next((r for r in asked(terminal, Roles.listed, OWNER) if r.name == name), None)


def _row(role: RoleShown) -> tuple[str, ...]:
    lists: tuple[Iterable[str], ...] = (
        role.effects,
        role.asks,
        role.allowed,
        role.denied,
        role.areas,
    )
    return (role.name, *(" ".join(each) for each in lists), str(role.users))
