"""What a screen shows of a conversation on our own sockets: what was said, and what waits.

Only people's words and answers; of a turn's several answers the last, which is what it delivered.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from clawdbot.conversation.session import direct_scope
from clawdbot.domain.inbound import OWN_CHANNELS, Address
from clawdbot.domain.messages import Attachment, Call, Message, Part, Result, Role, told
from clawdbot.domain.ports import Tx
from clawdbot.store import audit, conversations, inbox, turns
from clawdbot.store.conversations import Conversation, Said

_RESULT_MOST = 2000
_NONE: Mapping[str, str] = MappingProxyType({})


class Used(Struct, frozen=True, kw_only=True):
    """A tool that a turn used: with what, what came, and whether it was allowed, and by whom."""

    tool: str
    shown: str
    state: str


class Line(Struct, frozen=True, kw_only=True):
    """Something said: a person's words (`own`) or an answer; `event` is 0 until committed.

    `instead` is the turn in whose place this one stands; `calls` are the tools that an answer used.
    """

    turn: str
    text: str
    own: bool = False
    event: int = 0
    at: float = 0.0
    attachments: tuple[Attachment, ...] = ()
    instead: str = ""
    calls: tuple[Used, ...] = ()


class History(Struct, frozen=True, kw_only=True):
    """A stretch of a conversation, oldest first.

    `waiting` are words without an answer yet. Whoever resumes after event `upto` misses nothing;
    `earlier` is where an earlier stretch ends, `later` after what a later one begins, 0 where there
    is none.
    """

    title: str
    lines: tuple[Line, ...]
    waiting: tuple[Line, ...]
    upto: int
    earlier: int
    later: int = 0
    route: str = ""


def place(channel: str, user: str, name: str) -> Address:
    """Give a user's own conversation its address; the user in it keeps others out."""
    return Address(channel=channel, account="main", chat=f"{user}:{name}")


def read(
    tx: Tx, to: Address, user: str, *, after: int = 0, before: int = 0, most: int
) -> History | None:
    """Read the last `most` rows after and before events; None where nothing was ever said there."""
    lane = conversations.find(tx, to.channel, direct_scope(to, user))
    if lane is None:
        return None
    if after >= lane.next_position:
        after = 0  # seen in a conversation of this name that was deleted since
    found = conversations.page(tx, lane.id, before or lane.next_position, most)
    # The oldest turn may be cut in two: it belongs to the next stretch.
    cut = found[-1].position if len(found) == most else 0
    kept = [said for said in reversed(found) if said.position > max(after, cut)]
    open_turns = turns.unfinished(tx, lane.id)
    last = max((said.position for said in kept), default=after)
    instead = conversations.superseded(tx, lane.id) if after else {}
    return History(
        title=lane.title,
        lines=tuple(_shown(tx, kept, instead)),
        waiting=() if before else _waiting(tx, open_turns),
        route=lane.model,
        upto=min([last, *(turn.position - 1 for turn in open_turns)]),
        earlier=cut + 1 if cut else 0,
    )


def onwards(
    tx: Tx, to: Address, user: str, *, after: int, before: int, most: int
) -> History | None:
    """Read the first `most` rows between two events; None where nothing was ever said there."""
    lane = conversations.find(tx, to.channel, direct_scope(to, user))
    if lane is None:
        return None
    found = conversations.onwards(tx, lane.id, after, before or lane.next_position, most)
    # The newest turn may be cut in two: it belongs to the next stretch.
    cut = found[-1].position if len(found) == most else 0
    kept = [said for said in found if not cut or said.position < cut]
    lines = tuple(_shown(tx, kept))
    return History(title=lane.title, lines=lines, waiting=(), upto=0, earlier=after + 1, later=cut)


def of_turn(tx: Tx, to: Address, user: str, turn: str) -> History | None:
    """Read what was said in one turn of a user's own conversation; None where it is none of it."""
    found = _turn(tx, to, user, turn)
    if found is None:
        return None
    lines = tuple(_shown(tx, conversations.at(tx, found.conversation_id, found.position)))
    return History(title="", lines=lines, waiting=(), upto=0, earlier=0)


def asked(tx: Tx, to: Address, user: str, turn: str) -> tuple[Part, ...]:
    """Read what a turn of a user's own conversation was asked; nothing where it is none of it."""
    if _turn(tx, to, user, turn) is None:
        return ()
    return tuple(part for inbound in inbox.of_turn(tx, turn) for part in inbound.parts)


def name_of(lane: Conversation) -> str:
    """Tell the name of a user's own conversation; empty on a platform."""
    return lane.to.chat.partition(":")[2] if lane.to.channel in OWN_CHANNELS else ""


def _turn(tx: Tx, to: Address, user: str, turn: str) -> turns.Turn | None:
    lane = conversations.find(tx, to.channel, direct_scope(to, user))
    found = turns.get(tx, turn)
    return found if lane and found and found.conversation_id == lane.id else None


def _shown(tx: Tx, found: list[Said], instead: Mapping[str, str] = _NONE) -> list[Line]:
    lines: list[Line] = []
    used = _used(tx, found)
    for said in found:
        message = said.message
        if message.role not in {Role.USER, Role.ASSISTANT} or not told(message.parts):
            continue
        own = message.role is Role.USER
        line = Line(
            turn=said.turn_id,
            text=message.text,
            own=own,
            event=said.position,
            at=said.at,
            attachments=message.attachments,
            instead=instead.get(said.turn_id, "") if own else "",
            calls=() if own else used.get(said.turn_id, ()),
        )
        if not own and lines and lines[-1].turn == line.turn and not lines[-1].own:
            lines.pop()
        lines.append(line)
    return lines


def _used(tx: Tx, found: list[Said]) -> dict[str, tuple[Used, ...]]:
    """Tell by turn which tools were used, from its messages and what was decided on each call."""
    calls: dict[str, list[Call]] = {}
    results: dict[tuple[str, str], Result] = {}
    for said in found:
        for part in said.message.parts:
            if isinstance(part, Call):
                calls.setdefault(said.turn_id, []).append(part)
            elif isinstance(part, Result):
                results[said.turn_id, part.call] = part
    used = {}
    for turn, made in calls.items():
        decided = audit.decided(tx, turn)
        used[turn] = tuple(
            _told(call, results.get((turn, call.id)), *decided.get(f"call/{call.id}", ("", "")))
            for call in made
        )
    return used


def _told(call: Call, result: Result | None, decision: str, rule: str) -> Used:
    state = "failed" if result is None or result.failed else "allowed"
    if decision == "deny":
        state = "denied"
    elif rule == "approved" and state == "allowed":
        state = "granted"
    text = result.text if result is not None else ""
    cut = text if len(text) <= _RESULT_MOST else text[:_RESULT_MOST] + " …"
    return Used(tool=call.tool, shown=f"{call.arguments}\n\n{cut}".strip(), state=state)


def _waiting(tx: Tx, open_turns: list[turns.Turn]) -> tuple[Line, ...]:
    return tuple(
        Line(
            turn=turn.id,
            text=Message(role=Role.USER, parts=inbound.parts).text,
            own=True,
            at=turn.created_at,
            attachments=Message(role=Role.USER, parts=inbound.parts).attachments,
            instead=inbound.instead,
        )
        for turn in open_turns
        for inbound in inbox.of_turn(tx, turn.id)
    )
