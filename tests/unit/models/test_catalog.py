import pytest

from clawdbot.domain.settings import Price, Protocol, Provider
from clawdbot.models.catalog import cost, price_of
from clawdbot.models.request import Used

CLOUD = Provider(url="https://models.example/v1")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-5", (1.25, 10)),
        ("gpt-5-2025-08-07", (1.25, 10)),
        ("gpt-5-mini-2025-08-07", (0.25, 2)),
        ("openai/GPT-4o-mini", (0.15, 0.6)),
        ("claude-opus-4-5@20251101", (5, 25)),
        ("claude-opus-4-20250514", (15, 75)),
    ],
)
def test_a_model_costs_what_the_nearest_family_costs(
    model: str, expected: tuple[float, float]
) -> None:
    price = price_of(CLOUD, model)
    assert price is not None
    assert expected == (price.in_, price.out)


@pytest.mark.parametrize("model", ["", "gpt-50", "gpt-5.99", "my-gpt-5", "llama3.2:3b"])
def test_an_unknown_model_has_no_price(model: str) -> None:
    assert price_of(CLOUD, model) is None


def test_the_settings_word_stands_above_the_catalogue() -> None:
    ours = Provider(price=Price(in_=1, out=2))
    assert 7.0 == cost(ours, Used(tokens_in=3_000_000, tokens_out=2_000_000, model="gpt-5"))
    assert 0.0 == cost(Provider(price=Price()), Used(tokens_in=9, tokens_out=9, model="gpt-5"))


def test_what_is_ours_or_unknown_costs_nothing() -> None:
    used = Used(tokens_in=9, tokens_out=9, model="gpt-5")
    assert 0.0 == cost(Provider(protocol=Protocol.OFFLINE), used)
    assert 0.0 == cost(None, used)
