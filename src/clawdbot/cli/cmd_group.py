"""`clawdbot group`: the group chats that the assistant is in, and the policy of each."""

import click
import msgspec

from clawdbot.cli.output import Terminal, Verbs, json_option, moment
from clawdbot.cli.service import asked
from clawdbot.domain.settings import Answers, Speaks
from clawdbot.gateway.route import OWNER
from clawdbot.panel.groups import Groups, GroupShown, GroupWish

_COLUMNS = ("Name", "Channel", "Answers", "Speaks", "At most", "Language", "Last heard", "Id")
_LANGUAGES = ("any", "en", "zh")

command = Verbs()


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
    """List the groups, the latest heard first."""
    groups = asked(terminal, Groups.listed, OWNER)
    terminal.listing(_COLUMNS, map(_row, groups), groups)


@command.verb()
@click.argument("group")
@json_option
def show(terminal: Terminal, group: str) -> None:
    """Show a group, found by its name or id."""
    _tell(terminal, asked(terminal, Groups.shown, OWNER, group))


@command.verb("set")
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
def change(
    terminal: Terminal,
    group: str,
    answers: str | None,
    speaks: str | None,
    ceiling: str | None,
    language: str | None,
) -> None:
    """Change a group's policy; what is not named stays."""
    given = {"answers": answers, "speaks": speaks, "ceiling": ceiling}
    given["language"] = "" if language == "any" else language
    wish = msgspec.convert(given, GroupWish)
    _tell(terminal, asked(terminal, Groups.alter, OWNER, group, wish))


@command.verb()
@click.argument("group")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def forget(terminal: Terminal, group: str, *, yes: bool) -> None:
    """Forget a group and its policy; if it speaks again, it begins anew with its account's."""
    gone, say = asked(terminal, Groups.shown, OWNER, group), terminal.say
    name = gone.name or gone.chat
    if not yes:
        click.confirm(
            say("What was said there stays. Forget {name}?", name=name), abort=True, err=True
        )
    asked(terminal, Groups.forget, OWNER, gone.id)
    terminal.tell(say("Forgotten: {name}", name=name), gone)


def _tell(terminal: Terminal, group: GroupShown) -> None:
    terminal.listing(_COLUMNS, [_row(group)], group)


def _row(group: GroupShown) -> tuple[str, ...]:
    place = f"{group.channel}/{group.account}"
    rules = (group.answers, group.speaks, group.ceiling, group.language or "any")
    return (group.name or group.chat, place, *rules, moment(group.seen_at), group.id)
