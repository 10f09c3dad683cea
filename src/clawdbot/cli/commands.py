"""The commands and what they have in common: language, help, errors, exit codes.

A command `x` is `command` in `cli/cmd_x.py`, imported when it is used; its help is English there.
"""

import gettext
import sys
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.resources import files
from itertools import pairwise
from types import TracebackType

import click
from click.shell_completion import CompletionItem

from clawdbot import BUILD_DATE, __version__
from clawdbot.cli.output import Terminal
from clawdbot.config import home, load
from clawdbot.domain.errors import Failure, first_line
from clawdbot.domain.settings import Logs
from clawdbot.domain.text import LANGUAGES
from clawdbot.ops.lines import Redactor, neutral

COMMANDS = {
    "start": "Start the assistant.",
    "stop": "Stop the service.",
    "restart": "Restart the service.",
    "status": "Tell how the service fares.",
    "doctor": "Tell what ails, why, and the line that mends it.",
    "setup": "Set the assistant up: owner, language, model, Telegram.",
    "chat": "Talk to the assistant, or ask it one question.",
    "user": "List users and let strangers in.",
    "role": "List, make, change and remove roles, and tell what each may.",
    "invite": "Invite people by a link that is good once, list and take back invitations.",
    "session": "List where somebody is logged in, and log them out.",
    "token": "Make, list and take back the owner's tokens for programs.",
    "channel": "Pause, resume or remove an account on a platform.",
    "group": "List and forget groups, say whom it answers there, when, and how much it may do.",
    "approval": "List what waits for a yes, and answer.",
    "plugin": "Write, test, trust, run and list plugins.",
    "skill": "List, show, trust and remove skills.",
    "mcp": "List, show and trust tool servers (MCP).",
    "config": "Check, show, change and locate the settings.",
    "models": "List providers and routes, and find local model servers.",
    "test-model": "Ask a model one question; tell version, latency, speed and quota.",
    "secret": "Keep keys and passwords sealed, each for certain addresses.",
    "audit": "Show, verify and export the record of what was done.",
    "logs": "Read the log.",
    "completion": "Print a shell's completion script.",
}


def run(args: list[str]) -> int:
    """Run a command line and tell its exit code."""
    environ = load.environment()
    folder = home.resolve(environ, _given(args, "--home"))
    language = _given(args, "--lang")
    if language not in LANGUAGES:
        language = load.user_language(folder, environ)
    terminal = Terminal(home=folder, language=language, environ=environ)
    _translate_click(language)
    sys.excepthook = partial(_crashed, terminal)
    failures: list[Failure] = []
    code = 0
    try:
        code = _invoked(args, terminal)
    except* Failure as group:
        failures = leaves(group)
    for failure in failures:
        _tell(terminal, failure)
        code = failure.exit_code
    return code


