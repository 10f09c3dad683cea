"""`clawdbot config`: are the settings valid, what are they, where do they come from."""

import click

from clawdbot.cli.output import Terminal, json_option
from clawdbot.cli.service import asked
from clawdbot.config import load
from clawdbot.config.problems import Problems
from clawdbot.domain.errors import SettingsInvalid
from clawdbot.ops.lines import Redactor
from clawdbot.ops.values import texts
from clawdbot.tools.plugins import Plugins


@click.group()
def command() -> None:
    """Check, show and locate the settings."""


@command.command()
@json_option
@click.pass_obj
def check(terminal: Terminal, *, as_json: bool) -> None:
    """Tell whether the settings are valid; if not, every problem with its line."""
    try:
        loaded = terminal.load()
    except SettingsInvalid as invalid:
        if not as_json:
            raise
        terminal.json({"valid": False, "problems": str(invalid).split("\n")})
        raise click.exceptions.Exit(invalid.exit_code) from invalid
    unsure = _unsure(terminal, loaded)
    if as_json:
        terminal.json({"valid": True, "problems": [], "warnings": unsure})
        return
    click.echo(terminal.say("The settings are valid."))
    for line in unsure:
        click.echo(line, err=True)


@command.command()
@click.argument("prefix", default="")
@json_option
@click.pass_obj
def show(terminal: Terminal, *, prefix: str, as_json: bool) -> None:
    """Show every setting in force (or those that begin with PREFIX) and where it was written."""
    loaded = terminal.load()
    redact = Redactor(loaded.secrets)
    rows = [
        (key, redact(value), loaded.origins.get(key, "default"))
        for key, value in texts(loaded.core, loaded.channels).items()
        if f"{key}.".startswith(f"{prefix}." if prefix else "")
    ]
    value = [dict(zip(("key", "value", "origin"), row, strict=True)) for row in rows]
    terminal.listing(("Setting", "Value", "Written in"), rows, value if as_json else None)


@command.command()
@json_option
@click.pass_obj
def path(terminal: Terminal, *, as_json: bool) -> None:
    """Tell the folder of settings and data."""
    if as_json:
        names = (load.ENV_FILE, load.OWN_FILE, load.OUR_FILE)
        there = [name for name in names if (terminal.home / name).exists()]
        terminal.json({"home": str(terminal.home), "files": there})
    else:
        click.echo(str(terminal.home))


def _unsure(terminal: Terminal, loaded: load.Loaded) -> list[str]:
    """Name what is limited and is no tool now, though one of that name may come yet."""
    if not loaded.core.tools:
        return []
    known, problems = asked(terminal, Plugins.offered), Problems()
    for name in loaded.core.tools.keys() - {*known}:
        key = f"tools.{name}"
        problems.unknown(loaded.origins.get(f"{key}.per_hour", ""), key, known)
    return problems.lines(terminal.language)
