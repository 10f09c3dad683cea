"""What the command line may ask a service to do, and the Unix socket's routes for it.

The socket acts as the owner; where no service runs, a command makes a `Control` of its own under
the data lock. A call is a route: its name, its arguments as a JSON list, its answer.
"""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, get_type_hints

import msgspec
from aiohttp import web

from clawdbot import __version__
from clawdbot.domain.approval import Verb
from clawdbot.domain.errors import BadInput
from clawdbot.domain.people import Level, User
from clawdbot.domain.ports import Health, Tx
from clawdbot.gateway.approvals import Question, press, waiting
from clawdbot.gateway.body import decoded, json, read
from clawdbot.gateway.custody import Custody
from clawdbot.gateway.inbox import Inbox
from clawdbot.gateway.operation import Call, Parts, named
from clawdbot.gateway.route import OWNER, Caller, Permission, Route
from clawdbot.gateway.setup import Answers, Finding, Setup
from clawdbot.gateway.supervisor import Supervisor
from clawdbot.gateway.ws import Connection, Sockets
from clawdbot.sandbox.selftest import Mechanism
from clawdbot.store import outbox, people, rights, turns

if TYPE_CHECKING:
    from clawdbot.sandbox.run import Sandbox


class ChannelStatus(Health, frozen=True, kw_only=True):
    """How a channel account fares."""

    kind: str
    account: str


