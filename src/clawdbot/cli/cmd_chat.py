"""`clawdbot chat`: talk to the running service, or ask it one thing and go.

With `--local` one turn runs in this very process, under the data lock; no channel works meanwhile.
"""

import asyncio
import re
import sys
from contextlib import ExitStack

import click
import msgspec
from msgspec.structs import replace

from clawdbot.cli import host
from clawdbot.cli.dialogue import Dialogue
from clawdbot.cli.output import Terminal
from clawdbot.cli.screen import Screen
from clawdbot.config import home
from clawdbot.config.clock import SystemClock
from clawdbot.domain.errors import HomeLocked, NotRunning
from clawdbot.domain.settings import Gateway
from clawdbot.net.local import Local
from clawdbot.ops.lines import Redactor

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# What waits for a yes has no answer yet.
_CODES = {"done": 0, "stopped": 130, "waits": 80}


@click.command()
@click.argument("question", nargs=-1)
@click.option("-c", "--conversation", default="main", help="The conversation's name.")
@click.option("--local", is_flag=True, help="Answer one question without a service.")
@click.pass_obj
def command(
    terminal: Terminal, *, question: tuple[str, ...], conversation: str, local: bool
) -> int:
    """Talk to the assistant, or ask it one question."""
    if not _NAME.fullmatch(conversation):
        raise click.UsageError(
            terminal.say("A name has at most 64 letters, digits and any of . _ -")
        )
    words = " ".join(question).encode(errors="replace").decode().strip()
    if not words and not sys.stdin.isatty():
        words = sys.stdin.buffer.read().decode(errors="replace").strip()
    if not words and (local or not (sys.stdin.isatty() and sys.stdout.isatty())):
        raise click.UsageError(terminal.say("There is no question."))
    talk = _here if local else _there
    return _CODES.get(asyncio.run(talk(terminal, words, conversation)), 1)


async def _there(terminal: Terminal, words: str, name: str) -> str:
    """Talk to the service that runs; tell how the answer ended."""
    async with Local(home.socket(terminal.home), terminal.language) as local:
        try:
            await local.call("POST", "/adopt", object, [host.person(terminal)])
        except NotRunning as error:
            message = (
                "The service is not running. Start it with `clawdbot start`, or ask one question "
                "with `clawdbot chat --local`."
            )
            raise NotRunning(message) from error
        if not words:
            from clawdbot.cli.terminal import converse  # its library costs 0.3 s of CPU

            await converse(terminal, local, name)
            return "done"
        screen = Screen(terminal, grows=sys.stdout.isatty())
        dialogue = Dialogue(local, SystemClock(), name)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(dialogue.run(screen.show, screen.lost))
            state = await screen.ask(dialogue, words)
            running.cancel()
        return state


async def _here(terminal: Terminal, words: str, name: str) -> str:
    """Be the service, without channels, for as long as one answer takes."""
    from clawdbot.app.assembly import doors
    from clawdbot.app.serving import serve
    from clawdbot.ops.logs import logging_to

    home.prepare(terminal.home, terminal.language)
    loaded = terminal.unsealed()
    core = msgspec.structs.replace(loaded.core, gateway=Gateway(port=0))
    stop, started = asyncio.Event(), asyncio.Event()
    with ExitStack() as held:
        try:
            held.enter_context(home.lock(loaded.home))
        except HomeLocked as error:
            raise HomeLocked("The service is running: ask it without --local.") from error
        held.enter_context(logging_to(loaded.home, core.logs, Redactor(loaded.secrets)))
        async with asyncio.TaskGroup() as tasks:
            alone = replace(loaded, core=core, channels={})
            tasks.create_task(serve(alone, doors(), stop=stop, started=lambda _: started.set()))
            await started.wait()
            try:
                return await _there(terminal, words, name)
            finally:
                stop.set()
