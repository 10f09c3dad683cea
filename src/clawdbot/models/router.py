"""Which provider answers, how its failures are met, when the emergency route takes over.

Until the first token all calls for an answer share one deadline, whose last part is kept for the
emergency route. Where an answer breaks off in the middle a Reset comes before anything else.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from itertools import count
from math import inf
from zlib import crc32

import msgspec
import structlog

from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import (
    ModelFailed,
    ModelHostUnknown,
    ModelLimited,
    ModelMalformed,
    ModelRejected,
    ModelTimedOut,
    ModelUnset,
    first_line,
)
from clawdbot.domain.ports import Clock
from clawdbot.domain.settings import Core, Route, When
from clawdbot.models.breaker import Breaker, BreakerState, backoff
from clawdbot.models.request import Ask, Delta, Provider, Request, Reset, Used

EMERGENCY = "emergency"
DEFAULT = "default"


class Leg(msgspec.Struct, frozen=True):
    """One route of an answer; `last` says that no other comes after it."""

    route: str
    provider: str
    ask: Ask
    last: bool


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider fares: its breaker, the last failure, and whether nothing was better since.

    Until it `answered` once in this life nobody knows.
    """

    state: BreakerState
    wait_s: float = 0.0
    ailing: bool = False
    answered: bool = False
    failure: str = ""
    detail: str = ""
    failed_at: float | None = None


