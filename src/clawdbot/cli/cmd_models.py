"""`clawdbot models`: providers, routes, and the model servers that run on this machine."""

import asyncio
import re
from collections.abc import Sequence

import click
import msgspec

from clawdbot.cli.output import Terminal, json_option
from clawdbot.config.load import Loaded
from clawdbot.domain.errors import ModelFailed, ModelTimedOut, first_line
from clawdbot.domain.settings import Provider, Route, When
from clawdbot.models.endpoint import Endpoint
from clawdbot.models.probe import PORTS, Found, discover
from clawdbot.models.request import Provider as Codec
from clawdbot.ops.lines import Redactor

_SHOWN_MOST = 6
_PATIENCE_S = 5.0


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    protocol: str
    url: str
    model: str
    has_key: bool
    offers: tuple[str, ...] = ()
    problem: str = ""


@click.command()
@click.option("--find/--no-find", default=True, help="Ask the endpoints and this machine's ports.")
@click.option(
    "--port", "ports", multiple=True, type=int, help="Look at this port instead of the usual ones."
)
@json_option
@click.pass_obj
def command(terminal: Terminal, *, find: bool, ports: tuple[int, ...]) -> None:
    """List providers and routes, and find local model servers."""
    loaded = terminal.unsealed()
    providers, found = asyncio.run(_asked(terminal, loaded, (ports or PORTS) if find else ()))
    routes = loaded.core.model_routing
    say = terminal.say
    rows = [(say("provider"), each.name, *_endpoint(terminal, each)) for each in providers]
    rows += [(say("route"), name, *_way(terminal, route)) for name, route in routes.items()]
    rows += [(say("found"), each.kind, _few(each.models), each.url) for each in found]
    value = {"providers": providers, "routes": routes, "found": found}
    terminal.listing(("What", "Name", "Model", "Details"), rows, value)
    if found and not terminal.as_json:
        click.echo("\n" + say("To use what was found, write into clawdbot.yaml:"))
        click.echo(_lines(found))


async def _asked(
    terminal: Terminal, loaded: Loaded, ports: Sequence[int]
) -> tuple[list[_Listed], list[Found]]:
    from clawdbot.app.adapters import providers_of
    from clawdbot.net.client import Client

    core, redact = loaded.core, Redactor(loaded.secrets)
    async with Client(core.net) as client:
        codecs = providers_of(core, client)
        listed = [
            _listed(terminal, name, settings, codecs[name] if ports else None, redact)
            for name, settings in core.providers.items()
        ]
        providers = await asyncio.gather(*listed)
        found = await discover(client, ports)
    ours = {settings.url for settings in core.providers.values()}
    return [*providers], [each for each in found if each.url not in ours]


async def _listed(
    terminal: Terminal, name: str, settings: Provider, codec: Codec | None, redact: Redactor
) -> _Listed:
    offers, problem = list[str](), ""
    if isinstance(codec, Endpoint) and settings.url:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                offers = await codec.models()
        except ModelFailed as failure:
            problem = terminal.say(first_line(type(failure)))
        except TimeoutError:
            problem = terminal.say(first_line(ModelTimedOut))
    return _Listed(
        name=name,
        protocol=settings.protocol,
        url=redact(settings.url),
        model=settings.model,
        has_key=bool(settings.auth),
        offers=tuple(offers),
        problem=problem,
    )


def _endpoint(terminal: Terminal, listed: _Listed) -> tuple[str, str]:
    say = terminal.say
    details = [f"{listed.protocol} {listed.url}".strip()]
    if listed.url:
        details.append(say("with a key") if listed.has_key else say("without a key"))
    if listed.offers:
        details.append(say("offers {models}", models=_few(listed.offers)))
    return listed.model, "; ".join([*details, *filter(None, [listed.problem])])


def _way(terminal: Terminal, route: Route) -> tuple[str, str]:
    say, when = terminal.say, route.when or When()
    limits = say(
        "at most {number} tokens, temperature {degree}",
        number=route.max_tokens,
        degree=f"{route.temperature:g}",
    )
    for_whom = [", ".join(names) for names in (when.channels, when.users, when.commands) if names]
    details = [limits, *(say("for {names}", names=names) for names in for_whom)]
    return f"{route.provider} {route.model}".strip(), "; ".join(details)


def _few(models: Sequence[str]) -> str:
    more = len(models) - _SHOWN_MOST
    return ", ".join([*models[:_SHOWN_MOST], *([f"+{more}"] if more > 0 else [])])


def _lines(found: list[Found]) -> str:
    entries = {
        re.sub(r"\W", "-", each.kind.lower()): {
            "url": each.url,
            **({"model": each.models[0]} if each.models else {}),
        }
        for each in found
    }
    settings = {
        "providers": entries,
        "model_routing": {"default": {"provider": next(iter(entries))}},
    }
    return msgspec.yaml.encode(settings).decode().rstrip()
