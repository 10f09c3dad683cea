"""`clawdbot setup`: who owns the assistant, how it speaks, its model, its bot; all may be skipped.

Asks at a terminal; with `--name` it takes everything from options. No secret is ever an argument:
it is typed unseen, or comes on standard input.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import click
from msgspec import Struct
from msgspec.structs import replace
from msgspec.structs import replace as changed

from clawdbot.cli import host
from clawdbot.cli.output import Terminal
from clawdbot.cli.service import Hand, reached
from clawdbot.domain.errors import Failure
from clawdbot.domain.text import LANGUAGES
from clawdbot.gateway.control import Adopted, Control
from clawdbot.gateway.logins import PASSWORD_MIN
from clawdbot.gateway.setup import Answers, Finding
from clawdbot.ops import process
from clawdbot.ops.lines import neutral

Check = Callable[[Control, Answers], Awaitable[Finding]]

_SECRETS = ("password", "key", "telegram")


@click.command()
@click.option("--name", default="", help="Your name. With it nothing is asked.")
@click.option("--language", type=click.Choice(list(LANGUAGES)), help="The language of answers.")
@click.option("--timezone", help="Your time zone, such as Europe/Berlin.")
@click.option("--endpoint", default="", help="The address of a model's endpoint.")
@click.option("--model", default="", help="The model, instead of the endpoint's first.")
@click.option(
    "--stdin",
    type=click.Choice(_SECRETS),
    multiple=True,
    help="Read this from standard input, a line each; may be repeated.",
)
@click.pass_obj
def command(
    terminal: Terminal,
    *,
    name: str,
    language: str | None,
    timezone: str | None,
    endpoint: str,
    model: str,
    stdin: tuple[str, ...],
) -> None:
    """Set the assistant up: owner, language, model, Telegram."""
    if not name and not sys.stdin.isatty():
        raise click.UsageError(terminal.say("Give --name where nobody can be asked."))
    answers = Answers(
        name=name,
        language=language or terminal.language,
        timezone=timezone or _time_zone(terminal),
        endpoint=endpoint,
        model=model,
        **{secret: sys.stdin.readline().rstrip("\r\n") for secret in stdin},
    )
    with asyncio.Runner() as runner, _reached(runner, terminal) as hand:
        trial = _Trial(runner=runner, hand=hand)
        answers = trial.given(answers) if name else _asked(terminal, trial, answers)
        owner = runner.run(_kept(hand, answers))
    terminal = replace(terminal, language=answers.language)
    click.echo(terminal.say("Saved. This assistant is {name}'s.", name=owner.name))
    if hand.service is not None:
        click.echo(terminal.say("Start it with `clawdbot start`."))


class _Trial(Struct, frozen=True, kw_only=True):
    """Tries out what was answered, between the questions."""

    runner: asyncio.Runner
    hand: Hand

    def good(self, check: Check, answers: Answers) -> tuple[bool, str]:
        found = self.runner.run(self.hand.ask(check, answers))
        return found.good, found.text

    def given(self, answers: Answers) -> Answers:
        """Check what came as options; raises Failure where it does not work."""
        checks = (
            (answers.endpoint, Control.check_model),
            (answers.telegram, Control.check_telegram),
        )
        for wanted, check in checks:
            works, text = self.good(check, answers) if wanted else (True, "")
            if not works:
                raise Failure(text)
        return answers


async def _kept(hand: Hand, answers: Answers) -> Adopted:
    before = await hand.ask(Control.status)
    owner = await hand.ask(Control.set_up, answers)
    if hand.service is None and (answers.endpoint or answers.telegram):
        await hand.renewed(before)
    return owner


def _time_zone(terminal: Terminal) -> str:
    loaded = terminal.load()
    kept = loaded.core.timezone if "timezone" in loaded.origins else ""
    return kept or host.time_zone(terminal.environ)


def _asked(terminal: Terminal, trial: _Trial, answers: Answers) -> Answers:
    owner = trial.runner.run(trial.hand.ask(Control.status)).owner
    languages = click.Choice(list(LANGUAGES))
    language = click.prompt(terminal.say("Language"), default=answers.language, type=languages)
    terminal = replace(terminal, language=language)
    say = terminal.say
    click.echo(say("Enter takes what stands in brackets, or skips."))
    name = click.prompt(say("Your name"), default=owner or host.user_name())
    password = _password(terminal)
    zone = click.prompt(say("Time zone"), default=answers.timezone, value_proc=_zone(terminal))
    answers = changed(answers, name=name, password=password, language=language, timezone=zone)
    return _telegram(terminal, trial, _model(terminal, trial, answers))


def _password(terminal: Terminal) -> str:
    say = terminal.say
    while first := _hidden(say("Password for the control panel")):
        if len(first) < PASSWORD_MIN:
            click.echo(say("A password has at least {least} characters.", least=PASSWORD_MIN))
        elif first == _hidden(say("The same again")):
            break
        else:
            click.echo(say("These are not the same."))
    return first


def _model(terminal: Terminal, trial: _Trial, answers: Answers) -> Answers:
    say = terminal.say
    while endpoint := _line(say("Address of a model's endpoint"), answers.endpoint):
        key = _hidden(say("Its key"))
        model = _line(say("Model"), answers.model)
        tried = changed(answers, endpoint=endpoint, key=key, model=model)
        if _wanted(terminal, trial, Control.check_model, tried):
            return tried
        answers = changed(answers, endpoint="", key="", model="")
    return changed(answers, endpoint="", key="", model="")


def _telegram(terminal: Terminal, trial: _Trial, answers: Answers) -> Answers:
    while token := _hidden(terminal.say("Token of a Telegram bot")):
        tried = changed(answers, telegram=token)
        if _wanted(terminal, trial, Control.check_telegram, tried):
            return tried
    return answers


def _wanted(terminal: Terminal, trial: _Trial, check: Check, answers: Answers) -> bool:
    click.echo(terminal.say("Trying it ..."))
    works, text = trial.good(check, answers)
    click.echo(neutral(text) or terminal.say("It works."))
    return works or click.confirm(terminal.say("Keep it all the same?"))


def _zone(terminal: Terminal) -> Callable[[str], str]:
    def read(name: str) -> str:
        if not host.is_zone(name):
            raise click.UsageError(terminal.say("There is no time zone {name}.", name=name))
        return name

    return read


def _line(text: str, default: str) -> str:
    return str(click.prompt(text, default=default, show_default=bool(default))).strip()


def _hidden(text: str) -> str:
    return str(click.prompt(text, default="", show_default=False, hide_input=True))


@contextmanager
def _reached(runner: asyncio.Runner, terminal: Terminal) -> Iterator[Hand]:
    """Keep the service at hand between the runs of a loop: a question must not block one."""
    stack = AsyncExitStack()
    try:
        yield runner.run(stack.enter_async_context(reached(terminal)))
    finally:
        process.uninterrupted()
        runner.run(stack.aclose())