class Router:
    """Chooses a route for each request and streams its provider's answer."""

    def __init__(
        self,
        settings: Core,
        providers: Mapping[str, Provider],
        bus: Bus,
        clock: Clock,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._providers = providers
        self._bus = bus
        self._clock = clock
        self._pause = pause
        limits = settings.models
        self._breakers = {
            name: Breaker(limits.breaker_failures, limits.breaker_open_s) for name in providers
        }
        self._failures: dict[str, ModelFailed] = {}
        self._failed_at: dict[str, float] = {}
        self._ailing: set[str] = set()
        self._answered: set[str] = set()
        self._log = structlog.get_logger("models")

    async def complete(self, request: Request) -> AsyncIterator[Delta]:
        """Stream one answer, ending with Used; raises a ModelFailed kind."""
        limits, begun = self._settings.models, self._clock.monotonic()
        main, spare = self._legs(request)
        share = max(limits.first_token_s - limits.emergency_s, limits.first_token_s / 2)
        share = share if spare else limits.first_token_s
        try:
            async with aclosing(self._tried(main, share)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        except ModelFailed as failure:
            self._log.warning(
                "model failed",
                provider=main.provider,
                kind=type(failure).__name__,
                error=str(failure),
                emergency=spare is not None,
            )
            if spare is None:
                raise
            first = failure
        self._bus.tell("model_fallbacks")
        left = limits.first_token_s - (self._clock.monotonic() - begun)
        try:
            async with aclosing(self._tried(spare, max(left, limits.emergency_s))) as deltas:
                async for delta in deltas:
                    yield delta
        except ModelFailed as failure:
            raise first from failure

    def report(self) -> dict[str, Standing]:
        """Tell how every provider fares, by name."""
        return {name: self._standing(name) for name in self._providers}

    def _standing(self, provider: str) -> Standing:
        state, wait_s = self._breakers[provider].state(self._clock.monotonic())
        answered = provider in self._answered
        failure = self._failures.get(provider)
        if failure is None:
            return Standing(state=state, answered=answered)
        sentence, detail = first_line(type(failure)), str(failure)
        return Standing(
            state=state,
            wait_s=wait_s,
            ailing=provider in self._ailing,
            answered=answered,
            failure=sentence,
            detail=detail if detail != sentence else "",
            failed_at=self._failed_at[provider],
        )

    def _legs(self, request: Request) -> tuple[Leg, Leg | None]:
        """Find the route, and the emergency's where another provider has it."""
        routes = self._settings.model_routing
        name = choose(routes, request)
        main, spare = routes.get(name), routes.get(EMERGENCY)
        if main is None or main.provider not in self._providers:
            raise ModelUnset
        if spare is None or spare.provider not in self._providers.keys() - {main.provider}:
            return Leg(name, main.provider, _ask(main, request), last=True), None
        last = Leg(EMERGENCY, spare.provider, _ask(spare, request), last=True)
        return Leg(name, main.provider, _ask(main, request), last=False), last

    async def _tried(self, leg: Leg, window_s: float) -> AsyncGenerator[Delta, None]:
        """Call a provider until it answers; after a Reset the window to a first token is new."""
        breaker, now = self._breakers[leg.provider], self._clock.monotonic()
        allowed = breaker.allowance(now)
        if not allowed:
            known = self._failures[leg.provider]
            raise type(known)(str(known))
        retries = self._settings.providers[leg.provider].retries
        deadline = now + window_s
        for attempt in count():
            heard = False
            try:
                limit = min(allowed, deadline - self._clock.monotonic())
                async with aclosing(self._call(leg, limit)) as deltas:
                    async for delta in deltas:
                        heard = True
                        yield delta
                breaker.succeeded()
                self._ailing.discard(leg.provider)
                self._answered.add(leg.provider)
                return
            except ModelFailed as error:
                failure = error
            if heard:
                yield Reset(type(failure).__name__)
                deadline = self._clock.monotonic() + window_s
            hung = isinstance(failure, ModelTimedOut) and not heard
            wait = backoff(attempt, failure.after, crc32(self._clock.ulid().encode()) / 2**32)
            late = self._clock.monotonic() + wait >= deadline
            self._note(leg.provider, failure, hung=hung, late=late)
            # What hangs is not asked again while another provider can answer.
            pointless = allowed < inf or late or (hung and not leg.last)
            if pointless or not failure.retry or attempt >= retries:
                raise failure
            self._bus.tell("model_retries", 1, leg.provider)
            await self._pause(wait)

    async def _call(self, leg: Leg, limit_s: float) -> AsyncGenerator[Delta, None]:
        """Make one call, timed and counted, with `limit_s` to the first token."""
        begun, outcome, provider = self._clock.monotonic(), "stopped", leg.provider
        deltas = self._providers[provider].complete(leg.ask)
        try:
            try:
                async with asyncio.timeout(limit_s):
                    delta = await anext(deltas, None)
            except TimeoutError as error:
                raise ModelTimedOut(f"{provider}: nothing within {limit_s:.0f} s") from error
            first_s = self._clock.monotonic() - begun
            self._bus.tell("first_token_seconds", first_s, provider)
            while delta is not None:
                if isinstance(delta, Used):
                    outcome = "answered"
                    delta = self._used(leg, delta, first_s, self._clock.monotonic() - begun)
                yield delta
                delta = await anext(deltas, None)
            if outcome != "answered":
                raise ModelMalformed(f"{provider}: the answer has no end")
        except ModelFailed as failure:
            outcome = type(failure).__name__
            raise
        finally:
            self._bus.tell("model_calls", 1, provider, outcome)
            self._bus.tell("model_call_seconds", self._clock.monotonic() - begun, provider)
            if isinstance(deltas, AsyncGenerator):
                await deltas.aclose()

    def _used(self, leg: Leg, used: Used, first_s: float, whole_s: float) -> Used:
        self._bus.tell("tokens_in", used.tokens_in, leg.provider)
        self._bus.tell("tokens_out", used.tokens_out, leg.provider)
        return msgspec.structs.replace(
            used,
            provider=leg.provider,
            model=used.model or leg.ask.model,
            route=leg.route,
            first_token_s=first_s,
            whole_s=whole_s,
            emergency=leg.route == EMERGENCY,
        )

    def _note(self, provider: str, failure: ModelFailed, *, hung: bool, late: bool) -> None:
        """Have the breaker learn from a failure; what only our request can mend is none."""
        breaker, now = self._breakers[provider], self._clock.monotonic()
        if isinstance(failure, ModelLimited):
            if late and failure.after:
                breaker.hold(now, failure.after)
        elif failure.retry or isinstance(failure, ModelHostUnknown):
            breaker.failed(now, hung=hung)
        else:
            breaker.succeeded()
        self._failures[provider] = failure
        self._failed_at[provider] = self._clock.now()
        if not isinstance(failure, ModelRejected):
            self._ailing.add(provider)


def choose(routes: Mapping[str, Route], request: Request) -> str:
    """Name the route: the user's choice where it is open to them, else the most specific rule's."""
    rank = {
        name: rank
        for name, route in routes.items()
        if (rank := _rank(route.when or When(), request)) is not None
    }
    if request.route in rank:
        return request.route
    ruled = [name for name in rank if routes[name].when is not None]
    return max(ruled, key=rank.__getitem__, default=DEFAULT)


def _rank(when: When, request: Request) -> tuple[int, ...] | None:
    """Tell how narrowly a rule fits a request: by more lists first; None where it does not fit."""
    lists = (
        (when.commands, {request.command}),
        (when.users, {request.user, request.name}),
        (when.channels, {request.channel}),
    )
    if any(wanted and not have & {*wanted} for wanted, have in lists):
        return None
    narrow = [int(bool(wanted)) for wanted, _ in lists]
    return (sum(narrow), *narrow)


def _ask(route: Route, request: Request) -> Ask:
    return Ask(
        messages=request.messages,
        tools=request.tools,
        model=route.model,
        max_tokens=min(request.max_tokens or route.max_tokens, route.max_tokens),
        temperature=route.temperature,
        language=request.language,
    )
