"""A service put together, by hand, in reading order; nothing runs yet.

A test composition may bring its own doors.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from clawdbot.agent import rights
from clawdbot.agent.acting import Tools
from clawdbot.agent.sight import Sight
from clawdbot.agent.state import VERSION
from clawdbot.app.adapters import caps_of, channel_of, outside_of, policy_of, providers_of
from clawdbot.app.hands import Hands, boxes, browsing, hands_of
from clawdbot.app.reminders import Reminders
from clawdbot.app.unseal import DATA_FILE
from clawdbot.config.clock import SystemClock
from clawdbot.config.key import MasterKey
from clawdbot.config.load import Loaded
from clawdbot.conversation.commands import Commands
from clawdbot.conversation.lane import Lane
from clawdbot.conversation.turn import Around, Turns
from clawdbot.domain.bus import Bus
from clawdbot.domain.policy import Role
from clawdbot.domain.ports import Clock, Lease
from clawdbot.domain.settings import Account, Core, Net
from clawdbot.durable.embedded import AlwaysHeld, Embedded
from clawdbot.durable.journal import Journal
from clawdbot.durable.patient import Patient
from clawdbot.gateway.approvals import Desk
from clawdbot.gateway.control import Control
from clawdbot.gateway.custody import Custody
from clawdbot.gateway.inbox import After, Inbox
from clawdbot.gateway.logins import Hash, Logins, cookie_of, slow_hash
from clawdbot.gateway.media import Media
from clawdbot.gateway.outbox import Outbox
from clawdbot.gateway.setup import Setup
from clawdbot.gateway.stream import LocalStream
from clawdbot.gateway.supervisor import Supervisor
from clawdbot.models.router import Router
from clawdbot.net.client import Client
from clawdbot.ops.opening import Opening
from clawdbot.panel.erasing import Erasing
from clawdbot.panel.register import Register
from clawdbot.panel.staff import Staff
from clawdbot.store import sqlite, state
from clawdbot.store.audit import Audit
from clawdbot.store.erasure import Ledger
from clawdbot.store.media import Files
from clawdbot.store.rights import roles as custom_roles
from clawdbot.store.sqlite import SqliteDb
from clawdbot.store.turns import Turn
from clawdbot.store.vault import Vault
from clawdbot.tools.builtin import notebook
from clawdbot.tools.builtin.browser import Gear
from clawdbot.tools.registry import Tool

if TYPE_CHECKING:
    from clawdbot.app.plugins import Added
    from clawdbot.sandbox.run import Sandbox

NODE = "local"


class Doors(Struct, frozen=True, kw_only=True):
    """How the outside is reached, and what costs on purpose: `slow` hashes passwords.

    Time, database connections, HTTP, boxes, and further `tools`.
    """

    clock: Clock
    connect: sqlite.Connect
    client: Callable[[Net], AbstractAsyncContextManager[Client]]
    sandbox: "Callable[[Path], Sandbox]" = boxes
    tools: tuple[Tool, ...] = ()
    slow: Hash = slow_hash


class Service(Struct, frozen=True, kw_only=True):
    """The parts of a service; `assembled` puts them together, `serve` runs them."""

    loaded: Loaded
    clock: Clock
    bus: Bus
    db: SqliteDb
    outbox: Outbox
    engine: Embedded
    journal: Journal
    stream: LocalStream
    router: Router
    reminders: Reminders
    client: Client
    control: Control
    media: Media
    hands: Hands
    added: "Opening[Added]"
    staff: Staff

    async def more(self) -> tuple[object, ...]:
        """Give the parts of what an owner may add, open."""
        return (await self.added()).parts


def doors() -> Doors:
    """Open the real doors."""
    return Doors(clock=SystemClock(), connect=sqlite.connect, client=Client)


class _Ground(Struct, frozen=True, kw_only=True):
    """What every part stands on."""

    loaded: Loaded
    clock: Clock
    bus: Bus
    db: SqliteDb
    patient: Patient
    lease: Lease
    stream: LocalStream
    client: Client
    epoch: str
    vault: Vault
    audit: Audit
    hands: Hands
    added: "Opening[Added]"
    roles: dict[str, Role]
    slow: Hash


@asynccontextmanager
async def assembled(
    loaded: Loaded,
    outside: Doors,
    stop: Callable[[], None] = lambda: None,
    reload: Callable[[], None] = lambda: None,
) -> AsyncIterator[Service]:
    """Put the service together on its database; `reload` stops it and has it start anew."""
    core, clock, bus = loaded.core, outside.clock, Bus()
    vault = Vault(MasterKey(loaded.home, loaded.environ))
    async with (
        sqlite.opened(_data_file(loaded.home), core.store, outside.connect) as db,
        outside.client(core.net) as client,
    ):
        epoch = await db.write(lambda tx: state.epoch(tx, clock.ulid()))
        audit = Audit(vault, f"{NODE}:{clock.ulid()}", core.audit.checkpoint_rows)
        hands = hands_of(loaded, client, db, vault, outside.tools, outside.sandbox)

        def part() -> "AbstractAsyncContextManager[Added]":
            from clawdbot.app.plugins import extended  # noqa: PLC0415 - with the first use

            return extended(loaded, db, clock, vault, audit, hands, client)

        async def gear() -> Gear:
            return (await added()).gear

        added = Opening(part)
        async with added.held(), browsing(loaded, hands.registry, gear):
            ground = _Ground(
                loaded=loaded,
                clock=clock,
                bus=bus,
                db=db,
                patient=Patient(db, bus),
                lease=AlwaysHeld(),
                stream=LocalStream(),
                client=client,
                epoch=epoch,
                vault=vault,
                audit=audit,
                hands=hands,
                added=added,
                roles=await db.read(custom_roles),
                slow=outside.slow,
            )
            service = _service(ground, stop, reload)
            await service.staff.erasing.catch_up()
            yield service


def _service(ground: _Ground, stop: Callable[[], None], reload: Callable[[], None]) -> Service:
    loaded, core, db, clock = ground.loaded, ground.loaded.core, ground.db, ground.clock
    bus, stream = ground.bus, ground.stream
    (supervisor, outbox), journal = _delivery(ground), _journal(ground)
    router = Router(core, providers_of(core, ground.client), bus, clock)
    policy = partial(policy_of, loaded)
    reminders = Reminders(clock, ground.audit.append, stream, outbox.sweep, policy)
    lane, engine = _engine(ground, journal, router, supervisor, outbox, reminders)
    inbox = _inbox(ground, outbox, lane, engine)
    logins, setup = _entrance(ground, reload)
    register = Register(db, clock, ground.audit.append, inbox, ground.hands.registry, ground.roles)
    media = Media(db, clock, _files(loaded.home), core.media, db.room_left)
    erasing = Erasing(register, media, Ledger(loaded.home / "erased"), db.scrub)
    return Service(
        loaded=loaded,
        clock=clock,
        bus=bus,
        db=db,
        outbox=outbox,
        engine=engine,
        journal=journal,
        stream=stream,
        router=router,
        reminders=reminders,
        client=ground.client,
        control=Control(
            db=db,
            clock=clock,
            vault=ground.vault,
            audit=ground.audit,
            inbox=inbox,
            supervisor=supervisor,
            setup=setup,
            environment=core.environment,
            room_left=db.room_left,
            ended=stop,
            deliver=outbox.wake,
            epoch=ground.epoch,
            sandbox=ground.hands.sandbox,
        ),
        media=media,
        hands=ground.hands,
        added=ground.added,
        staff=Staff(register, logins, ground.vault, erasing),
    )


def _inbox(ground: _Ground, outbox: Outbox, lane: Lane, engine: Embedded) -> Inbox:
    after = After(
        lane=lane, engine=engine, deliver=outbox.wake, stream=ground.stream, bus=ground.bus
    )
    return Inbox(
        ground.db,
        ground.clock,
        policy=partial(policy_of, ground.loaded),
        limits=ground.loaded.core.limits,
        room_left=ground.db.room_left,
        after=after,
        desk=Desk(ground.epoch, ground.audit.append),
    )


def _entrance(ground: _Ground, reload: Callable[[], None]) -> tuple[Logins, Setup]:
    loaded, db, clock = ground.loaded, ground.db, ground.clock
    cookie, policy = cookie_of(loaded.home), loaded.core.login
    logins = Logins(db, clock, cookie, policy, ground.vault, ground.slow)
    custody = Custody(db=db, clock=clock, vault=ground.vault, audit=ground.audit)
    outside = outside_of(loaded, ground.client, clock, ground.bus, reload)
    return logins, Setup(db, clock, logins, custody, outside)


def _journal(ground: _Ground) -> Journal:
    return Journal(
        ground.patient,
        ground.clock,
        ground.lease,
        node=NODE,
        epoch=ground.epoch,
        tries=ground.loaded.core.turns.attempts,
        version=VERSION,
    )


def _delivery(ground: _Ground) -> tuple[Supervisor, Outbox]:
    loaded, clock, bus = ground.loaded, ground.clock, ground.bus
    supervisor = Supervisor(clock, bus, lambda: outbox.sweep())  # noqa: PLW0108 - made below
    outbox = Outbox(
        ground.patient,
        clock,
        supervisor,
        stream=ground.stream,
        lease=ground.lease,
        settings=loaded.core.outbox,
        bus=bus,
    )
    for kind, accounts in loaded.channels.items():
        for account, settings in accounts.items():
            channel = channel_of(account, settings, ground.client, loaded.core.gateway, clock, bus)
            paused = isinstance(settings, Account) and settings.paused
            supervisor.add(kind, account, channel, paused=paused)
    return supervisor, outbox


def _engine(
    ground: _Ground,
    journal: Journal,
    router: Router,
    supervisor: Supervisor,
    outbox: Outbox,
    reminders: Reminders,
) -> tuple[Lane, Embedded]:
    core, clock = ground.loaded.core, ground.clock
    patient = ground.patient

    async def rights_of(turn: Turn, limited: tuple[str, ...]) -> rights.Rows:
        now = clock.now()
        return await patient.read(lambda tx: rights.read(tx, turn, limited, now))

    around = Around(
        db=ground.patient,
        clock=clock,
        journal=journal,
        stream=ground.stream,
        tools=Tools(
            router=router,
            registry=ground.hands.registry,
            journal=journal,
            clock=clock,
            bus=ground.bus,
            budgets=core.turns,
            record=ground.audit.append,
            rights=rights_of,
            roles=lambda: ground.roles,
            tell=ground.stream.tell,
            sight=Sight(ground.patient, _files(ground.loaded.home)),
        ),
        commands=Commands(_routes_of(core)),
        settings=core,
        caps=lambda to: caps_of(supervisor, to),
        deliveries=outbox,
        acted=lambda: engine.timers_changed(),  # noqa: PLW0108 - made below
        bus=ground.bus,
        epoch=ground.epoch,
    )
    lane = Lane(journal, Turns(around))
    engine = Embedded(ground.patient, clock, lane, fire={notebook.REMINDER: reminders.fire})
    return lane, engine


def _data_file(home: Path) -> Path:
    path = home / DATA_FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _files(home: Path) -> Files:
    return Files(_data_file(home).with_name("media"))


def _routes_of(core: Core) -> dict[str, str]:
    return {name: f"{r.provider} {r.model}".strip() for name, r in core.model_routing.items()}
