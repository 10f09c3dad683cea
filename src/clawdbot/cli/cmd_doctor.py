"""`clawdbot doctor`: what ails, why, and the line that mends it; also where no service runs."""

import asyncio
from collections.abc import AsyncIterator

import click

from clawdbot.cli.commands import leaves
from clawdbot.cli.output import Terminal, json_option
from clawdbot.cli.service import reached
from clawdbot.config.key import MasterKey
from clawdbot.domain.errors import Failure, ModelFailed
from clawdbot.gateway.control import Control
from clawdbot.ops import doctor
from clawdbot.ops.doctor import Finding
from clawdbot.tools.servers import Servers
from clawdbot.tools.trust import Trust


@click.command()
@click.option("--net", is_flag=True, help="Ask every route's provider a question, too.")
@json_option
@click.pass_obj
def command(terminal: Terminal, *, net: bool) -> None:
    """Tell what ails, why, and the line that mends it."""
    findings = asyncio.run(_found(terminal, net=net))
    say = terminal.say
    rows = [(f.area, say(f.how), f.text, f.remedy) for f in findings]
    terminal.listing(("What", "How it is", "Found", "Mend"), rows, findings)
    if not all(finding.ok for finding in findings):
        raise click.exceptions.Exit(Failure.exit_code)


async def _found(terminal: Terminal, *, net: bool) -> list[Finding]:
    say = terminal.say
    found = [*doctor.programs(terminal.language)]
    if terminal.home.exists():
        found.append(doctor.files(terminal.home, terminal.language))
    areas = (
        (say("Settings"), _settings),
        (say("Service"), _service),
        *(((say("Models"), _models),) if net else ()),
    )
    for area, look in areas:
        try:
            found += [finding async for finding in look(terminal)]
        except* Failure as group:
            ill = [doctor.failed(area, error, terminal.language) for error in leaves(group)]
            found += [each for each in ill if each.text not in {known.text for known in found}]
    return found


async def _settings(terminal: Terminal) -> AsyncIterator[Finding]:
    for finding in doctor.routes(terminal.load().core, terminal.language):
        yield finding
    yield doctor.master_key(MasterKey(terminal.home, terminal.environ).read(), terminal.language)


async def _service(terminal: Terminal) -> AsyncIterator[Finding]:
    async with reached(terminal) as hand:
        status = await hand.ask(Control.status)
        for finding in doctor.service(status, terminal.language):
            yield finding
        for finding in doctor.sandbox(status.sandbox, terminal.language):
            yield finding
        for finding in doctor.servers(await hand.ask(Servers.listed), terminal.language):
            yield finding
        for finding in doctor.plugins(await hand.ask(Trust.listed), terminal.language):
            yield finding
        yield doctor.record(await hand.ask(Control.verify, ""), terminal.language)


async def _models(terminal: Terminal) -> AsyncIterator[Finding]:
    from clawdbot.app.adapters import provider_of
    from clawdbot.config.clock import SystemClock
    from clawdbot.models.probe import probe
    from clawdbot.net.client import Client

    say, loaded = terminal.say, terminal.unsealed()
    names = {route.provider: route.model for route in loaded.core.model_routing.values()}
    async with Client(loaded.core.net) as client:
        for name, model in names.items():
            area, clock = say("Provider {name}", name=name), SystemClock()
            try:
                shown = await probe(provider_of(loaded.core.providers[name], client), clock, model)
            except ModelFailed as error:
                yield doctor.failed(area, error, terminal.language)
            else:
                yield Finding(area=area, ok=True, text=say("{model} answers", model=shown.model))
