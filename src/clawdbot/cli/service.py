"""The service from a command's side: the one that runs, or its parts under the data lock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from clawdbot.app.assembly import Service, assembled, doors
from clawdbot.cli.output import Terminal
from clawdbot.config import home
from clawdbot.domain.errors import Failure, NotRunning
from clawdbot.gateway.control import Admit, Control, Knock, Person, Status
from clawdbot.gateway.setup import Answers, Finding, Outside
from clawdbot.net.local import Local
from clawdbot.ops import process
from clawdbot.ops.lines import Redactor
from clawdbot.ops.logs import logging_to

_START_S = 60.0


class Remote:
    """`Control`, and what set-up checks `Outside`, of a service that runs."""

    def __init__(self, local: Local) -> None:
        """Speak through an open client."""
        self._local = local

    async def status(self) -> Status:
        """Tell how the service fares."""
        return await self._local.call("GET", "/status", Status)

    async def restart(self) -> Status:
        """Have it start anew, and wait for that."""
        before = await self.status()
        await self._local.call("POST", "/restart", object)
        return await self.renewed(before)

    async def renewed(self, before: Status) -> Status:
        """Wait for its next life."""
        now = before

        async def begun() -> bool:
            nonlocal now
            with suppress(NotRunning):
                now = await self.status()
            return now.since != before.since

        if not await process.until(begun, _START_S):
            raise Failure("The service did not come back. See the log with `clawdbot logs`.")
        return now

    async def people(self) -> list[Person]:
        """List all users."""
        return await self._local.call("GET", "/users", list[Person])

    async def knocking(self) -> list[Knock]:
        """List the strangers who wait to be let in."""
        return await self._local.call("GET", "/pairings", list[Knock])

    async def admit(self, wish: Admit) -> Person:
        """Let a stranger in."""
        return await self._local.call("POST", "/pairings", Person, wish)

    async def set_up(self, answers: Answers) -> Person:
        """Keep the answers of a set-up."""
        return await self._local.call("POST", "/setup", Person, answers)

    async def check_model(self, answers: Answers) -> Finding:
        """Try a model's endpoint."""
        return await self._local.call("POST", "/setup/model", Finding, answers)

    async def check_telegram(self, answers: Answers) -> Finding:
        """Try a bot's token."""
        return await self._local.call("POST", "/setup/telegram", Finding, answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What a command works with, wherever it is."""

    control: Control | Remote
    outside: Outside | Remote


@asynccontextmanager
async def reached(terminal: Terminal) -> AsyncIterator[Hand]:
    """Reach the running service; without one, put its parts together here for a while."""
    async with Local(home.socket(terminal.home)) as local:
        remote = Remote(local)
        if await _answers(remote):
            yield Hand(control=remote, outside=remote)
            return
    async with parts(terminal) as service:
        yield Hand(control=service.control, outside=service.setup.outside)


@asynccontextmanager
async def parts(terminal: Terminal) -> AsyncIterator[Service]:
    """Put the service's parts together under the data lock; nothing of it runs."""
    home.prepare(terminal.home, terminal.language)
    loaded = terminal.load()
    with (
        home.lock(loaded.home),
        logging_to(loaded.home, loaded.core.logs, Redactor(loaded.secrets)),
    ):
        async with assembled(loaded, doors()) as service:
            yield service


async def _answers(remote: Remote) -> bool:
    try:
        await remote.status()
    except NotRunning:
        return False
    return True
