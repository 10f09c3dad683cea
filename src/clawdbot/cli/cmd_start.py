"""`clawdbot start`: the service, before one's eyes or in the background.

One process owns a home folder. A restart, asked for or after set-up, is the same process with a
fresh program: terminal, process id and options stay as they are.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import msgspec
from msgspec.structs import replace

from clawdbot.cli import host
from clawdbot.cli.output import Terminal
from clawdbot.config import home, load
from clawdbot.ops import process
from clawdbot.ops.lines import Redactor, neutral
from clawdbot.ops.process import Started

_OUTPUT = "logs/start.log"
_LAST_LINES = 20


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="The port of the control panel.")
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@click.option("--background", is_flag=True, help="Return as soon as the service runs.")
@click.option("--ready", type=int, hidden=True)
@click.pass_obj
def command(
    terminal: Terminal,
    *,
    port: int | None,
    no_browser: bool,
    background: bool,
    ready: int | None,
) -> None:
    """Start the assistant."""
    home.prepare(terminal.home, terminal.language)
    if background:
        told, pid = _launched(terminal, port)
        stop = terminal.say("Stop it with `clawdbot stop`; it is process {pid}.", pid=pid)
        _show(terminal, told, stop, browser=not no_browser)
        return

    def started(told: Started) -> None:
        if ready is not None:
            os.write(ready, msgspec.json.encode(told))
            os.close(ready)
        else:
            _show(terminal, told, terminal.say("Stop it with Ctrl-C."), browser=not no_browser)

    with home.lock(terminal.home):
        again = asyncio.run(_serve(terminal, port, started))
    if again is not None:
        process.again([*again, "--no-browser"])


async def _serve(
    terminal: Terminal, port: int | None, started: Callable[[Started], None]
) -> list[str] | None:
    """Run until told to stop; where it is to start again, tell with which arguments."""
    with _lightly():
        from clawdbot.app.assembly import doors
        from clawdbot.app.serving import serve
        from clawdbot.ops.logs import logging_to

    loaded = terminal.unsealed()
    gateway = loaded.core.gateway
    if port is not None:
        gateway = msgspec.structs.replace(gateway, port=port)
        loaded = replace(loaded, core=msgspec.structs.replace(loaded.core, gateway=gateway))
    stop = asyncio.Event()
    # Whoever looks at a port that the system chose finds it again after a restart.
    kept = [port]

    def listening(told: Started) -> None:
        if gateway.port == 0:
            kept[0] = told.port
        started(told)

    redact = Redactor(loaded.secrets)
    console = sys.stderr if sys.stderr.isatty() else None
    colour = terminal.colour(sys.stderr)
    with (
        logging_to(loaded.home, loaded.core.logs, redact, console=console, colour=colour),
        process.ending(stop.set),
    ):
        again = await serve(loaded, doors(), stop=stop, started=listening)
    return _arguments(terminal, kept[0]) if again else None


@contextmanager
def _lightly() -> Iterator[None]:
    """Load modules in two thirds of the time, 6 MiB smaller.

    Nothing that is loaded is garbage yet, and structlog does without rich where there is none.
    """
    gc.disable()
    sys.modules["rich"] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        with load.without_authorities():
            yield
    finally:
        del sys.modules["rich"]
        gc.freeze()
        gc.enable()
        # A turn's objects go by their counts: a look after every 700 new ones costs 5 % of its CPU.
        gc.set_threshold(20_000, 20, 20)


def _launched(terminal: Terminal, port: int | None) -> tuple[Started, int]:
    """Start the service in the background; tell why where it does not come up."""
    output = terminal.home / _OUTPUT
    if sys.stderr.isatty():
        click.echo(terminal.say("Starting ..."), err=True)
    launched = process.launch(_arguments(terminal, port), output)
    if launched.told:
        return msgspec.json.decode(launched.told, type=Started), launched.pid
    click.echo(terminal.say("The service did not start."), err=True)
    for line in output.read_text(errors="replace").splitlines()[-_LAST_LINES:]:
        click.echo(neutral(line), err=True)
    raise click.exceptions.Exit(max(launched.code, 1))


def _arguments(terminal: Terminal, port: int | None) -> list[str]:
    usual = load.user_language(terminal.home, terminal.environ)
    spoken = [] if terminal.language == usual else ["--lang", terminal.language]
    chosen = [] if port is None else ["--port", str(port)]
    return ["--home", str(terminal.home), *spoken, "start", *chosen]


def _show(terminal: Terminal, told: Started, stop: str, *, browser: bool) -> None:
    """Tell where the panel is, what to do next and how to stop."""
    say = terminal.say
    if told.setup_code:
        lines = [say("Clawdbot runs. Set it up within 15 minutes at {link}", link=told.link)]
    else:
        lines = [say("Clawdbot runs. Control panel: {link}", link=told.link)]
    lines += [say("Talk to it here with `clawdbot chat`."), stop]
    click.echo("\n".join(lines))
    if browser and host.has_desktop(terminal.environ, os.getuid()):
        process.browse(told.link)
