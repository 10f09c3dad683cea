"""`clawdbot plugin`: write, test, trust, run and list plugins, and what is allowed in advance."""

import re
from importlib.resources import files
from pathlib import Path

import click

from clawdbot.cli import cmd_logs
from clawdbot.cli.output import Terminal, Verbs, json_option
from clawdbot.cli.service import asked
from clawdbot.config import home
from clawdbot.domain.errors import BadInput
from clawdbot.tools.plugins import Plugins
from clawdbot.tools.trust import Allowance, Shown, Trust

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_STRANGE = re.compile(r"[^\w.-]")
_SPAN = re.compile(r"(\d+)([mhd])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_EXAMPLE = {"{}.py": "example.txt", "test_{}.py": "example_test.txt"}

command = Verbs()


@command.verb()
@click.argument("name")
def new(terminal: Terminal, name: str) -> None:
    """Write a working example and its test into the plugins folder."""
    if not _NAME.fullmatch(name):
        raise BadInput("Name a plugin with lower-case letters, digits and underscores.")
    home.prepare(terminal.home, terminal.language)
    folder = terminal.home / "plugins"
    folder.mkdir(mode=0o700, exist_ok=True)
    if (folder / f"{name}.py").exists() or (folder / name).exists():
        raise BadInput("There is a plugin of that name already.")
    for pattern, example in _EXAMPLE.items():
        text = (files("clawdbot.cli") / "plugin" / example).read_text("utf-8")
        (folder / pattern.format(name)).write_text(text.replace("NAME", name), "utf-8")
    path = folder / f"{name}.py"
    click.echo(terminal.say("Written: {path}", path=path))
    click.echo(terminal.say("Trust it with `clawdbot plugin trust {name}`.", name=name))


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("function")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--out", default="", metavar="PATH", help="The folder for files that come back.")
@json_option
@click.pass_obj
def run(terminal: Terminal, function: str, arguments: tuple[str, ...], *, out: str) -> None:
    """Call a function of a trusted plugin; `--city Ulm` gives the argument `city`."""
    ran = asked(terminal, Plugins.run, function, _given(arguments), "")
    for name, data in ran.files.items() if out else ():
        _keep(Path(out), name, data)
    terminal.tell(ran.text, ran.value)


@command.verb()
@click.argument("names", nargs=-1, required=True)
def trust(terminal: Terminal, names: tuple[str, ...]) -> None:
    """Let plugins run, exactly as they are now."""
    for name in names:
        _tell(terminal, asked(terminal, Trust.trust, name))


@command.verb()
@click.argument("name")
def test(terminal: Terminal, name: str) -> int:
    """Run a plugin's own tests in the sandbox."""
    tested = asked(terminal, Trust.test, name)
    terminal.write(tested.output)
    return 0 if tested.passed else 1


@command.verb("list")
@json_option
def listed(terminal: Terminal) -> None:
    """List the plugins that are there, and whether they may run."""
    found = asked(terminal, Trust.listed)
    rows = [(s.name, word_of(terminal, s.state), s.problem or _names(s)) for s in found]
    terminal.listing(("Name", "State", "Functions"), rows, found)


@command.verb()
@click.argument("name")
@json_option
def show(terminal: Terminal, name: str) -> None:
    """Show what a plugin registers and asks for."""
    _tell(terminal, asked(terminal, Trust.shown, name))


@command.verb()
@click.argument("path", type=click.Path(exists=True))
@click.option("--publisher", default="", metavar="KEY", help="Trust what this key has signed.")
def install(terminal: Terminal, path: str, publisher: str) -> None:
    """Install a plugin from a file, a folder or a .zip."""
    _tell(terminal, asked(terminal, Trust.install, str(Path(path).absolute()), publisher))


@command.verb()
@click.argument("name")
def remove(terminal: Terminal, name: str) -> None:
    """Remove a plugin, its files, and the decision on it."""
    asked(terminal, Trust.remove, name)
    click.echo(terminal.say("Removed: {name}", name=name))


@command.verb()
@click.argument("tool", default="")
@click.option("--user", default="", metavar="NAME", help="Only for this user.")
@click.option("--where", multiple=True, metavar="ARG=VALUE", help="Only with this value (* any).")
@click.option("--for", "span", default="", metavar="TIME", help="Until then: 30m, 12h, 7d.")
@click.option("--never", is_flag=True, help="Refuse it instead; this beats every yes.")
@json_option
def grant(
    terminal: Terminal,
    tool: str,
    *,
    user: str,
    where: tuple[str, ...],
    span: str,
    never: bool,
) -> None:
    """Allow or refuse a tool in advance; without one, list what is."""
    if tool:
        pattern = dict(each.split("=", 1) for each in where if "=" in each)
        wish = Allowance(tool=tool, user=user, pattern=pattern, seconds=_seconds(span), never=never)
        click.echo(asked(terminal, Trust.allow, wish))
        return
    found = asked(terminal, Trust.allowed)
    answers = {False: terminal.say("allowed"), True: terminal.say("never")}
    rows = [
        (
            a.id,
            a.tool,
            a.user or "*",
            " ".join(f"{k}={v}" for k, v in a.pattern.items()),
            answers[a.never],
        )
        for a in found
    ]
    terminal.listing(("Id", "Tool", "User", "Only with", "Answer"), rows, found)


@command.verb()
@click.argument("what")
def revoke(terminal: Terminal, what: str) -> None:
    """Take back what was allowed or refused: by its id, or all of a tool."""
    count = asked(terminal, Trust.revoke, what)
    click.echo(terminal.say("Taken back: {count}", count=count))


@command.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many of the last lines.")
@json_option
@click.pass_context
def logs(context: click.Context, /, name: str, **wanted: bool | int) -> None:
    """Read what a plugin printed, and how it failed."""
    context.invoke(cmd_logs.command, plugin=name, level="debug", turn="", text="", **wanted)


def _keep(folder: Path, name: str, data: bytes) -> None:
    """Write a file that came back; its name is the plugin's, so it hides and replaces nothing."""
    path = folder / (_STRANGE.sub("_", name).lstrip(".") or "file")
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise BadInput(f"{path}: there is such a file already") from error


def _given(arguments: tuple[str, ...]) -> dict[str, str]:
    """Read `--name value`, `--name=value` and `--flag`."""
    given: dict[str, str] = {}
    name = ""
    for argument in arguments:
        if name and not argument.startswith("--"):
            given[name], name = argument, ""
            continue
        if not argument.startswith("--"):
            raise BadInput("Give each argument as --name value.")
        name, mark, value = argument[2:].partition("=")
        given[name] = value if mark else "true"
        name = "" if mark else name
    return given


def _seconds(span: str) -> float | None:
    if not span:
        return None
    found = _SPAN.fullmatch(span)
    if found is None:
        raise BadInput("Write a time as 30m, 12h or 7d.")
    return int(found[1]) * _SECONDS[found[2]]


def _names(shown: Shown) -> str:
    return ", ".join(each.name for each in shown.functions)


def word_of(terminal: Terminal, state: str) -> str:
    """Tell a state of trust in the user's language."""
    words = {
        "trusted": terminal.say("trusted"),
        "changed": terminal.say("changed, not trusted"),
        "new": terminal.say("not trusted"),
        "gone": terminal.say("gone"),
        "broken": terminal.say("broken"),
        "running": terminal.say("running"),
        "starting": terminal.say("starting"),
        "waiting": terminal.say("not answering"),
        "off": terminal.say("off"),
    }
    return words.get(state, state)


def _tell(terminal: Terminal, shown: Shown) -> None:
    """Show a plugin and everything that it may do."""
    say = terminal.say
    lines = [f"{shown.name}: {word_of(terminal, shown.state)}", f"  sha256 {shown.hash}"]
    if shown.publisher:
        lines.append("  " + say("signed by {publisher}", publisher=shown.publisher))
    if shown.more:
        lines.append("  " + say("It asks for more than was trusted before."))
    for each in shown.functions:
        lines.append(f"  {each.name} ({say(each.acts)}): {each.description or '-'}")
        permissions = {
            say("hosts"): each.hosts,
            say("paths"): each.paths,
            say("secrets"): each.secrets,
            say("offers to run"): tuple(filter(None, (each.every, each.on))),
        }
        lines += [f"    {what}: {', '.join(these)}" for what, these in permissions.items() if these]
    if shown.taken:
        names = ", ".join(shown.taken)
        lines.append("  " + say("No tools, as their names are taken: {names}", names=names))
    if shown.state in {"new", "changed"}:
        lines.append(say("Trust it with `clawdbot plugin trust {name}`.", name=shown.name))
    terminal.tell("\n".join(lines), shown)
