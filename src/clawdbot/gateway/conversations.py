"""The caller's own conversations on the page: listed, named, given a model, deleted.

A name leads only into what is the caller's: another's conversation is not there at all.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from clawdbot.conversation import asking
from clawdbot.conversation.session import direct_scope
from clawdbot.domain.approval import State
from clawdbot.domain.errors import BadInput
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.people import User
from clawdbot.domain.ports import Clock, Db, Stream, Tx
from clawdbot.domain.settings import Route, When
from clawdbot.gateway import history
from clawdbot.gateway.route import Caller
from clawdbot.store import conversations, turns
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.conversations import Conversation
from clawdbot.store.turns import Turn

CHANNEL = "web"
DEFAULT = "default"

_TITLE_MOST = 120


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in a list: `name` opens it, `route` is the model chosen for it, if any."""

    name: str
    title: str
    route: str
    at: float


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations to list: the newest, or those behind the one named `before`."""

    before: str = ""
    most: Annotated[int, Meta(ge=1, le=1000)] = 50


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a conversation: its title, the route of its model."""

    title: Annotated[str, Meta(max_length=1000)] | None = None
    route: Annotated[str, Meta(max_length=100)] | None = None


class Conversations(msgspec.Struct, frozen=True, kw_only=True):
    """What a person does with their conversations; `routes` are the models to choose from."""

    db: Db
    clock: Clock
    stream: Stream
    routes: Mapping[str, Route]
    record: Callable[[Tx, Entry], object]
    wake: Callable[[str], None]
    deliver: Callable[[str], None]

    def choices(self, caller: Caller) -> list[tuple[str, str]]:
        """List the routes that the caller may choose, with the model that each stands for."""
        user = caller.who
        return [
            (name, f"{route.provider} {route.model}".strip())
            for name, route in self.routes.items()
            if _open(route.when or When(), user)
        ]

    async def listed(self, caller: Caller, which: Which) -> list[Listed]:
        """List the caller's conversations, newest first; the last one's name leads on."""
        user = caller.who.id

        def look(tx: Tx) -> list[Listed]:
            before = _find(tx, user, which.before) if which.before else None
            found = conversations.of_user(tx, user, CHANNEL, which.most, before)
            return [_listed(lane) for lane in found]

        return await self.db.read(look)

    async def change(self, caller: Caller, name: str, change: Change) -> Listed:
        """Rename a conversation, or choose its model; raises BadInput for an empty name."""
        user, route = caller.who.id, change.route
        title = " ".join((change.title or "").split())[:_TITLE_MOST]
        if change.title is not None and not title:
            raise BadInput("A conversation needs a name.")
        if route and route not in dict(self.choices(caller)):
            raise BadInput("There is no such model. See the routes in the settings.")

        def work(tx: Tx) -> Listed:
            lane = _find(tx, user, name)
            if title:
                conversations.set_title(tx, lane.id, title)
            if route is not None:
                conversations.set_model(tx, lane.id, "" if route == DEFAULT else route)
            return _listed(_find(tx, user, name))

        return await self.db.write(work)

    async def delete(self, caller: Caller, name: str) -> None:
        """Delete a conversation with everything said in it; what runs there ends first."""
        user, now = caller.who.id, self.clock.now()

        def work(tx: Tx) -> tuple[list[Turn], list[tuple[Turn, str]], list[str]]:
            lane, asked, told = _find(tx, user, name), list[tuple[Turn, str]](), list[str]()
            open_ = turns.unfinished(tx, lane.id)
            for turn in open_:
                ended, to = asking.end(tx, turn.id, State.CANCELLED, by=user, now=now)
                asked += [(turn, approval) for approval in ended]
                told += to
            # Whoever still runs a turn of it finds no row to write to: it is fenced.
            conversations.forget(tx, lane.id, now)
            self.record(tx, _entry(user, lane, now))
            return open_, asked, told

        open_, asked, told = await self.db.write(work)
        for turn, approval in asked:
            self.stream.publish(Live(kind=LiveKind.ASKED, turn="", to=turn.to, text=approval))
        for turn in open_:
            self.stream.publish(Live(kind=LiveKind.STOPPED, turn=turn.id, to=turn.to))
            self.wake(turn.id)
        for destination in told:
            self.deliver(destination)


def _open(when: When, user: User) -> bool:
    theirs = not when.users or bool({user.id, user.name} & {*when.users})
    return theirs and not when.commands and (not when.channels or CHANNEL in when.channels)


def _find(tx: Tx, user: str, name: str) -> Conversation:
    to = history.place(CHANNEL, user, name)
    lane = conversations.find(tx, CHANNEL, direct_scope(to, user))
    if lane is None:
        raise web.HTTPNotFound
    return lane


def _listed(lane: Conversation) -> Listed:
    return Listed(
        name=history.name_of(lane),
        title=lane.title,
        route=lane.model,
        at=lane.session_last,
    )


def _entry(user: str, lane: Conversation, now: float) -> Entry:
    return Entry(
        at=now,
        kind=Kind.ADMIN,
        what="conversation.delete",
        user_id=user,
        decision="allow",
        rule="own",
        arguments=sha256(lane.scope.encode()).hexdigest(),
        outcome="done",
    )
