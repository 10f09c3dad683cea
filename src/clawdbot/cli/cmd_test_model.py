"""`clawdbot test-model`: one small question to a provider, and what it shows; needs no service."""

import asyncio
from collections.abc import Iterator

import click
import msgspec

from clawdbot.cli.output import Terminal, json_option
from clawdbot.config.load import Loaded
from clawdbot.domain.errors import ModelFailed, ModelUnset, first_line
from clawdbot.models.probe import Probe, probe
from clawdbot.ops.lines import Redactor


@click.command()
@click.option("--provider", default="", help="Its name in the settings, else the default route's.")
@click.option("--model", default="", help="Another model than the settings name.")
@json_option
@click.pass_obj
def command(terminal: Terminal, *, provider: str, model: str) -> None:
    """Ask a model one question; tell version, latency, speed and quota."""
    loaded = terminal.unsealed()
    name = provider or loaded.core.model_routing["default"].provider
    try:
        shown = asyncio.run(_probed(terminal, loaded, name, model))
    except ModelFailed as failure:
        cause = terminal.say(first_line(type(failure)))
        detail, _ = failure.told(terminal.language)
        detail = "" if detail == cause else detail
        kind, text = type(failure), f"{name}: {cause}\n{detail}".strip()
        about = {"provider": name, "failure": kind.__name__, "cause": cause, "detail": detail}
        raise terminal.failure(kind(text), about) from failure
    settings = loaded.core.providers[name]
    where = " ".join(filter(None, (settings.protocol, Redactor(loaded.secrets)(settings.url))))
    rows = [(terminal.say("Provider"), f"{name} ({where})"), *_rows(terminal, shown)]
    value = {"provider": name, **msgspec.structs.asdict(shown), "quota": shown.quota}
    del value["headers"]
    terminal.listing(("What", "Value"), rows, value)


async def _probed(terminal: Terminal, loaded: Loaded, name: str, model: str) -> Probe:
    from clawdbot.app.adapters import provider_of
    from clawdbot.config.clock import SystemClock
    from clawdbot.net.client import Client

    if name not in loaded.core.providers:
        known = ", ".join(loaded.core.providers)
        raise ModelUnset(terminal.say("The settings have only: {names}", names=known))
    async with Client(loaded.core.net) as client:
        return await probe(provider_of(loaded.core.providers[name], client), SystemClock(), model)


def _rows(terminal: Terminal, shown: Probe) -> Iterator[tuple[str, str]]:
    say = terminal.say
    chosen = say("{model} (none is set; the first of the endpoint's list)", model=shown.model)
    nothing = say("the endpoint does not tell")
    yield say("Model"), (chosen if shown.listed else shown.model) or nothing
    yield say("Version"), shown.version or nothing
    yield say("First token"), f"{shown.first_token_s * 1000:.0f} ms"
    yield say("Speed"), say("{number} tokens/s", number=f"{shown.tokens_per_s:.0f}")
    for quota in shown.quota:
        total = f"{quota.remaining}" if quota.limit is None else f"{quota.remaining}/{quota.limit}"
        if quota.reset_s is not None:
            total = say(
                "{left}, full again in {seconds} s", left=total, seconds=f"{quota.reset_s:g}"
            )
        yield say("Quota left: {of}", of=quota.of), total
    if not shown.quota:
        yield say("Quota left"), nothing
