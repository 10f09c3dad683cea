"""`clawdbot status`: how the running service fares."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from clawdbot.cli.output import Terminal, json_option
from clawdbot.config import home
from clawdbot.domain.errors import NotRunning
from clawdbot.domain.text import told
from clawdbot.gateway.control import Status
from clawdbot.net.local import Local
from clawdbot.store.outbox import RowState


@click.command()
@json_option
@click.pass_obj
def command(terminal: Terminal) -> None:
    """Tell how the service fares."""
    try:
        status = asyncio.run(_asked(terminal))
    except NotRunning as error:
        raise terminal.failure(error, {"running": False}) from error
    rows = _rows(terminal, status)
    terminal.listing(("What", "How it is"), rows, status)


async def _asked(terminal: Terminal) -> Status:
    async with Local(home.socket(terminal.home), terminal.language) as local:
        return await local.call("POST", "/status", Status, ())


def _rows(terminal: Terminal, status: Status) -> Iterator[tuple[str, str]]:
    say = terminal.say
    since = datetime.fromtimestamp(status.since, UTC).astimezone()
    runs = say(
        "running since {since}, process {pid}", since=f"{since:%Y-%m-%d %H:%M:%S}", pid=status.pid
    )
    yield "Clawdbot", f"{status.version} ({status.environment}): {runs}"
    yield say("Control panel"), status.address
    yield say("Owner"), status.owner or say("none yet: run `clawdbot setup`")
    yield (
        say("Unfinished turns"),
        _count(terminal, sum(status.turns.values()), status.oldest_turn_s),
    )
    if status.approvals:
        yield say("Approvals"), _count(terminal, status.approvals, status.oldest_approval_s)
    yield say("Outbox"), _count(terminal, status.outbox, status.oldest_row_s)
    states = {RowState.DEAD: say("given up"), RowState.UNKNOWN: say("nobody knows if it arrived")}
    for row in status.undelivered:
        yield say("Not delivered"), f"{row.to}: {states.get(row.state, row.state)}"
    for channel in status.channels:
        reason = told(terminal.language, channel.reason)
        how = say("works") if channel.up else say("down: {reason}", reason=reason)
        if channel.up and reason:
            how = say("sends, but: {reason}", reason=reason)
        if channel.paused:
            how = say("paused")
        remedy = say(channel.remedy) if channel.remedy else ""
        yield f"{channel.kind}/{channel.account}", f"{how} {remedy}".strip()
    usable = [each.name for each in status.sandbox if each.usable]
    yield say("Sandbox"), next(iter(usable), say("nothing isolates: see `clawdbot doctor`"))
    if not status.room_left:
        yield say("Disk"), say("almost full: nothing is accepted")


def _count(terminal: Terminal, count: int, oldest_s: float) -> str:
    if not count:
        return "0"
    return terminal.say("{count}, the oldest for {seconds} s", count=count, seconds=round(oldest_s))
