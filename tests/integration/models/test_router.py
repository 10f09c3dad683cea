"""The router between providers that fail as they are told, on a clock that the test sets."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

import pytest

from clawdbot.config.clock import SystemClock
from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import (
    ModelFailed,
    ModelHostUnknown,
    ModelKeyRejected,
    ModelLimited,
    ModelMalformed,
    ModelOverloaded,
    ModelQuotaSpent,
    ModelRefused,
    ModelTimedOut,
    ModelUnknown,
    ModelUnset,
)
from clawdbot.domain.events import Fact
from clawdbot.domain.messages import own
from clawdbot.domain.settings import Core, Models, Provider, Route, When
from clawdbot.models.request import Ask, Delta, Request, Reset, TextDelta, Used
from clawdbot.models.router import Router, choose

HELLO = Request(messages=(own("hello"),))
HANG = "hang"
ANSWER = ["one ", "two"]


@dataclass
class Watch:
    """A clock that goes on when it is told."""

    at: float = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def ulid(self) -> str:
        return f"{self.at}"


@dataclass
class Player:
    """A provider that plays one list a call (the last again and again): words, faults, waits."""

    watch: Watch
    plays: list[list[str | float | ModelFailed]]
    asked: list[Ask] = field(default_factory=list)
    closed: int = 0

    async def complete(self, ask: Ask) -> AsyncIterator[Delta]:
        self.asked.append(ask)
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        try:
            for step in play:
                if isinstance(step, ModelFailed):
                    raise step
                if isinstance(step, float):
                    self.watch.at += step
                elif step == HANG:
                    await asyncio.Event().wait()
                else:
                    yield TextDelta(step)
            yield Used(tokens_in=3, tokens_out=2, model="as-told")
        finally:
            self.closed += 1


class Stage:
    """A router with a main and an emergency provider."""

    def __init__(self, *plays, spare=(["spare"],), limits=None, clock=None, **routes):
        self.watch, self.facts, self.waits = Watch(), list[Fact](), list[float]()
        self.main = Player(self.watch, [*plays])
        self.spare = Player(self.watch, [*spare])
        bus = Bus()
        bus.subscribe(self.facts.append)
        routing = {"default": Route(provider="main"), "emergency": Route(provider="spare")}
        core = Core(
            providers={"main": Provider(), "spare": Provider()},
            model_routing=routing | routes,
            models=limits or Models(),
        )
        providers = {"main": self.main, "spare": self.spare}
        self.router = Router(core, providers, bus, clock or self.watch, self._pause)

    async def _pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.watch.at += seconds

    async def ask(self, request: Request = HELLO) -> list[Delta]:
        return [delta async for delta in self.router.complete(request)]

    async def fail(self) -> ModelFailed:
        with pytest.raises(ModelFailed) as caught:
            await self.ask()
        return caught.value

    def told(self, name: str) -> list[tuple[float, tuple[str, ...]]]:
        return [(fact.value, fact.labels) for fact in self.facts if fact.name == name]

    @property
    def calls(self) -> tuple[int, int]:
        return len(self.main.asked), len(self.spare.asked)


def text_of(deltas: list[Delta]) -> str:
    """Join the words as whoever shows them does."""
    text = ""
    for delta in deltas:
        text = "" if isinstance(delta, Reset) else text + getattr(delta, "text", "")
    return text


def used_of(deltas: list[Delta]) -> Used:
    used = deltas[-1]
    assert isinstance(used, Used)
    return used


async def test_an_answer_names_what_it_took() -> None:
    stage = Stage([2.0, *ANSWER, 1.0])
    deltas = await stage.ask()
    assert "one two" == text_of(deltas)
    expected = Used(
        tokens_in=3,
        tokens_out=2,
        provider="main",
        model="as-told",
        route="default",
        first_token_s=2.0,
        whole_s=3.0,
    )
    assert expected == used_of(deltas)
    assert [(2.0, ("main",))] == stage.told("first_token_seconds")
    assert [(3.0, ("main",))] == stage.told("model_call_seconds")
    assert [(1, ("main", "answered"))] == stage.told("model_calls")
    assert [(3, ("main",))] == stage.told("tokens_in")
    assert [(2, ("main",))] == stage.told("tokens_out")


async def test_three_retries_are_made_with_growing_waits() -> None:
    stage = Stage(*[[ModelOverloaded("busy")]] * 3, ANSWER)
    assert "one two" == text_of(await stage.ask())
    assert (4, 0) == stage.calls
    assert all(a / 2 <= wait <= a for a, wait in zip((0.25, 0.5, 1.0), stage.waits, strict=True))
    assert [(1, ("main",))] * 3 == stage.told("model_retries")
    outcomes = ["ModelOverloaded"] * 3 + ["answered"]
    assert outcomes == [labels[1] for _, labels in stage.told("model_calls")]


async def test_after_the_last_retry_the_emergency_route_answers() -> None:
    stage = Stage([ModelMalformed("?")])
    deltas = await stage.ask()
    assert ("spare", "emergency", True) == (
        text_of(deltas),
        used_of(deltas).route,
        used_of(deltas).emergency,
    )
    assert (4, 1) == stage.calls
    assert [(1, ())] == stage.told("model_fallbacks")


@pytest.mark.parametrize("kind", [ModelKeyRejected, ModelUnknown, ModelQuotaSpent])
async def test_what_a_retry_cannot_mend_goes_to_the_emergency_route_at_once(
    kind: type[ModelFailed],
) -> None:
    stage = Stage([kind("no")])
    for calls in ((1, 1), (2, 2), (3, 3), (4, 4)):
        assert "spare" == text_of(await stage.ask())
        assert calls == stage.calls
    assert [] == stage.waits


async def test_where_both_fail_the_first_failure_is_told() -> None:
    stage = Stage([ModelKeyRejected("first")], spare=[[ModelUnknown("second")]])
    failure = await stage.fail()
    assert (ModelKeyRejected, "first") == (type(failure), str(failure))


async def test_the_same_provider_is_no_emergency() -> None:
    stage = Stage([ModelKeyRejected("no")], emergency=Route(provider="main"))
    assert ModelKeyRejected is type(await stage.fail())
    assert (1, 0) == stage.calls


async def test_a_wish_to_wait_is_granted_while_there_is_time() -> None:
    stage = Stage([ModelLimited("slow down", after=20.0)], ANSWER)
    assert "one two" == text_of(await stage.ask())
    assert [20.0] == stage.waits


async def test_a_long_wish_to_wait_spares_the_provider_for_so_long() -> None:
    stage = Stage([ModelLimited("slow down", after=100.0)], ANSWER)
    for _ in range(2):
        assert "spare" == text_of(await stage.ask())
    assert (1, 2) == stage.calls
    stage.watch.at += 101
    assert "one two" == text_of(await stage.ask())


async def test_a_dead_provider_costs_one_time_out_and_not_one_a_turn() -> None:
    limits = Models(first_token_s=0.9, emergency_s=0.6)
    stage = Stage([HANG], [HANG], ANSWER, limits=limits)
    for _ in range(5):
        assert "spare" == text_of(await stage.ask())
    assert (1, 5) == stage.calls
    stage.watch.at += 31
    assert "spare" == text_of(await stage.ask())  # the probe hangs too
    stage.watch.at += 31
    assert "spare" == text_of(await stage.ask())  # spared for twice as long
    assert (2, 7) == stage.calls
    stage.watch.at += 31
    assert "one two" == text_of(await stage.ask())
    assert "one two" == text_of(await stage.ask())
    assert (4, 7) == stage.calls


@pytest.mark.parametrize("kind", [ModelRefused, ModelHostUnknown])
async def test_a_provider_that_keeps_failing_is_spared(kind: type[ModelFailed]) -> None:
    stage = Stage([kind("gone")], emergency=Route(provider="main"))
    while not stage.facts or stage.calls[0] < 3:
        await stage.fail()
    calls = stage.calls
    for _ in range(3):
        failure = await stage.fail()
        assert (kind, "gone") == (type(failure), str(failure))
    assert calls == stage.calls


async def test_the_emergency_route_has_the_last_part_of_the_deadline() -> None:
    limits = Models(first_token_s=0.9, emergency_s=0.6)
    stage = Stage([HANG], spare=[[HANG]], limits=limits, clock=SystemClock())
    begun = asyncio.get_running_loop().time()
    assert ModelTimedOut is type(await stage.fail())
    took = asyncio.get_running_loop().time() - begun
    assert 0.9 <= took
    assert (1, 1) == stage.calls
    asked = [value for value, _ in stage.told("model_call_seconds")]
    assert 0.44 <= asked[0] < took  # at least half of the time is the first route's


async def test_retries_end_with_the_time_for_the_first_token() -> None:
    stage = Stage([12.0, ModelOverloaded("busy")])
    assert "spare" == text_of(await stage.ask())
    assert (3, 1) == stage.calls


async def test_an_answer_that_breaks_off_starts_over() -> None:
    stage = Stage(["one ", "tw", 50.0, ModelOverloaded("cut")], ["one", ModelTimedOut("")], ANSWER)
    deltas = await stage.ask()
    assert "one two" == text_of(deltas)
    assert [Reset("ModelOverloaded"), Reset("ModelTimedOut")] == [
        delta for delta in deltas if isinstance(delta, Reset)
    ]
    assert (3, 0) == stage.calls


async def test_an_answer_that_breaks_off_may_be_given_by_the_emergency_route() -> None:
    stage = Stage([1.0, "one", 60.0, ModelOverloaded("cut")])
    deltas = await stage.ask()
    assert ("spare", True) == (text_of(deltas), used_of(deltas).emergency)
    assert (4, 1) == stage.calls


async def test_a_stopped_answer_ends_the_call() -> None:
    stage = Stage(["one", HANG])
    answer = stage.router.complete(HELLO)
    assert TextDelta("one") == await anext(answer)
    assert isinstance(answer, AsyncGenerator)
    await answer.aclose()
    assert 1 == stage.main.closed
    assert [(1, ("main", "stopped"))] == stage.told("model_calls")


async def test_an_answer_without_an_end_is_none() -> None:
    class Silent:
        async def complete(self, ask: Ask) -> AsyncIterator[Delta]:
            for text in ask.model:
                yield TextDelta(text)

    core = Core(
        providers={"main": Provider(retries=0)}, model_routing={"default": Route(provider="main")}
    )
    router = Router(core, {"main": Silent()}, Bus(), Watch())
    with pytest.raises(ModelMalformed):
        await anext(aiter(router.complete(HELLO)))


async def test_without_a_provider_there_is_no_answer() -> None:
    for routes in ({}, {"default": Route(provider="gone")}):
        router = Router(Core(model_routing=routes), {}, Bus(), Watch())
        with pytest.raises(ModelUnset):
            await anext(aiter(router.complete(HELLO)))


async def test_the_route_settles_model_and_limits() -> None:
    route = Route(provider="main", model="m", max_tokens=100, temperature=0.1)
    stage = Stage(ANSWER, default=route)
    await stage.ask()
    await stage.ask(Request(messages=(), max_tokens=7))
    await stage.ask(Request(messages=(), max_tokens=700))
    limits = [(ask.model, ask.temperature, ask.max_tokens) for ask in stage.main.asked]
    assert [("m", 0.1, 100), ("m", 0.1, 7), ("m", 0.1, 100)] == limits


ROUTES = {
    "default": Route(provider="p"),
    "emergency": Route(provider="q"),
    "open": Route(provider="p"),
    "chat": Route(provider="p", when=When(channels=("telegram", "web"))),
    "ann": Route(provider="p", when=When(users=("ann",))),
    "ann-on-web": Route(provider="p", when=When(users=("ann",), channels=("web",))),
    "deep": Route(provider="p", when=When(commands=("deep", "think"))),
}


@pytest.mark.parametrize(
    ("expected", "request_"),
    [
        ("default", Request(messages=())),
        ("default", Request(messages=(), channel="terminal", user="bob")),
        ("chat", Request(messages=(), channel="telegram", user="bob")),
        ("ann", Request(messages=(), channel="telegram", user="ann")),
        ("ann", Request(messages=(), channel="terminal", user="01ARZ", name="ann")),
        ("ann-on-web", Request(messages=(), channel="web", user="ann")),
        ("deep", Request(messages=(), channel="telegram", command="deep")),
        ("ann-on-web", Request(messages=(), channel="web", user="ann", command="deep")),
        ("open", Request(messages=(), channel="web", user="ann", route="open")),
        ("emergency", Request(messages=(), route="emergency")),
        ("default", Request(messages=(), route="gone")),
        # A rule's route is not open to those it is not for, though they ask for it.
        ("default", Request(messages=(), user="bob", route="ann")),
    ],
)
def test_the_most_specific_route_is_chosen(expected: str, request_: Request) -> None:
    assert expected == choose(ROUTES, request_)
