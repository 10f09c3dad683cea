"""What a model costs: the settings' word, else the published price of its family (`prices.tsv`)."""

from functools import cache, lru_cache
from importlib.resources import files

from clawdbot.domain.settings import Price, Protocol, Provider
from clawdbot.models.request import Used

_MILLION = 1_000_000


def price_of(provider: Provider, model: str) -> Price | None:
    """Find a model's price; None where nobody told it, which is not the same as nothing."""
    if provider.price is not None:
        return provider.price
    if provider.protocol is Protocol.OFFLINE:
        return Price()
    return _of_family(model.lower().rpartition("/")[2])


def cost(provider: Provider | None, used: Used) -> float:
    """Tell what a call cost in US dollars; 0 where its price is unknown."""
    price = price_of(provider, used.model) if provider is not None else None
    if price is None:
        return 0.0
    return (used.tokens_in * price.in_ + used.tokens_out * price.out) / _MILLION


@lru_cache(maxsize=64)
def _of_family(name: str) -> Price | None:
    families = [family for family in _published() if _within(name, family)]
    return _published()[max(families, key=len)] if families else None


def _within(name: str, family: str) -> bool:
    """Tell whether a name is a family's, or one with a date or kind behind it."""
    return name == family or (name.startswith(family) and name[len(family)] in "-:@")


@cache
def _published() -> dict[str, Price]:
    text = (files("clawdbot.models") / "prices.tsv").read_text("utf-8")
    lines = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {family: Price(in_=float(in_), out=float(out)) for family, in_, out in lines}
