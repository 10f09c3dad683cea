"""The life of a service: its tasks in one TaskGroup, its routes, its housekeeping."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from clawdbot import __version__
from clawdbot.app.adapters import settled_of
from clawdbot.app.assembly import Doors, Service, assembled
from clawdbot.config import home
from clawdbot.config.load import Loaded
from clawdbot.gateway import control, hooks, media, monitor
from clawdbot.gateway.conversations import Conversations
from clawdbot.gateway.courtesy import Courtesy
from clawdbot.gateway.custody import Custody
from clawdbot.gateway.operation import Parts, served
from clawdbot.gateway.route import Route
from clawdbot.gateway.search import Search
from clawdbot.gateway.server import Server, check_binding
from clawdbot.gateway.ws import Sockets
from clawdbot.ops.checkpoints import Checkpoints
from clawdbot.ops.load import Meter
from clawdbot.ops.metrics import Metrics
from clawdbot.ops.process import Started
from clawdbot.panel import routes as panel
from clawdbot.panel.api import CALLS, OPERATIONS
from clawdbot.panel.offered import Offered, offered
from clawdbot.panel.pages import html
from clawdbot.store import logins as login_rows

_HOUR_S = 3600.0


async def serve(
    loaded: Loaded, outside: Doors, *, stop: asyncio.Event, started: Callable[[Started], None]
) -> bool:
    """Run the service until `stop` is set, or new settings are to be loaded: then give True.

    Unfinished turns go on at the next start. Raises Failure where it cannot start.
    """
    check_binding(loaded.core.gateway)
    reload = asyncio.Event()
    async with assembled(loaded, outside, stop.set, reload.set) as service:
        await service.journal.recover()
        added = await service.added() if _trusts(loaded) else None
        courtesy = Courtesy(
            service.stream, service.control.supervisor, service.outbox, service.clock
        )
        checkpoints = _checkpoints(service.control, loaded)
        places = offers(service)
        sockets = _sockets(service, places)
        logins, setup = service.staff.logins, service.control.setup
        server = Server(loaded.core.gateway, logins, service.bus)
        search = Search(service.db)
        routes = _routes(service, sockets, places, search, Metrics(service.bus))
        async with server.opened(routes, Path(home.socket(loaded.home))) as port:
            address = loaded.core.gateway.public_url or f"http://127.0.0.1:{port}"
            service.control.address = address
            code = await logins.setup_code() if await setup.needed() else ""
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(service.outbox.run()),
                    tasks.create_task(courtesy.run()),
                    tasks.create_task(service.engine.run(service.reminders.fired)),
                    tasks.create_task(service.control.supervisor.run(service.control.inbox)),
                    tasks.create_task(service.hands.run(*([added.servers.run()] if added else []))),
                    tasks.create_task(_keep_house(service)),
                    tasks.create_task(checkpoints.run()),
                    tasks.create_task(service.staff.erasing.run()),
                    tasks.create_task(search.run()),
                ]
                log = structlog.get_logger("service")
                log.info("started", address=address, version=__version__)
                started(Started(port=port, address=address, setup_code=code))
                told = [tasks.create_task(event.wait()) for event in (stop, reload)]
                await asyncio.wait(told, return_when=asyncio.FIRST_COMPLETED)
                service.control.address = ""
                log.info("stopping", again=not stop.is_set())
                await sockets.openings.close()
                for task in reversed([*running, *told]):
                    task.cancel()
            await checkpoints.sign()
    return not stop.is_set()  # who stops it while it stops to start anew has stopped it


def offers(service: Service) -> Offered:
    """Give the parts that the pages of whoever runs the place work with."""
    loaded = service.loaded
    return offered(
        settled_of(loaded, service.client, service.clock, service.bus),
        service.control,
        service.router,
        service.client,
        Meter(service.clock, loaded.home).read,
        service.more,
        loaded.home,
    )


def _sockets(service: Service, places: Offered) -> Sockets:
    return Sockets(
        inbox=service.control.inbox,
        stream=service.stream,
        db=service.db,
        render=html,
        epoch=service.control.epoch,
        boards=places.boards | service.staff.erasing.boards(),
        openings=service.staff.register.openings,
    )


def _routes(
    service: Service, sockets: Sockets, places: Offered, search: Search, metrics: Metrics
) -> tuple[Route, ...]:
    talks = _conversations(service)
    here = (service.control, *service.staff.parts, *places.parts, search, talks)
    parts = Parts(here, service.more)
    pages = panel.Panel(
        control=service.control,
        conversations=talks,
        staff=service.staff,
        sockets=sockets,
        offered=places,
        proxies=service.loaded.core.gateway.trusted_proxies,
        secure=service.loaded.core.gateway.public_url.startswith("https://"),
    )

    def unready() -> str:
        if not service.control.address:
            return "starting or stopping"
        return "" if service.db.room_left() else "disk almost full"

    async def levels() -> dict[str, float]:
        return monitor.levels(await service.control.status())

    return (
        *panel.routes(pages),
        *media.routes(service.media),
        *hooks.routes(service.control.supervisor, service.control.inbox),
        *monitor.routes(lambda: metrics.text(levels), unready),
        *served(OPERATIONS, parts),
        control.route(CALLS, parts),
        control.terminal(service.control, sockets),
    )


def _conversations(service: Service) -> Conversations:
    return Conversations(
        db=service.db,
        clock=service.clock,
        stream=service.stream,
        routes=service.loaded.core.model_routing,
        record=service.control.audit.append,
        wake=service.engine.wake,
        deliver=service.outbox.wake,
    )


def _checkpoints(of: Custody, loaded: Loaded) -> Checkpoints:
    return Checkpoints(of.db, of.clock, of.vault, of.audit, loaded.core.audit, loaded.home)


def _trusts(loaded: Loaded) -> bool:
    """Tell whether anything may be trusted: it is offered from the first turn on."""
    kept = (
        path for name in ("plugins", "skills") for path in (loaded.home / "data" / name).glob("*")
    )
    return bool(loaded.core.mcp.servers) or any(kept)


async def _keep_house(service: Service) -> None:
    """Forget what need not be kept, once an hour."""
    while True:
        now = service.clock.now()
        await service.db.write(lambda tx: login_rows.expire(tx, now))  # noqa: B023 - awaited
        await service.media.tidy()
        await asyncio.to_thread(service.db.lay_ballast)
        await asyncio.sleep(_HOUR_S)
