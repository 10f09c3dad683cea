"""Every adapter by its name: providers, channels, and what set-up asks of them."""

from collections.abc import AsyncIterator, Callable
from functools import partial

import msgspec

from clawdbot.app.unseal import unsealed
from clawdbot.channels.telegram.channel import Telegram
from clawdbot.channels.telegram.settings import Settings as TelegramSettings
from clawdbot.config.load import Loaded
from clawdbot.config.save import imagined, prepared
from clawdbot.domain.bus import Bus
from clawdbot.domain.caps import Caps, Streaming, Unit
from clawdbot.domain.errors import Failure, first_line
from clawdbot.domain.inbound import Address
from clawdbot.domain.ports import Channel, Clock
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Core, Gateway, Protocol, Provider, Session
from clawdbot.domain.text import say
from clawdbot.gateway.setup import Answers, Finding, Outside
from clawdbot.gateway.supervisor import Supervisor
from clawdbot.models import request
from clawdbot.models.endpoint import Endpoint
from clawdbot.models.probe import probe
from clawdbot.models.providers.anthropic import Anthropic
from clawdbot.models.providers.openai import OpenAi
from clawdbot.models.providers.scripted import Scripted
from clawdbot.net.client import Client
from clawdbot.panel.configured import Settled

# Our own sockets show text as it grows; what is committed to the transcript is delivered.
_SOCKET = Caps(text_max=1_000_000, unit=Unit.CODEPOINT, stream=Streaming.SOCKET)
# A conversation on our own pages ends when its user begins another.
_OWN_SESSION = Session(idle_s=365 * 86400.0, max_age_s=365 * 86400.0)


def providers_of(core: Core, client: Client) -> dict[str, request.Provider]:
    """Make every provider of the settings, by name."""
    return {name: provider_of(settings, client) for name, settings in core.providers.items()}


def provider_of(settings: Provider, client: Client) -> request.Provider:
    """Make the codec for an endpoint."""
    match settings.protocol:
        case Protocol.OPENAI:
            return Endpoint(settings, OpenAi(), client)
        case Protocol.ANTHROPIC:
            return Endpoint(settings, Anthropic(), client)
        case Protocol.OFFLINE:
            return _Offline()
        case Protocol.SCRIPTED:
            return Scripted(settings.script)


class _Offline:
    """The offline assistant, loaded with its first question: most installations never ask one."""

    async def complete(self, ask: request.Ask) -> AsyncIterator[request.Delta]:
        from clawdbot.models.providers.offline import Offline  # noqa: PLC0415

        async for delta in Offline().complete(ask):
            yield delta


def channel_of(
    account: str,
    settings: msgspec.Struct,
    client: Client,
    gateway: Gateway,
    clock: Clock,
    bus: Bus,
) -> Channel:
    """Make the adapter that a settings section is for."""
    if isinstance(settings, TelegramSettings):
        return Telegram(account, settings, client, gateway.public_url, clock, bus)
    raise TypeError(type(settings))


def policy_of(loaded: Loaded, kind: str, account: str) -> Session:
    """Find the session policy of a channel account."""
    settings = loaded.channels.get(kind, {}).get(account)
    return settings.session if isinstance(settings, TelegramSettings) else _OWN_SESSION


def caps_of(supervisor: Supervisor, to: Address) -> Caps:
    """Tell what can be done at an address; without a channel it is one of our own sockets."""
    channel = supervisor.find(to)
    return channel.caps if channel is not None else _SOCKET


def outside_of(
    loaded: Loaded, client: Client, clock: Clock, bus: Bus, reload: Callable[[], None]
) -> Outside:
    """Give set-up what it reaches of the world: live checks, the settings' files, a new start."""
    there = loaded.channels.get("telegram", {}).get("main")
    known = there if isinstance(there, TelegramSettings) else TelegramSettings()

    async def check_model(answers: Answers) -> Finding:
        settings = Provider(url=answers.endpoint, auth=Secret(answers.key), model=answers.model)
        try:
            seen = await probe(provider_of(settings, client), clock)
        except Failure as error:
            return Finding(good=False, text=say(answers.language, first_line(type(error))))
        return Finding(good=True, text=seen.model)

    async def check_telegram(answers: Answers) -> Finding:
        settings = msgspec.structs.replace(known, token=Secret(answers.telegram))
        health = await Telegram("check", settings, client, "", clock, bus).health()
        return Finding(good=health.up, text=health.reason)

    return Outside(
        check_model=check_model,
        check_telegram=check_telegram,
        prepare=partial(prepared, loaded),
        held={"language": loaded.core.language, "timezone": loaded.core.timezone},
        telegram_url=known.base_url,
        reload=reload,
    )


def settled_of(loaded: Loaded, client: Client, clock: Clock, bus: Bus) -> Settled:
    """Give the panel the settings as they hold, and the hands that try and write others."""
    gateway = loaded.core.gateway
    return Settled(
        core=loaded.core,
        channels=loaded.channels,
        sections=loaded.sections,
        origins=loaded.origins,
        prepare=partial(prepared, loaded),
        imagine=lambda values: unsealed(imagined(loaded, values)),
        written=lambda: imagined(loaded, {}),
        channel=lambda account, own: channel_of(account, own, client, gateway, clock, bus),
        codec=lambda provider: provider_of(provider, client),
    )
