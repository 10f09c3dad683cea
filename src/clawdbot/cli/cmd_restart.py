"""`clawdbot restart`: the service as it was started, with the program and settings of now."""

import asyncio

import click

from clawdbot.cli.output import Terminal
from clawdbot.cli.service import Hand
from clawdbot.config import home
from clawdbot.gateway.control import Control
from clawdbot.net.local import Local


@click.command()
@click.pass_obj
def command(terminal: Terminal) -> None:
    """Restart the service."""
    terminal.load()  # with settings that are not valid it would not come back
    address = asyncio.run(_restarted(terminal))
    click.echo(terminal.say("Clawdbot runs. Control panel: {link}", link=address))


async def _restarted(terminal: Terminal) -> str:
    async with Local(home.socket(terminal.home), terminal.language) as local:
        hand = Hand(local)
        before = await hand.ask(Control.status)
        await hand.ask(Control.restart)
        return (await hand.renewed(before)).address
