"""`clawdbot config`: are the settings valid, what are they, where do they come from."""

import click

from clawdbot.cli.output import Terminal, Verbs, json_option
from clawdbot.cli.service import asked
from clawdbot.config import load
from clawdbot.config.problems import Problems
from clawdbot.domain.errors import BadInput, SettingsInvalid
from clawdbot.gateway.route import OWNER
from clawdbot.ops.lines import Redactor
from clawdbot.ops.values import texts
from clawdbot.panel.configured import joined
from clawdbot.panel.settings import Settings, Wish
from clawdbot.tools.plugins import Plugins

command = Verbs()


@command.verb()
@json_option
def check(terminal: Terminal) -> None:
    """Tell whether the settings are valid; if not, every problem with its line."""
    try:
        loaded = terminal.load()
    except SettingsInvalid as invalid:
        value = {"valid": False, "problems": invalid.told(terminal.language)[0].split("\n")}
        raise terminal.failure(invalid, value) from invalid
    unsure = _unsure(terminal, loaded)
    value = {"valid": True, "problems": [], "warnings": unsure}
    terminal.tell(terminal.say("The settings are valid."), value)
    for line in () if terminal.as_json else unsure:
        click.echo(line, err=True)


@command.verb()
@click.argument("prefix", default="")
@json_option
def show(terminal: Terminal, *, prefix: str) -> None:
    """Show every setting in force (or those that begin with PREFIX) and where it was written."""
    loaded = terminal.load()
    redact = Redactor(loaded.secrets)
    rows = [
        (key, redact(value), loaded.origins.get(key, "default"))
        for key, value in texts(loaded.core, loaded.channels).items()
        if f"{key}.".startswith(f"{prefix}." if prefix else "")
    ]
    value = [dict(zip(("key", "value", "origin"), row, strict=True)) for row in rows]
    terminal.listing(("Setting", "Value", "Written in"), rows, value)


@command.verb("set")
@click.argument("key")
@click.argument("values", nargs=-1)
def change(terminal: Terminal, key: str, values: tuple[str, ...]) -> None:
    """Set a setting as its page does, a list by several values; without one, as if never set."""
    found = [
        (section.name, setting)
        for section in asked(terminal, Settings.listed)
        for setting in section.settings
        if joined(section.name, setting.key) == key
    ]
    if not found:
        raise BadInput("There is no such setting. What has a name is changed on its own page.")
    name, setting = found[0]
    if setting.kind == "secret":
        raise BadInput("A secret is no argument. Use `clawdbot secret set`.")
    wish = Wish(section=name, settings={setting.key: _typed(setting.kind, values)})
    asked(terminal, Settings.change, OWNER, wish)
    click.echo(terminal.say("Saved. A running service starts anew with it."))


@command.verb()
@json_option
def path(terminal: Terminal) -> None:
    """Tell the folder of settings and data."""
    names = (load.ENV_FILE, load.OWN_FILE, load.OUR_FILE)
    there = [name for name in names if (terminal.home / name).exists()]
    terminal.tell(str(terminal.home), {"home": str(terminal.home), "files": there})


def _typed(kind: str, values: tuple[str, ...]) -> str | float | bool | list[str] | None:
    """Give what was typed as a form sends it."""
    text = " ".join(values)
    if not values or kind == "list":
        return list(values) or None
    if kind == "switch" and text in {"true", "false"}:
        return text == "true"
    try:
        return (float(text) if "." in text else int(text)) if kind == "number" else text
    except ValueError:
        return text


def _unsure(terminal: Terminal, loaded: load.Loaded) -> list[str]:
    """Name what is limited and is no tool now, though one of that name may come yet."""
    if not loaded.core.tools:
        return []
    known, problems = asked(terminal, Plugins.offered), Problems()
    for name in loaded.core.tools.keys() - {*known}:
        key = f"tools.{name}"
        problems.unknown(loaded.origins.get(f"{key}.per_hour", ""), key, known)
    return problems.lines(terminal.language)
