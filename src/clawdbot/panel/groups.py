"""Group chats: what we answer there, to whom, and how much at most; each has a policy of its own.

Approvals are never asked in a group, whatever its policy says.
"""

from typing import Literal

import msgspec

from clawdbot.domain.errors import BadInput, Missing
from clawdbot.domain.people import Area
from clawdbot.domain.settings import Answers, Group, Speaks
from clawdbot.gateway.route import Caller
from clawdbot.panel.register import Change, Register
from clawdbot.store import groups
from clawdbot.store.groups import Kept
from clawdbot.store.turns import TurnState


class GroupShown(msgspec.Struct, frozen=True, kw_only=True):
    """A group with its policy; `name` is the platform's."""

    id: str
    name: str
    channel: str
    account: str
    chat: str
    answers: Answers
    speaks: Speaks
    ceiling: str
    language: str
    since: float
    seen_at: float


class GroupWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change about a group; what is left out stays."""

    answers: Answers | None = None
    speaks: Speaks | None = None
    ceiling: str | None = None
    language: Literal["", "en", "zh"] | None = None


class Groups:
    """What may be asked about groups, and done with them."""

    def __init__(self, register: Register) -> None:
        """Work on the book of people, whose roles bound what happens in a group."""
        self._book = register

    async def listed(self, caller: Caller) -> list[GroupShown]:
        """List the groups, the latest heard first."""
        return await self._book.look(caller, lambda c: list(map(_shown, groups.listed(c.tx))))

    async def shown(self, caller: Caller, id: str) -> GroupShown:  # noqa: A002 - the path's word
        """Show a group, found by id or name."""
        return await self._book.look(caller, lambda c: _shown(_found(c, id)))

    async def alter(self, caller: Caller, id: str, wish: GroupWish) -> GroupShown:  # noqa: A002
        """Change a group's policy; it holds from the next message, and the next act, on."""
        given = {key: value for key, value in _fields(wish) if value is not None}

        def work(change: Change) -> GroupShown:
            group = _found(change, id)
            policy = msgspec.structs.replace(group.policy, **given)
            if policy.ceiling != group.ceiling:
                change.gives(policy.ceiling)
            groups.put(change.tx, group.id, policy)
            change.note("group.alter", group.id, " ".join(f"{k}={v}" for k, v in _fields(policy)))
            return _shown(_found(change, group.id))

        return await self._book.change(caller, work, Area.CHANNELS)

    async def forget(self, caller: Caller, id: str) -> None:  # noqa: A002 - the path's word
        """Forget a group; what waits there is stopped, what was said stays.

        If it speaks again, it begins anew with its account's policy. Raises BadInput while
        something runs there.
        """

        def work(change: Change) -> None:
            group = _found(change, id)
            # First: who is accepted there meanwhile waits for this, or is found below.
            groups.forget(change.tx, group.id)
            for turn in groups.unfinished(change.tx, group):
                # Without its group a turn would run under another ceiling.
                if turn.state == TurnState.RUNNING:
                    raise BadInput("Something is being answered there. Stop it, or wait.")
                change.stop(turn, group.language or change.actor.language)
            place = f"{group.channel}/{group.account} {group.chat}"
            change.note("group.forget", group.id, place)

        await self._book.change(caller, work, Area.CHANNELS)


def _fields(struct: GroupWish | Group) -> list[tuple[str, str | None]]:
    return list(msgspec.structs.asdict(struct).items())


def _found(change: Change, id_: str) -> Kept:
    """Find a group by id, or by a name that only one has; raises Missing or BadInput."""
    if (group := groups.get(change.tx, id_)) is not None:
        return group
    named = [group for group in groups.listed(change.tx) if group.name == id_]
    if len(named) > 1:
        raise BadInput("Several groups have this name. Take the id from `clawdbot group list`.")
    if not named:
        raise Missing("There is no group of that name. See `clawdbot group list`.")
    return named[0]


def _shown(group: Kept) -> GroupShown:
    policy = group.policy
    return GroupShown(
        id=group.id,
        name=group.name,
        channel=group.channel,
        account=group.account,
        chat=group.chat,
        answers=policy.answers,
        speaks=policy.speaks,
        ceiling=policy.ceiling,
        language=policy.language,
        since=group.created_at,
        seen_at=group.seen_at,
    )
