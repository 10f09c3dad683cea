"""Facts become Prometheus' text: counted, kept at their last value, or spread over buckets."""

from clawdbot.domain.bus import Bus
from clawdbot.ops.metrics import Metrics


async def lines(bus: Bus, metrics: Metrics) -> list[str]:
    async def levels() -> dict[str, float]:
        return {"outbox_depth": 3.0}

    return (await metrics.text(levels)).decode().splitlines()


async def test_facts_are_counted_by_their_labels() -> None:
    metrics = Metrics(bus := Bus())
    for outcome in ("turn", "turn", "refused"):
        bus.tell("accepted", 1, "telegram", outcome)
    found = await lines(bus, metrics)
    assert 'clawdbot_accepted_total{channel="telegram",outcome="turn"} 2.0' in found
    assert 'clawdbot_accepted_total{channel="telegram",outcome="refused"} 1.0' in found


async def test_a_gauge_keeps_its_last_value() -> None:
    metrics = Metrics(bus := Bus())
    bus.tell("channel_up", 1, "telegram", "main")
    bus.tell("channel_up", 0, "telegram", "main")
    found = await lines(bus, metrics)
    assert 'clawdbot_channel_up{account="main",channel="telegram"} 0.0' in found


async def test_a_time_falls_into_every_bucket_it_does_not_exceed() -> None:
    metrics = Metrics(bus := Bus())
    for seconds in (0.1, 0.3, 400.0):
        bus.tell("turn_seconds", seconds)
    found = await lines(bus, metrics)
    for limit, count in (("0.1", 1), ("0.25", 1), ("0.5", 2), ("300.0", 2), ("+Inf", 3)):
        assert f'clawdbot_turn_seconds_bucket{{le="{limit}"}} {count}.0' in found
    assert "clawdbot_turn_seconds_count 3.0" in found
    assert "clawdbot_turn_seconds_sum 400.4" in found


async def test_what_never_happened_is_zero_and_levels_are_fresh() -> None:
    metrics = Metrics(bus := Bus())
    bus.tell("nobody counts this")
    found = await lines(bus, metrics)
    assert "clawdbot_turns_dead_total 0.0" in found
    assert "clawdbot_turn_seconds_count 0.0" in found
    assert "clawdbot_outbox_depth 3.0" in found


async def test_it_is_asked_again_and_again() -> None:
    metrics = Metrics(bus := Bus())
    before = await lines(bus, metrics)
    assert before == await lines(bus, metrics)
