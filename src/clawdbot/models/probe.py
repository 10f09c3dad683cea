"""What a provider tells of itself when it is asked once, and the model servers of this host."""

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec.structs import asdict

from clawdbot.domain.errors import ModelTimedOut
from clawdbot.domain.messages import own
from clawdbot.domain.ports import Clock
from clawdbot.models.endpoint import Endpoint, Told, names_of
from clawdbot.models.request import Ask, Provider, Used
from clawdbot.net.client import Client, NetFailed

# Ollama, llama.cpp (next door where we took its port), vLLM, LM Studio.
PORTS = (11434, 8080, 8081, 8000, 1234)

_QUESTION = "Count from 1 to 20 in digits, separated by blanks."
_TOKENS_MAX = 1000
_PATIENCE_S = 60.0
_LOOK_S = 1.5
_SHORT_S = 0.01
# Each server by a page, and a name on it, that the others do not have.
_PAGES = (
    ("Ollama", "/api/version", "version"),
    ("llama.cpp", "/props", "model_path"),
    ("LM Studio", "/api/v0/models", "data"),
    ("vLLM", "/version", "version"),
)


class Probe(Told, frozen=True, kw_only=True):
    """What one call showed; an empty `version` or `quota` says that the provider tells none."""

    first_token_s: float
    tokens_per_s: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A model server on this host."""

    kind: str
    url: str
    models: tuple[str, ...]


async def probe(provider: Provider, clock: Clock, model: str = "") -> Probe:
    """Ask a provider one small question; raises a ModelFailed kind."""
    ask = Ask(
        messages=(own(_QUESTION),),
        tools=(),
        model=model,
        max_tokens=_TOKENS_MAX,
        temperature=0.0,
    )
    if isinstance(provider, Endpoint):
        await provider.model(model)  # looking for one is no part of its latency
    begun = clock.monotonic()
    heard, used = 0.0, Used(tokens_in=0, tokens_out=0)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            async for delta in provider.complete(ask):
                heard = heard or clock.monotonic()
                if isinstance(delta, Used):
                    used = delta
    except TimeoutError as error:
        raise ModelTimedOut(f"no whole answer within {_PATIENCE_S:.0f} s") from error
    end = clock.monotonic()
    told = provider.told if isinstance(provider, Endpoint) else Told(model=used.model)
    # Tokens that came all at once were made before the first was seen.
    making = end - heard if end - heard > _SHORT_S else end - begun
    speed = used.tokens_out / making if making else 0.0
    return Probe(**asdict(told), first_token_s=heard - begun, tokens_per_s=speed)


async def discover(client: Client, ports: Sequence[int] = PORTS) -> list[Found]:
    """Find model servers on loopback, looking at all ports at once for a moment."""
    found = await asyncio.gather(*(_look(client, f"http://127.0.0.1:{port}") for port in ports))
    return [each for each in found if each is not None]


async def _look(client: Client, url: str) -> Found | None:
    try:
        async with asyncio.timeout(_LOOK_S):
            for kind, path, name in _PAGES:
                if name in await _page(client, url + path):
                    listed = await client.request("GET", f"{url}/v1/models", timeout_s=_LOOK_S)
                    return Found(kind=kind, url=f"{url}/v1", models=(*names_of(listed.body),))
    except (NetFailed, TimeoutError, msgspec.DecodeError):
        pass
    return None


async def _page(client: Client, url: str) -> dict[str, object]:
    answer = await client.request("GET", url, timeout_s=_LOOK_S)
    try:
        return msgspec.json.decode(answer.body, type=dict[str, object])
    except msgspec.DecodeError:
        return {}
