"""Providers and routes: how each fares, what it is set to, what was used and may be spent.

Saving checks by the settings' own rules, and starts the service anew with them.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import msgspec
from aiohttp import web

from clawdbot.domain.errors import BadInput, ModelFailed, first_line
from clawdbot.domain.people import Area
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.domain.settings import Budgets, Provider, Route
from clawdbot.domain.text import say, told
from clawdbot.gateway import days
from clawdbot.gateway.boards import Board
from clawdbot.gateway.route import Caller
from clawdbot.gateway.setup import Finding
from clawdbot.models.probe import Probe, probe
from clawdbot.models.router import DEFAULT, EMERGENCY, Router, Standing
from clawdbot.panel.configured import Configured, Given, Setting, changes, checked
from clawdbot.store import usage

_DAYS_MOST, _DAYS_USUAL = 92, 30
_FIRST = date(1970, 1, 1)
_KINDS: dict[str, type[msgspec.Struct]] = {"providers": Provider, "model_routing": Route}
_BUDGETS = "budgets"
# They are there without being written.
_ALWAYS = frozenset({"external", "fallback", DEFAULT, EMERGENCY})


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A provider or a route; `fixed` names the file of the user's that part of it is written in."""

    name: str
    settings: tuple[Setting, ...]
    fixed: str = ""
    standing: Standing | None = None
    removable: bool = False


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All providers and routes, the budgets, and a blank of each kind for a new one."""

    providers: tuple[Shown, ...]
    routes: tuple[Shown, ...]
    budgets: tuple[Setting, ...]
    blanks: dict[str, tuple[Setting, ...]]


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider or a route as a form sends it; a secret that is not typed stays as it is."""

    name: str
    settings: Given = {}

    def __repr__(self) -> str:
        """Print no secret."""
        return f"Wish({self.name})"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The budgets as a form sends them."""

    settings: Given = {}


class Period(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From which day to which, both included; without them the last thirty."""

    since: date | None = None
    until: date | None = None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What a user, a model or a day used; cost in US dollars."""

    name: str
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What was used in some days, in all and by user, model and day; and today's money."""

    since: date
    until: date
    total: Share
    users: tuple[Share, ...]
    models: tuple[Share, ...]
    days: tuple[Share, ...]
    today: float
    today_users: dict[str, float]


