"""`clawdbot group`: the group chats that the assistant is in, and the policy of each."""

import click
import msgspec

from clawdbot.cli.output import Terminal, json_option, moment
from clawdbot.cli.service import asked
from clawdbot.domain.settings import Answers, Speaks
from clawdbot.gateway.route import OWNER
from clawdbot.panel.groups import Groups, GroupShown, GroupWish

_COLUMNS = ("Name", "Channel", "Answers", "Speaks", "At most", "Language", "Last heard", "Id")
_LANGUAGES = ("any", "en", "zh")


@click.group()
def command() -> None:
    """List groups, and say whom it answers there, when, and how much it may do."""


@command.command("list")
@json_option
@click.pass_obj
def listed(terminal: Terminal, as_json: bool) -> None:  # noqa: FBT001 - click's calling convention
    """List the groups, the latest heard first."""
    groups = asked(terminal, Groups.listed, OWNER)
    terminal.listing(_COLUMNS, map(_row, groups), groups if as_json else None)


@command.command()
@click.argument("group")
@json_option
@click.pass_obj
def show(terminal: Terminal, group: str, as_json: bool) -> None:  # noqa: FBT001
    """Show a group, found by its name or id."""
    _tell(terminal, asked(terminal, Groups.shown, OWNER, group), as_json=as_json)


@command.command("set")
@click.argument("group")
@click.option(
    "--answers", type=click.Choice([each.value for each in Answers]), help="Whom it answers there."
)
@click.option(
    "--speaks", type=click.Choice([each.value for each in Speaks]), help="When it answers there."
)
@click.option("--ceiling", metavar="ROLE", help="Nobody there may have more done than this role.")
@click.option("--language", type=click.Choice(_LANGUAGES), help="Its language; any: each person's.")
@json_option
@click.pass_obj
def change(
    terminal: Terminal,
    group: str,
    answers: str | None,
    speaks: str | None,
    ceiling: str | None,
    language: str | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Change a group's policy; what is not named stays."""
    given = {"answers": answers, "speaks": speaks, "ceiling": ceiling}
    given["language"] = "" if language == "any" else language
    wish = msgspec.convert(given, GroupWish)
    _tell(terminal, asked(terminal, Groups.alter, OWNER, group, wish), as_json=as_json)


def _tell(terminal: Terminal, group: GroupShown, *, as_json: bool) -> None:
    terminal.listing(_COLUMNS, [_row(group)], group if as_json else None)


def _row(group: GroupShown) -> tuple[str, ...]:
    place = f"{group.channel}/{group.account}"
    rules = (group.answers, group.speaks, group.ceiling, group.language or "any")
    return (group.name or group.chat, place, *rules, moment(group.seen_at), group.id)
