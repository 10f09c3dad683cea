"""What the command line may ask a service to do, and the Unix socket's routes for it.

The socket acts as the owner; where no service runs, a command makes a `Control` of its own under
the data lock. A method of `CALLS` is a route: its name, its arguments as a JSON list, its answer.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_type_hints

import msgspec
from aiohttp import web

from clawdbot import __version__
from clawdbot.conversation.answer import notice
from clawdbot.domain.approval import Verb
from clawdbot.domain.errors import BadInput
from clawdbot.domain.people import Level, User
from clawdbot.domain.ports import Tx
from clawdbot.domain.text import say
from clawdbot.gateway.approvals import Question, press, waiting
from clawdbot.gateway.body import decoded, json, read
from clawdbot.gateway.custody import Custody
from clawdbot.gateway.inbox import Inbox
from clawdbot.gateway.operation import Call, Parts, named
from clawdbot.gateway.pairing import hash_code, refuse
from clawdbot.gateway.route import Caller, Permission, Route
from clawdbot.gateway.setup import Answers, Finding, Setup
from clawdbot.gateway.supervisor import Supervisor
from clawdbot.gateway.ws import Connection, Sockets
from clawdbot.sandbox.selftest import Mechanism
from clawdbot.store import inbox, outbox, people, rights, turns
from clawdbot.store.people import Pairing
from clawdbot.tools.plugins import Plugins
from clawdbot.tools.servers import Servers
from clawdbot.tools.skills import Skills
from clawdbot.tools.trust import Trust

if TYPE_CHECKING:
    from clawdbot.sandbox.run import Sandbox


class ChannelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel account fares."""

    kind: str
    account: str
    up: bool
    reason: str
    remedy: str
    paused: bool = False


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


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A user, as a listing shows them."""

    id: str
    name: str
    role: str
    language: str
    disabled: bool


class Knock(msgspec.Struct, frozen=True, kw_only=True):
    """A stranger who waits; `id` approves them like the code that only they saw."""

    id: str
    name: str
    platform: str
    expires_at: float


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person at this machine, as it knows them."""

    name: str
    language: str
    timezone: str


class Admit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let a stranger in: by code or id, as an existing user (`as_user`, a name) or a new one."""

    code: str = ""
    id: str = ""
    as_user: str = ""
    role: Level = Level.MEMBER

    @property
    def hashed(self) -> str:
        """Give what the code is kept as."""
        return self.id or hash_code(self.code)


@dataclass(slots=True, kw_only=True)
class Control(Custody):
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
    since: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin now."""
        self.since = self.clock.now()

    async def status(self) -> Status:
        """Tell how the service fares."""
        now, mechanisms = self.clock.now(), await self.sandbox().mechanisms()

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
                sandbox=mechanisms,
                approvals=asked,
                oldest_approval_s=max(0.0, now - asked_since) if asked_since else 0.0,
            )

        return await self.db.read(look)

    async def people(self) -> list[Person]:
        """List all users."""
        return [_person(user) for user in await self.db.read(people.listed)]

    async def knocking(self) -> list[Knock]:
        """List the strangers who wait to be let in."""
        now = self.clock.now()
        return [_knock(p) for p in await self.db.read(lambda tx: people.open_pairings(tx, now))]

    async def admit(self, wish: Admit) -> Person:
        """Let a stranger in; raises BadInput where there is no such code or user."""
        user = await self._user(wish.as_user) if wish.as_user else None
        return _person(await self.inbox.admit(wish.hashed, user, wish.role))

    async def refuse(self, wish: Admit) -> Knock:
        """Send a stranger away, and tell them once; raises BadInput where there is no such code."""
        now = self.clock.now()

        def work(tx: Tx) -> tuple[Pairing, str]:
            pairing = refuse(tx, wish.hashed, now=now)
            held = inbox.get(tx, pairing.held)
            if held is None:
                return pairing, ""
            text = say(pairing.language, "The owner of this assistant does not let you in.")
            to = held.inbound.to
            notice(tx, f"{pairing.held}:refused", to, "", text, now=now)
            return pairing, to.key

        pairing, destination = await self.db.write(work)
        if destination:
            self.deliver(destination)
        return _knock(pairing)

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

    async def adopt(self, profile: Profile) -> Person:
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

        return _person(await self.db.write(work))

    async def set_up(self, answers: Answers) -> Person:
        """Keep the answers of a set-up at the terminal."""
        return _person(await self.setup.apply(answers, None))

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

    async def _user(self, name: str) -> User:
        user = await self.db.read(lambda tx: people.by_name(tx, name))
        if user is None:
            raise BadInput("There is no user of that name. See `clawdbot user list`.")
        return user


CALLS: dict[str, Call] = {
    named(call): call
    for call in (
        Control.status,
        Control.people,
        Control.knocking,
        Control.admit,
        Control.refuse,
        Control.approvals,
        Control.answer,
        Control.adopt,
        Control.set_up,
        Control.check_model,
        Control.check_telegram,
        Control.stop,
        Control.restart,
        Control.secrets,
        Control.keep_secret,
        Control.rotate_secret,
        Control.forget_secret,
        Control.trail,
        *(Control.verify, Control.erase),
        *(Plugins.run, Plugins.offered),
        Trust.listed,
        Trust.shown,
        Trust.trust,
        Trust.install,
        Trust.remove,
        Trust.test,
        Trust.allow,
        Trust.allowed,
        Trust.revoke,
        *(Skills.listed, Skills.shown, Skills.trust, Skills.remove),
        *(Servers.listed, Servers.shown, Servers.trust),
    )
}


def route(parts: Parts) -> Route:
    """Serve what they do on the Unix socket."""

    async def answer(request: web.Request, _: Caller) -> web.Response:
        call = CALLS.get(request.match_info["call"])
        if call is None:
            raise web.HTTPNotFound
        *takes, _gives = get_type_hints(call).values()
        given = await read(request, list[msgspec.Raw])
        if len(given) != len(takes):
            raise BadInput
        hand = await parts.owner(call)
        return json(await call(hand, *map(decoded, given, takes)))

    return Route(method="POST", path="/{call}", permission=Permission.LOCAL, handler=answer)


def terminal(control: Control, sockets: Sockets) -> Route:
    """Serve the terminal's conversations on the Unix socket, as the owner."""

    async def serve(request: web.Request, _: Caller) -> web.StreamResponse:
        owner = await control.owned()
        return await Connection(sockets, owner, "terminal").serve(request)

    return Route(method="GET", path="/socket", permission=Permission.LOCAL, handler=serve)


def _channels(supervisor: Supervisor) -> tuple[ChannelStatus, ...]:
    return tuple(
        ChannelStatus(
            kind=kind,
            account=account,
            up=health.up,
            reason=health.reason,
            remedy=health.remedy,
            paused=health.paused,
        )
        for (kind, account), health in supervisor.report().items()
    )


def _undelivered(row: outbox.Row) -> Undelivered:
    return Undelivered(to=row.to.key, state=outbox.RowState(row.state))


def _knock(pairing: Pairing) -> Knock:
    return Knock(
        id=pairing.code_hash,
        name=pairing.name,
        platform=pairing.platform,
        expires_at=pairing.expires_at,
    )


def _person(user: User) -> Person:
    return Person(
        id=user.id,
        name=user.name,
        role=user.role,
        language=user.language,
        disabled=user.disabled_at is not None,
    )
