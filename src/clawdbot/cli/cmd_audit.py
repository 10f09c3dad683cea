"""`clawdbot audit`: what was done, by whom and why; and whether the record is as it was written."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from clawdbot.cli.output import Terminal, Verbs, json_option
from clawdbot.cli.service import asked, reached
from clawdbot.domain.errors import AuditBroken
from clawdbot.gateway.control import Control
from clawdbot.gateway.custody import Shown
from clawdbot.store.audit import Kind, Query

_PAGE = 500
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])


def _filters(function: click.decorators.FC) -> click.decorators.FC:
    """Add the options that say which rows."""
    for option in (
        click.option("--user", default="", help="Only what this user had done."),
        click.option("--turn", default="", help="Only what belongs to this turn."),
        click.option("--tool", "what", default="", help="Only what this tool did."),
        click.option(
            "--kind", type=click.Choice([str(kind) for kind in Kind]), help="Only this kind."
        ),
        click.option("--since", type=_TIME, help="Only from this time on."),
        click.option("--until", type=_TIME, help="Only before this time."),
        click.option("--content", is_flag=True, help="Open what is sealed."),
    ):
        function = option(function)
    return function


command = Verbs()


@command.verb()
@_filters
@click.option("-n", "--lines", default=50, show_default=True, help="How many of the last rows.")
@json_option
def show(terminal: Terminal, /, *, lines: int, **filters: object) -> None:
    """Show the last rows."""
    rows = asyncio.run(_last(terminal, _wish(filters), max(lines, 0)))
    cells = [
        (_clock(r.at), r.user, r.kind, r.what, f"{r.decision} {r.rule}".strip(),
         r.content or (terminal.say("erased") if r.erased else r.outcome), r.turn_id)
        for r in rows
    ]  # fmt: skip
    headings = ("Time", "User", "Kind", "What", "Decision", "Outcome", "Turn")
    terminal.listing(headings, cells, rows)


@command.verb()
@_filters
def export(terminal: Terminal, /, **filters: object) -> None:
    """Write all rows as JSON lines, oldest first."""

    async def write() -> None:
        async for row in _all(terminal, _wish(filters)):
            click.echo(msgspec.json.encode(row).decode())

    asyncio.run(write())


@command.verb()
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of checkpoints that audit.export wrote.",
)
@json_option
def verify(terminal: Terminal, *, against: Path | None) -> None:
    """Tell whether the record is as it was written; if not, the first bad row."""
    kept = str(against.absolute()) if against else ""
    verdict = asked(terminal, Control.verify, kept)
    bad = verdict.bad
    say = terminal.say
    if bad:
        place = say("Chain {chain}, row {place}", chain=bad.chain, place=bad.place)
        raise terminal.failure(AuditBroken(f"{place}: {say(bad.fault)}"), verdict)
    lines = [say("{rows} rows and {number} checkpoints are as they were written.",
                 rows=verdict.rows, number=verdict.checkpoints)]  # fmt: skip
    if verdict.bare:
        lines.append(say("{rows} rows wait for their checkpoint.", rows=verdict.bare))
    terminal.tell("\n".join(lines), verdict)


@command.verb()
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(terminal: Terminal, *, user: str, yes: bool) -> None:
    """Erase for good what the record holds of a user's words; that something was done stays."""
    if not yes:
        say = terminal.say
        click.confirm(say("Only a backup from before could bring it back. Erase?"), abort=True)
    asked(terminal, Control.erase, user)
    click.echo(terminal.say("Erased. The rows stay, and can be verified as before."))


def _wish(filters: dict[str, object]) -> Query:
    given = {name: value for name, value in filters.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, datetime):
            given[name] = value.timestamp()
    return msgspec.convert(given, Query)


async def _last(terminal: Terminal, wish: Query, count: int) -> list[Shown]:
    """Read the last rows, oldest first."""
    found: list[Shown] = []
    async for row in _all(terminal, replace(wish, newest=True)):
        if len(found) == count:
            break
        found.append(row)
    return found[::-1]


async def _all(terminal: Terminal, wish: Query) -> AsyncIterator[Shown]:
    async with reached(terminal) as hand:
        wish = replace(wish, most=_PAGE)
        while page := await hand.ask(Control.trail, wish):
            for row in page:
                yield row
            last = page[-1]
            wish = replace(wish, after=(last.at, last.chain, last.place))


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