class Undelivered(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up (`dead`), or of which nobody knows whether it arrived."""

    to: str
    state: outbox.RowState


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the service fares; `since` in seconds since 1970, ages in seconds."""

    version: str
    pid: int
    since: float
    address: str
    environment: str
    channels: tuple[ChannelStatus, ...]
    turns: dict[str, int]
    oldest_turn_s: float
    outbox: int
    oldest_row_s: float
    undelivered: tuple[Undelivered, ...]
    owner: str
    room_left: bool
    sandbox: tuple[Mechanism, ...]
    approvals: int
    oldest_approval_s: float


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns this assistant."""

    id: str
    name: str
    language: str


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person at this machine, as it knows them."""

    name: str
    language: str
    timezone: str


class Control(Custody, kw_only=True):
    """The owner's hand on the service; `address` is set once the server listens."""

    inbox: Inbox
    supervisor: Supervisor
    setup: Setup
    environment: str
    room_left: Callable[[], bool]
    ended: Callable[[], None]
    deliver: Callable[[str], None]
    epoch: str
    sandbox: "Callable[[], Sandbox]"
    address: str = ""
    since: float = 0.0
    boxes: tuple[Mechanism, ...] = ()

    def __post_init__(self) -> None:
        """Begin now."""
        self.since = self.clock.now()

    async def status(self) -> Status:
        """Tell how the service fares."""
        self.boxes = await self.sandbox().mechanisms()
        return await self.glance()

    async def glance(self) -> Status:
        """Tell it at once: nothing of boxes while nobody has tried them."""
        now = self.clock.now()

        def look(tx: Tx) -> Status:
            depth, since = outbox.depth(tx)
            oldest = turns.oldest(tx)
            asked, asked_since = rights.depth(tx, self.epoch)
            owners = people.owners(tx)
            return Status(
                version=__version__,
                pid=os.getpid(),
                since=self.since,
                address=self.address,
                environment=self.environment,
                channels=_channels(self.supervisor),
                turns=turns.counts(tx),
                oldest_turn_s=max(0.0, now - oldest) if oldest else 0.0,
                outbox=depth,
                oldest_row_s=max(0.0, now - since) if since else 0.0,
                undelivered=tuple(map(_undelivered, outbox.failed(tx, 10))),
                owner=owners[0].name if owners else "",
                room_left=self.room_left(),
                sandbox=self.boxes,
                approvals=asked,
                oldest_approval_s=max(0.0, now - asked_since) if asked_since else 0.0,
            )

        return await self.db.read(look)

    async def approvals(self) -> list[Question]:
        """List what waits for a yes, as the owner sees it."""
        owner = await self.owned()
        return await self.db.read(lambda tx: waiting(tx, owner, self.epoch))

    async def answer(self, code: str, verb: Verb) -> str:
        """Answer what has a code, as the owner; raises BadInput where nothing has."""
        owner = await self.owned()
        meant = [each for each in await self.approvals() if each.code == code]
        tokens = [each.token for found in meant for each in found.choices if each.verb == verb]
        if not tokens:
            raise BadInput("Nothing waits for this answer.")
        receipt = await self.inbox.accept(press("terminal", owner, tokens[0], self.clock.ulid()))
        return receipt.notice

    async def owned(self) -> User:
        """Give the owner; raises BadInput while there is none."""
        if (owner := await self.owner()) is None:
            raise BadInput("Nobody owns this assistant yet. Run `clawdbot setup`.")
        return owner

    async def owner(self) -> User | None:
        """Find the owner, as whom the socket acts."""
        owners = await self.db.read(people.owners)
        return owners[0] if owners else None

    async def adopt(self, profile: Profile) -> Adopted:
        """Find the owner; where there is none yet, the person at this machine becomes it."""
        now = self.clock.now()
        fresh = User(
            id=self.clock.ulid(),
            name=profile.name,
            role=Level.OWNER,
            language=profile.language,
            timezone=profile.timezone,
        )

        def work(tx: Tx) -> User:
            if earlier := people.owners(tx):
                return earlier[0]
            people.add(tx, fresh, now)
            return fresh

        return _adopted(await self.db.write(work))

    async def set_up(self, answers: Answers) -> Adopted:
        """Keep the answers of a set-up at the terminal."""
        return _adopted(await self.setup.apply(answers, None))

    async def check_model(self, answers: Answers) -> Finding:
        """Try a model's endpoint."""
        return await self.setup.outside.check_model(answers)

    async def check_telegram(self, answers: Answers) -> Finding:
        """Try a bot's token."""
        return await self.setup.outside.check_telegram(answers)

    async def stop(self) -> None:
        """End the service."""
        self.ended()

    async def restart(self) -> None:
        """End the service, to start anew at once."""
        self.setup.outside.reload()


def route(calls: Iterable[Call], parts: Parts) -> Route:
    """Serve calls of parts on the Unix socket."""
    table = {named(call): call for call in calls}

    async def answer(request: web.Request, _: Caller) -> web.Response:
        call = table.get(request.match_info["call"])
        if call is None:
            raise web.HTTPNotFound
        # What is given by name only, the socket does not give: it acts as the owner.
        named_only = getattr(call, "__kwdefaults__", None) or {}
        hints = get_type_hints(call).items()
        takes = [kind for name, kind in hints if name not in {"return", *named_only}]
        given = await read(request, list[msgspec.Raw])
        if len(given) != len(takes):
            raise BadInput
        hand = await parts.owner(call)
        # Whoever the command names as its caller, the socket acts as the owner.
        values = [
            OWNER if kind is Caller else decoded(raw, kind)
            for raw, kind in zip(given, takes, strict=True)
        ]
        return json(await call(hand, *values))

    return Route(method="POST", path="/{call}", permission=Permission.LOCAL, handler=answer)


def terminal(control: Control, sockets: Sockets) -> Route:
    """Serve the terminal's conversations on the Unix socket, as the owner."""

    async def serve(request: web.Request, _: Caller) -> web.StreamResponse:
        owner = await control.owned()
        return await Connection(sockets, owner, "terminal").serve(request)

    return Route(method="GET", path="/socket", permission=Permission.LOCAL, handler=serve)


def _channels(supervisor: Supervisor) -> tuple[ChannelStatus, ...]:
    return tuple(
        ChannelStatus(kind=kind, account=account, **msgspec.structs.asdict(health))
        for (kind, account), health in supervisor.report().items()
    )


def _undelivered(row: outbox.Row) -> Undelivered:
    return Undelivered(to=row.to.key, state=outbox.RowState(row.state))


def _adopted(user: User) -> Adopted:
    return Adopted(id=user.id, name=user.name, language=user.language)