class Models(msgspec.Struct, frozen=True):
    """The models of one service."""

    configured: Configured
    router: Router
    db: Db
    clock: Clock

    def boards(self, clock: Clock) -> dict[str, Board]:
        """Make the board that pages watch: it changes when a provider fails or is spared."""

        async def read() -> list[object]:
            found = self.router.report().items()
            return [(name, each.state, each.ailing, each.failed_at) for name, each in found]

        return {"models": Board("models", Area.MODELS, read, clock)}

    async def known(self) -> Known:
        """List providers, routes and budgets with how they fare and what they are set to."""
        core, standings = self.configured.settled.core, self.router.report()
        blanks = {at: self.configured.settings(kind, None, f"{at}.") for at, kind in _KINDS.items()}
        return Known(
            providers=tuple(
                self._shown("providers", name, each, standings.get(name))
                for name, each in core.providers.items()
            ),
            routes=tuple(
                self._shown("model_routing", name, each)
                for name, each in core.model_routing.items()
            ),
            budgets=self.configured.settings(Budgets, core.budgets, _BUDGETS),
            blanks=blanks,
        )

    async def keep_provider(self, caller: Caller, wish: Wish) -> None:
        """Make a provider, or set it otherwise; starts the service anew."""
        await self._keep(caller, "providers", wish)

    async def keep_route(self, caller: Caller, wish: Wish) -> None:
        """Make a route, or set it otherwise; starts the service anew."""
        await self._keep(caller, "model_routing", wish)

    async def remove_provider(self, caller: Caller, name: str) -> None:
        """Take a provider away that no route names; starts the service anew."""
        routes = self.configured.settled.core.model_routing
        if any(route.provider == name for route in routes.values()):
            raise BadInput("A route names this provider. Change the route first.")
        await self._remove(caller, "providers", name)

    async def remove_route(self, caller: Caller, name: str) -> None:
        """Take a route away; starts the service anew."""
        await self._remove(caller, "model_routing", name)

    async def limit(self, caller: Caller, wish: Limits) -> None:
        """Set what may be spent in a day; starts the service anew."""
        now = self.configured.settings(Budgets, self.configured.settled.core.budgets, _BUDGETS)
        await self.configured.change(caller.who, _BUDGETS, now, wish.settings)

    async def test(self, caller: Caller, wish: Wish) -> Finding:
        """Ask a provider one small question with what the form says, as `clawdbot test-model`."""
        checked(wish.name)
        language, settled = caller.who.language, self.configured.settled
        at, now = f"providers.{wish.name}", settled.core.providers.get(wish.name)
        changed, secrets = changes(self.configured.settings(Provider, now, at), wish.settings)
        values = {f"{at}.{key}": value for key, value in (changed | secrets).items()}
        settings = settled.imagine(values).core.providers.get(wish.name) if values else now
        if settings is None:
            raise BadInput("Give the address of the endpoint.")
        try:
            found = await probe(settled.codec(settings), self.clock)
        except ModelFailed as failure:
            words = (say(language, first_line(type(failure))), told(language, str(failure)))
            return Finding(good=False, text=" ".join(dict.fromkeys(words)))
        return Finding(good=True, text=_told(found, language))

    async def used(self, wish: Period) -> Usage:
        """Sum what was used in some days, at most 92 of them."""
        now, zone = self.clock.now(), self.configured.settled.core.timezone
        today = days.today(now, zone)
        until = min(wish.until or today, today)
        since = wish.since or max(until, _FIRST) - timedelta(days=_DAYS_USUAL - 1)
        if until < _FIRST or not 0 <= (until - since).days < _DAYS_MOST:
            raise BadInput("Choose a first day and a last day, at most 92 days apart.")
        span = [since + timedelta(days=n) for n in range((until - since).days + 1)]

        def look(tx: Tx) -> tuple[list[list[usage.Part]], dict[str, float]]:
            sums = [usage.parts(tx, *days.span(day, zone)) for day in span]
            return sums, usage.by_user(tx, *days.span(today, zone))

        sums, spent = await self.db.read(look)
        every = [part for of_day in sums for part in of_day]
        return Usage(
            since=since,
            until=until,
            total=_share("", every),
            users=_by((part.user, part) for part in every),
            models=_by((f"{part.provider} {part.model}".strip(), part) for part in every),
            days=tuple(_share(f"{day}", of) for day, of in zip(span, sums, strict=True)),
            today=sum(spent.values()),
            today_users=spent,
        )

    async def _keep(self, caller: Caller, at: str, wish: Wish) -> None:
        checked(wish.name)
        section, place = self._all(at).get(wish.name), f"{at}.{wish.name}"
        before = self.configured.settings(_KINDS[at], section, place)
        await self.configured.change(caller.who, place, before, wish.settings)

    async def _remove(self, caller: Caller, at: str, name: str) -> None:
        if name not in self._all(at):
            raise web.HTTPNotFound
        await self.configured.remove(caller.who, f"{at}.{name}")

    def _all(self, at: str) -> "Mapping[str, Provider] | Mapping[str, Route]":
        core = self.configured.settled.core
        return core.providers if at == "providers" else core.model_routing

    def _shown(
        self, at: str, name: str, section: msgspec.Struct, standing: Standing | None = None
    ) -> Shown:
        place = f"{at}.{name}"
        fixed = self.configured.fixed(place)
        return Shown(
            name=name,
            settings=self.configured.settings(_KINDS[at], section, place),
            fixed=fixed,
            standing=standing,
            removable=not fixed and name not in _ALWAYS,
        )


def _told(found: Probe, language: str) -> str:
    """Say what a probe showed, in one line."""
    quota = (
        f"{each.of} {each.remaining}" + (f"/{each.limit}" if each.limit is not None else "")
        for each in found.quota
    )
    text = (
        "{model}, version {version}: first token after {first} ms, {speed} tokens/s."
        " Quota left: {quota}."
    )
    untold = say(language, "not told")
    return say(
        language,
        text,
        model=found.model or untold,
        version=found.version or untold,
        first=round(found.first_token_s * 1000),
        speed=round(found.tokens_per_s),
        quota=", ".join(quota) or untold,
    )


def _by(parts: Iterable[tuple[str, usage.Part]]) -> tuple[Share, ...]:
    """Sum by name, the dearest first."""
    groups: dict[str, list[usage.Part]] = {}
    for name, part in parts:
        groups.setdefault(name, []).append(part)
    shares = (_share(name, group) for name, group in groups.items())
    return tuple(sorted(shares, key=lambda s: (-s.cost, -s.tokens_in - s.tokens_out, s.name)))


def _share(name: str, parts: list[usage.Part]) -> Share:
    return Share(
        name=name,
        calls=sum(part.calls for part in parts),
        tokens_in=sum(part.tokens_in for part in parts),
        tokens_out=sum(part.tokens_out for part in parts),
        cost=sum(part.cost for part in parts),
    )
