"""`clawdbot stop`: end the service; what it was doing goes on at the next start."""

import asyncio

import click

from clawdbot.cli.output import Terminal
from clawdbot.config import home
from clawdbot.domain.errors import Failure, NotRunning
from clawdbot.net.local import Local
from clawdbot.ops import process

_STOP_S = 30.0


@click.command()
@click.pass_obj
def command(terminal: Terminal) -> None:
    """Stop the service."""
    lock = terminal.home / "lock"
    pid = process.holder(lock)
    if pid is None:
        click.echo(terminal.say("The service does not run."))
        return
    asyncio.run(_stop(terminal, pid))
    click.echo(terminal.say("The service has stopped."))


async def _stop(terminal: Terminal, pid: int) -> None:
    lock = terminal.home / "lock"
    try:
        async with Local(home.socket(terminal.home), terminal.language) as local:
            await local.call("POST", "/stop", object, ())
    except NotRunning:
        # It does not listen (yet, or any more), or is not the service but a command.
        process.end(pid, lock)

    async def stopped() -> bool:
        return process.holder(lock) is None

    if not await process.until(stopped, _STOP_S):
        message = "The service does not stop. End it with `kill -9 {pid}`: nothing is lost."
        raise Failure(terminal.say(message, pid=pid))
