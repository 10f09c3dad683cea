"""Keeps channels running: starts them, restarts them with back-off, and knows which are up."""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec
import structlog

from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import Failure
from clawdbot.domain.inbound import Address
from clawdbot.domain.ports import Channel, Clock, Health, Inbox
from clawdbot.net.tasks import stay_ended

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_HEALTH_EVERY_S = 30.0
_HEALTH_TIMEOUT_S = 15.0
_BEATS_MOST, _TROUBLES_MOST = 60, 8


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel fared at a time."""

    at: float
    up: bool
    reason: str = ""
    remedy: str = ""


class Watched(msgspec.Struct):
    """A channel account, how it fares, and how it fared lately."""

    channel: Channel
    health: Health
    beats: deque[Beat] = msgspec.field(default_factory=lambda: deque(maxlen=_BEATS_MOST))
    troubles: deque[Beat] = msgspec.field(default_factory=lambda: deque(maxlen=_TROUBLES_MOST))


class Supervisor:
    """Runs the channels of one process."""

    def __init__(self, clock: Clock, bus: Bus, came_up: Callable[[], None]) -> None:
        """Call `came_up` whenever a channel begins to work."""
        self._clock = clock
        self._bus = bus
        self._came_up = came_up
        self._watched: dict[tuple[str, str], Watched] = {}
        self._log = structlog.get_logger("channels")

    def add(self, kind: str, account: str, channel: Channel, *, paused: bool = False) -> None:
        """Take a channel account under watch, before `run`; one that is paused does not run."""
        reason = "paused" if paused else "starting"
        health = Health(up=False, reason=reason, paused=paused)
        self._watched[kind, account] = Watched(channel, health)

    def find(self, to: Address) -> Channel | None:
        """Find the channel of an address."""
        watched = self._watched.get((to.channel, to.account))
        return watched.channel if watched is not None else None

    def up(self, to: Address) -> bool:
        """Tell whether an address can be reached now."""
        watched = self._watched.get((to.channel, to.account))
        return watched is not None and watched.health.up

    def report(self) -> dict[tuple[str, str], Health]:
        """Tell how every channel account fares."""
        return {key: watched.health for key, watched in self._watched.items()}

    def watched(self, kind: str, account: str) -> Watched | None:
        """Find a channel account with its health, now and lately."""
        return self._watched.get((kind, account))

    async def run(self, inbox: Inbox) -> None:
        """Run every channel until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for (kind, account), watched in self._watched.items():
                if watched.health.paused:
                    continue
                tasks.create_task(self._keep(kind, account, watched, inbox))
                tasks.create_task(self._look(kind, account, watched))

    async def _keep(self, kind: str, account: str, watched: Watched, inbox: Inbox) -> None:
        wait = _FIRST_WAIT_S
        log = self._log.bind(channel=kind, account=account)
        while True:
            started = self._clock.monotonic()
            try:
                await watched.channel.run(inbox)
                return
            except Failure as error:
                # A refused key, a setting that is missing: nothing of ours is at fault.
                log.warning("channel cannot run", kind=type(error).__name__, error=str(error))
                self._set(kind, account, watched, Health(up=False, reason=str(error)))
            except Exception:  # bulkhead: one channel's fault is not the others'
                log.exception("channel stopped")
                self._bus.tell("channel_restarts", 1, kind, account)
            stay_ended()
            if self._clock.monotonic() - started > _LONGEST_WAIT_S:
                wait = _FIRST_WAIT_S
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)

    async def _look(self, kind: str, account: str, watched: Watched) -> None:
        wait = _FIRST_WAIT_S
        while True:
            try:
                async with asyncio.timeout(_HEALTH_TIMEOUT_S):
                    health = await watched.channel.health()
            except TimeoutError:
                health = Health(up=False, reason="no answer")
            except Failure as error:
                health = Health(up=False, reason=str(error), remedy=error.remedy)
            if health.up:
                wait = _HEALTH_EVERY_S
            else:
                wait = _FIRST_WAIT_S if watched.health.up else min(wait * 2, _HEALTH_EVERY_S)
            self._set(kind, account, watched, health)
            watched.beats.append(self._beat(health))
            await asyncio.sleep(wait)

    def _set(self, kind: str, account: str, watched: Watched, health: Health) -> None:
        before, watched.health = watched.health, health
        self._bus.tell("channel_up", float(health.up), kind, account)
        if health.up and not before.up:
            self._log.info("channel up", channel=kind, account=account)
            self._came_up()
        elif health.reason and health.reason != before.reason:
            told = "channel in trouble" if health.up else "channel down"
            watched.troubles.append(self._beat(health))
            self._log.warning(told, channel=kind, account=account, reason=health.reason)

    def _beat(self, health: Health) -> Beat:
        now = self._clock.now()
        return Beat(at=now, up=health.up, reason=health.reason, remedy=health.remedy)
