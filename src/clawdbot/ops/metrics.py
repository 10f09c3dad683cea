"""Facts from the bus as Prometheus metrics.

`docs/metrics.md` lists every name. Facts are counted as plain numbers: Prometheus' library writes
them, and is loaded when somebody first asks.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from msgspec import Struct, field

from clawdbot.domain.bus import Bus
from clawdbot.domain.events import Fact

if TYPE_CHECKING:
    from prometheus_client import Metric

_FIRST_TOKEN_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30)
_WHOLE_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

# Fact on the bus: (metric, help, labels).
COUNTERS = {
    "accepted": ("accepted_total", "Deliveries by outcome", ("channel", "outcome")),
    "turns": ("turns_total", "Turns that ended, by how", ("state", "channel")),
    "turns_failed": ("turn_failures_total", "Tries of turns that failed", ()),
    "approvals": ("approvals_total", "Questions that were put to people", ("state",)),
    "turns_dead": ("turns_dead_total", "Turns that were dead-lettered", ()),
    "outbox": ("deliveries_total", "Outbox rows by new state", ("state", "channel")),
    "model_calls": ("model_calls_total", "Calls of model providers", ("provider", "outcome")),
    "model_retries": ("model_retries_total", "Repeated model calls", ("provider",)),
    "model_fallbacks": ("model_fallbacks_total", "Answers by the emergency route", ()),
    "model_failed": ("model_failures_total", "Questions no model answered", ("kind",)),
    "tokens_in": ("model_tokens_in_total", "Tokens sent to models", ("provider",)),
    "tokens_out": ("model_tokens_out_total", "Tokens got from models", ("provider",)),
    "tool_calls": ("tool_calls_total", "Tool calls by decision", ("tool", "decision")),
    "channel_restarts": ("channel_restarts_total", "Restarted channels", ("channel", "account")),
    "store_failed": ("store_failures_total", "Writes that had to be repeated", ("kind",)),
    "requests_failed": ("http_failures_total", "HTTP requests that failed inside", ()),
}
GAUGES = {
    "channel_up": ("channel_up", "1 while a channel works", ("channel", "account")),
}
HISTOGRAMS = {
    "first_token_seconds": (
        "model_first_token_seconds",
        "Time to the first token of one provider call",
        ("provider",),
        _FIRST_TOKEN_S,
    ),
    "model_call_seconds": (
        "model_call_seconds",
        "One whole provider call",
        ("provider",),
        _WHOLE_S,
    ),
    "turn_seconds": ("turn_seconds", "From accepted to committed", (), _WHOLE_S),
}
LEVELS = {
    "outbox_depth": "Outbox rows that wait",
    "outbox_oldest_seconds": "Age of the oldest outbox row that waits",
    "turns_waiting": "Turns that are not finished",
    "sandbox_mechanisms": "Sandbox mechanisms whose self-test passed; without any nothing runs",
    "turns_oldest_seconds": "Age of the oldest unfinished turn",
    "approvals_waiting": "Questions that wait for a yes",
    "approvals_oldest_seconds": "Age of the oldest question that waits",
}

Labels = tuple[str, ...]
Levels = Callable[[], Awaitable[dict[str, float]]]


class Metrics:
    """Counts the facts of a bus."""

    def __init__(self, bus: Bus) -> None:
        """Begin with nothing but what has no labels, and listen."""
        numbers = (*COUNTERS.items(), *GAUGES.items())
        self._numbers: dict[str, dict[Labels, float]] = {
            fact: {} if labels else {(): 0.0} for fact, (_, _, labels) in numbers
        }
        self._spreads: dict[str, dict[Labels, _Spread]] = {
            fact: {} if labels else {(): _Spread(buckets)}
            for fact, (_, _, labels, buckets) in HISTOGRAMS.items()
        }
        bus.subscribe(self._note)

    async def text(self, levels: Levels) -> bytes:
        """Write all metrics in Prometheus' text format, with fresh levels."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

        registry = CollectorRegistry()
        registry.register(_Found(list(self._families(await levels()))))
        return generate_latest(registry)

    def _note(self, fact: Fact) -> None:
        name, value, labels = fact.name, fact.value, fact.labels
        if name in COUNTERS:
            counted = self._numbers[name]
            counted[labels] = counted.get(labels, 0.0) + value
        elif name in HISTOGRAMS:
            spreads = self._spreads[name]
            if labels not in spreads:
                spreads[labels] = _Spread(HISTOGRAMS[name][3])
            spreads[labels].add(value)
        elif name in GAUGES:
            self._numbers[name][labels] = value

    def _families(self, levels: dict[str, float]) -> "Iterator[Metric]":
        from prometheus_client.core import (  # noqa: PLC0415
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        for kind, table in ((CounterMetricFamily, COUNTERS), (GaugeMetricFamily, GAUGES)):
            for fact, (name, text, labels) in table.items():
                family = kind(f"clawdbot_{name}", text, labels=labels)
                for values, number in self._numbers[fact].items():
                    family.add_metric(values, number)
                yield family
        for fact, (name, text, labels, _) in HISTOGRAMS.items():
            histogram = HistogramMetricFamily(f"clawdbot_{name}", text, labels=labels)
            for values, spread in self._spreads[fact].items():
                histogram.add_metric(values, spread.buckets(), spread.total)
            yield histogram
        for name, text in LEVELS.items():
            yield GaugeMetricFamily(f"clawdbot_{name}", text, value=levels.get(name, 0.0))


class _Spread(Struct):
    """How values are spread: `counts` of those up to each limit, the last of those above all."""

    limits: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.limits) + 1)

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.limits, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        names = [*(str(float(limit)) for limit in self.limits), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


class _Found(Struct, eq=False):
    """What the library collects; it keeps collectors in a dictionary."""

    families: "list[Metric]"

    def collect(self) -> "list[Metric]":
        return self.families