class Group(click.Group):
    """The table above as click sees it."""

    def __init__(self, terminal: Terminal) -> None:
        say = terminal.say
        super().__init__(
            "clawdbot",
            help=say("A self-hosted assistant that never loses a message."),
            context_settings={"help_option_names": ["-h", "--help"], "obj": terminal},
            options_metavar=say("[OPTIONS]"),
            subcommand_metavar=say("COMMAND [ARGS]..."),
            params=[
                click.Option(
                    ["--home"],
                    metavar="PATH",
                    expose_value=False,
                    help=say("The folder of settings and data, instead of CLAWDBOT_HOME."),
                ),
                click.Option(
                    ["--lang"],
                    type=click.Choice(list(LANGUAGES)),
                    expose_value=False,
                    help=say("The language of the output."),
                ),
                click.Option(
                    ["-V", "--version"],
                    is_flag=True,
                    is_eager=True,
                    expose_value=False,
                    callback=_show_version,
                    help=say("Show version and build date."),
                ),
            ],
        )
        self._terminal = terminal

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, its help in the user's language."""
        if cmd_name not in COMMANDS:
            return None
        with load.without_authorities():
            module = import_module(f"clawdbot.cli.cmd_{cmd_name.replace('-', '_')}")
        command: object = module.command
        if not isinstance(command, click.Command):
            raise TypeError(cmd_name)
        command.help = command.help or COMMANDS[cmd_name]
        _translate(command, self._terminal)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest."""
        if args[0] in COMMANDS or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        message = self._terminal.say("There is no command {name}.", name=neutral(args[0]))
        if nearest := get_close_matches(args[0], COMMANDS, n=1):
            meant = self._terminal.say("Did you mean {name}?", name=nearest[0])
            message = f"{message} {meant}"
        raise click.UsageError(message, ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the table, without importing a command, and the exit codes."""
        say = self._terminal.say
        with formatter.section(say("Commands")):
            formatter.write_dl([(name, say(text)) for name, text in COMMANDS.items()])
        codes = {0: say("Done."), 2: say("The command line is wrong.")} | _exit_codes(Failure)
        with formatter.section(say("Exit codes")):
            formatter.write_dl([(str(code), say(text)) for code, text in sorted(codes.items())])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete from the table, without importing a command."""
        names = [
            CompletionItem(name, help=self._terminal.say(text))
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


def _invoked(args: list[str], terminal: Terminal) -> int:
    try:
        code: object = Group(terminal).main(args, "clawdbot", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return code if isinstance(code, int) else 0


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: object) -> None:
    if wanted:
        click.echo(f"clawdbot {__version__} (built {BUILD_DATE})")
        ctx.exit()


def _given(args: list[str], option: str) -> str:
    """Find an option's value before click does: it decides the words that click uses."""
    for here, after in pairwise([*args, ""]):
        if here == option:
            return after
        if here.startswith(f"{option}="):
            return here.partition("=")[2]
    return ""


def _translate_click(language: str) -> None:
    """Have click's own texts come from the catalogue that we ship for it."""
    gettext.bindtextdomain("click", str(files("clawdbot") / "locale"))
    gettext.textdomain("click")
    load.announce(language)


def _translate(command: click.Command, terminal: Terminal) -> None:
    command.help = terminal.say(command.help) if command.help else None
    command.options_metavar = terminal.say("[OPTIONS]")
    for option in command.params:
        if isinstance(option, click.Option) and option.help:
            option.help = terminal.say(option.help)
    if isinstance(command, click.Group):
        command.subcommand_metavar = terminal.say("COMMAND [ARGS]...")
        for below in command.commands.values():
            _translate(below, terminal)


def _exit_codes(kind: type[Failure]) -> dict[int, str]:
    codes: dict[int, str] = {}
    for below in kind.__subclasses__():
        codes = _exit_codes(below) | codes
    return codes | {kind.exit_code: first_line(kind)}


def _tell(terminal: Terminal, failure: Failure) -> None:
    lines = [terminal.say("Error: {message}", message=failure.told(terminal.language)[0])]
    if failure.remedy:
        lines.append(terminal.say(failure.remedy))
    for line in "\n".join(lines).split("\n"):
        click.echo(neutral(line), err=True)


def leaves(group: BaseExceptionGroup[Failure]) -> list[Failure]:
    """List the failures in a group, at any depth."""
    found = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _crashed(
    terminal: Terminal,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """Tell a fault of ours in one sentence; the log holds the rest."""
    if not issubclass(kind, Exception):  # the user's own Ctrl-C
        return
    import structlog

    from clawdbot.ops.logs import logging_to

    redact = Redactor(load.likely_secrets(terminal.home, terminal.environ))
    with suppress(OSError, Failure):
        home.prepare(terminal.home)
        with logging_to(terminal.home, Logs(), redact):
            structlog.get_logger("clawdbot.cli").critical("crashed", exc_info=(kind, error, trace))
    _tell(terminal, Failure())
