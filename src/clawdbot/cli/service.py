"""The service from a command's side: the one that runs, or its parts under the data lock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, get_type_hints

from msgspec import Struct

from clawdbot.cli.output import Terminal
from clawdbot.config import home
from clawdbot.domain.errors import Failure, NotRunning
from clawdbot.gateway.control import Control, Status
from clawdbot.gateway.operation import Parts, named
from clawdbot.net.local import ANSWER_S, Local
from clawdbot.ops import process
from clawdbot.ops.lines import Redactor
from clawdbot.tools.plugins import Plugins

if TYPE_CHECKING:
    from clawdbot.app.assembly import Service

_START_S = 60.0
_RUN_S = 3700.0  # a plugin may take an hour

H = TypeVar("H")
P = ParamSpec("P")
R = TypeVar("R")


class Hand(Struct, frozen=True):
    """What a command asks: the running service's socket, or parts of our own."""

    local: Local
    service: "Service | None" = None

    async def ask(
        self,
        what: Callable[Concatenate[H, P], Awaitable[R]],
        /,
        *given: P.args,
        **options: P.kwargs,
    ) -> R:
        """Have a part (`Control.status`: its control) do something, wherever it is."""
        if self.service is not None:
            from clawdbot.app.serving import offers

            service = self.service
            here = (service.control, *service.staff.parts, *offers(service).parts)
            part = await Parts(here, self.service.more).owner(what)
            bound: Callable[P, Awaitable[R]] = getattr(part, what.__name__)
            return await bound(*given, **options)
        kind: type[R] = get_type_hints(what)["return"]
        seconds = _RUN_S if what is Plugins.run else ANSWER_S
        return await self.local.call("POST", f"/{named(what)}", kind, given, seconds)

    async def renewed(self, before: Status) -> Status:
        """Wait for the service's next life."""
        now = before

        async def begun() -> bool:
            nonlocal now
            with suppress(NotRunning):
                now = await self.ask(Control.status)
            return now.since != before.since

        if not await process.until(begun, _START_S):
            raise Failure("The service did not come back. See the log with `clawdbot logs`.")
        return now


def asked(
    terminal: Terminal,
    what: Callable[Concatenate[H, P], Awaitable[R]],
    *given: P.args,
    **options: P.kwargs,
) -> R:
    """Have a part of the service do one thing."""

    async def ask() -> R:
        async with reached(terminal) as hand:
            return await hand.ask(what, *given, **options)

    return asyncio.run(ask())


@asynccontextmanager
async def reached(terminal: Terminal) -> AsyncIterator[Hand]:
    """Reach the running service; without one, put its parts together here for a while."""
    async with Local(home.socket(terminal.home), terminal.language) as local:
        try:
            await Hand(local).ask(Control.status)
        except NotRunning:
            async with parts(terminal) as service:
                yield Hand(local, service)
        else:
            yield Hand(local)


@asynccontextmanager
async def parts(terminal: Terminal) -> AsyncIterator["Service"]:
    """Put the service's parts together under the data lock; nothing of it runs."""
    from clawdbot.app.assembly import assembled, doors
    from clawdbot.ops.logs import logging_to

    home.prepare(terminal.home, terminal.language)
    loaded = terminal.load()
    with (
        home.lock(loaded.home),
        logging_to(loaded.home, loaded.core.logs, Redactor(loaded.secrets)),
    ):
        async with assembled(loaded, doors()) as service:
            yield service
