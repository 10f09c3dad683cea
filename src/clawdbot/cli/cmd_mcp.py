"""`clawdbot mcp`: the tool servers of the settings, and whether they may be used."""

import click

from clawdbot.cli.cmd_plugin import word_of
from clawdbot.cli.output import Terminal, Verbs, json_option
from clawdbot.cli.service import asked
from clawdbot.tools.servers import Servers, Shown

command = Verbs()


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
    """List the servers of the settings, how they fare and what they do."""
    found = asked(terminal, Servers.listed)
    rows = [(s.name, word_of(terminal, s.state), terminal.say(s.effect), s.about) for s in found]
    terminal.listing(("Name", "State", "Effect", "Tools"), rows, found)


@command.verb()
@click.argument("name")
@json_option
def show(terminal: Terminal, name: str) -> None:
    """Ask a server what it has, and show it."""
    _tell(terminal, asked(terminal, Servers.shown, name))


@command.verb()
@click.argument("name")
def trust(terminal: Terminal, name: str) -> None:
    """Let a server's tools be used, exactly as it tells of them now."""
    _tell(terminal, asked(terminal, Servers.trust, name))


def _tell(terminal: Terminal, shown: Shown) -> None:
    head = f"{shown.name}: {word_of(terminal, shown.state)} ({terminal.say(shown.effect)})"
    tools = (f"  {shown.name}_{tool.name}: {tool.description}" for tool in shown.tools)
    terminal.tell("\n".join((head, f"  sha256 {shown.hash}", *tools)), shown)
