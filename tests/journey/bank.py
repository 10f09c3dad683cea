"""The service with a bank among its tools: what it pays is written to `paid` in its home."""

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
from msgspec.structs import replace

from clawdbot.app.assembly import doors
from clawdbot.app.sections import SECTIONS
from clawdbot.app.serving import serve
from clawdbot.config.load import load
from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.ops.lines import Redactor
from clawdbot.ops.logs import logging_to
from clawdbot.ops.process import Started
from clawdbot.tools.registry import Grant, Tool


def bank(home: Path) -> Tool:
    """Make the tool that always asks."""

    async def pay(_: Grant, to: str, amount: int, purpose: str = "") -> str:
        """Pay somebody."""
        with (home / "paid").open("a") as file:
            file.write(f"{amount} {to}\n")
        return f"paid {amount} to {to}{purpose and ' for '}{purpose}"

    sinks = (Sink("to", SinkKind.NAME), Sink("amount", SinkKind.AMOUNT))
    manifest = Manifest(name="pay", effect=Effect.MONEY, sinks=sinks)
    return Tool(manifest=manifest, description="Pay somebody", act=pay)


async def _main(home: Path, port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    loaded = load(home, {}, SECTIONS)
    gateway = msgspec.structs.replace(loaded.core.gateway, port=port)
    core = msgspec.structs.replace(loaded.core, gateway=gateway)

    def started(where: Started) -> None:
        print(where.link, flush=True)

    outside = replace(doors(), tools=(bank(home),))
    with logging_to(home, core.logs, Redactor(loaded.secrets)):
        await serve(replace(loaded, core=core), outside, stop=stop, started=started)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[2]), int(sys.argv[-1])))
