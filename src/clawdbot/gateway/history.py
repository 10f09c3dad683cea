"""What a screen shows of a conversation on our own sockets: what was said, and what waits.

Only people's words and answers; of a turn's several answers the last, which is what it delivered.
"""

from dataclasses import dataclass

from clawdbot.conversation.session import direct_scope
from clawdbot.domain.inbound import OWN_CHANNELS, Address
from clawdbot.domain.messages import Attachment, Message, Role, told
from clawdbot.domain.ports import Tx
from clawdbot.store import conversations, inbox, turns
from clawdbot.store.conversations import Conversation, Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something said: a person's words (`own`) or an answer; `event` is 0 until committed."""

    turn: str
    text: str
    own: bool = False
    event: int = 0
    at: float = 0.0
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A stretch of a conversation, oldest first.

    `waiting` are words without an answer yet. Whoever resumes after event `upto` misses nothing;
    `earlier` is where an earlier stretch ends, 0 where there is none.
    """

    title: str
    lines: tuple[Line, ...]
    waiting: tuple[Line, ...]
    upto: int
    earlier: int


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
    return History(
        title=lane.title,
        lines=tuple(_shown(kept)),
        waiting=_waiting(tx, open_turns),
        upto=min([last, *(turn.position - 1 for turn in open_turns)]),
        earlier=cut + 1 if cut else 0,
    )


def listed(tx: Tx, channel: str, user: str, most: int) -> list[tuple[str, Conversation]]:
    """List a user's conversations with their names, newest first."""
    found = conversations.of_user(tx, user, channel, most)
    return [(name_of(lane), lane) for lane in found]


def name_of(lane: Conversation) -> str:
    """Tell the name of a user's own conversation; empty on a platform."""
    return lane.to.chat.partition(":")[2] if lane.to.channel in OWN_CHANNELS else ""


def _shown(found: list[Said]) -> list[Line]:
    lines: list[Line] = []
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
        )
        if not own and lines and lines[-1].turn == line.turn and not lines[-1].own:
            lines.pop()
        lines.append(line)
    return lines


def _waiting(tx: Tx, open_turns: list[turns.Turn]) -> tuple[Line, ...]:
    return tuple(
        Line(
            turn=turn.id,
            text=Message(role=Role.USER, parts=inbound.parts).text,
            own=True,
            at=turn.created_at,
            attachments=Message(role=Role.USER, parts=inbound.parts).attachments,
        )
        for turn in open_turns
        for inbound in inbox.of_turn(tx, turn.id)
    )
