"""`clawdbot mcp`: the tool servers of the settings, and whether they may be used."""

import click

from clawdbot.cli.cmd_plugin import echo, word_of
from clawdbot.cli.output import Terminal, json_option
from clawdbot.cli.service import asked
from clawdbot.tools.servers import Servers, Shown


@click.group()
def command() -> None:
    """List, show and trust tool servers (MCP)."""


@command.command("list")
@json_option
@click.pass_obj
def listed(terminal: Terminal, as_json: bool) -> None:  # noqa: FBT001 - click's calling convention
    """List the servers of the settings, how they fare and what they do."""
    found = asked(terminal, Servers.listed)
    rows = [(s.name, word_of(terminal, s.state), terminal.say(s.effect), s.about) for s in found]
    terminal.listing(("Name", "State", "Effect", "Tools"), rows, found if as_json else None)


@command.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(terminal: Terminal, name: str, as_json: bool) -> None:  # noqa: FBT001
    """Ask a server what it has, and show it."""
    shown = asked(terminal, Servers.shown, name)
    if as_json:
        terminal.json(shown)
    else:
        _tell(terminal, shown)


@command.command()
@click.argument("name")
@click.pass_obj
def trust(terminal: Terminal, name: str) -> None:
    """Let a server's tools be used, exactly as it tells of them now."""
    _tell(terminal, asked(terminal, Servers.trust, name))


def _tell(terminal: Terminal, shown: Shown) -> None:
    echo(f"{shown.name}: {word_of(terminal, shown.state)} ({terminal.say(shown.effect)})")
    echo(f"  sha256 {shown.hash}")
    for tool in shown.tools:
        echo(f"  {shown.name}_{tool.name}: {tool.description}")
