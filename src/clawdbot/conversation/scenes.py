"""Sets a turn's scene: whose it is (as they are now), its words, what was said before.

`read` understands nothing of what it reads, so that no content can spoil the transaction it is in.
"""

import msgspec
from msgspec.structs import replace

from clawdbot.agent.context import Past, Scene
from clawdbot.domain.inbound import Inbound
from clawdbot.domain.messages import Message, Part, Role, Source
from clawdbot.domain.people import User
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Group
from clawdbot.domain.text import spoken
from clawdbot.store import conversations, groups, inbox, people, rights
from clawdbot.store.conversations import Conversation, Entry, Said, Summary
from clawdbot.store.rights import Approval
from clawdbot.store.turns import Turn

_HISTORY_MOST = 400


def entry_of(turn: Turn) -> Entry:
    """Name the place of a turn in the transcript."""
    return Entry(
        conversation=turn.conversation_id,
        position=turn.position,
        session=turn.session_id,
        turn=turn.id,
        user=turn.user_id,
    )


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds of a scene."""

    user: User
    conversation: Conversation
    summary: Summary | None
    words: list[bytes]
    history: list[Said]
    waiting: list[Approval]
    group: Group | None = None


class Begun(msgspec.Struct, frozen=True):
    """A turn that was claimed when it was queued."""

    turn: Turn
    rows: Rows


def read(tx: Tx, turn: Turn) -> Rows | None:
    """Read the rows of a turn's scene; None where its user is gone."""
    user = people.get(tx, turn.user_id)
    conversation = conversations.get(tx, turn.conversation_id)
    if user is None or conversation is None:
        return None
    rows = _read(tx, turn, user, conversation, inbox.bodies(tx, turn.id))
    return replace(rows, waiting=rights.waiting_in(tx, turn.conversation_id))


def begin(tx: Tx, turn: Turn, user: User, conversation: Conversation, inbound: Inbound) -> Begun:
    """Set out with a turn that answers one message; its lane is idle, so nothing waits there."""
    return Begun(turn, _read(tx, turn, user, conversation, [inbox.encode(inbound)]))


def scene_of(turn: Turn, rows: Rows) -> Scene:
    """Set the scene."""
    user, summary, group = rows.user, rows.summary, rows.group or Group()
    inbounds = [inbox.decode(body) for body in rows.words]
    words = tuple(Message(role=Role.USER, parts=inbound.parts) for inbound in inbounds)
    return Scene(
        turn=turn.id,
        conversation=turn.conversation_id,
        user=user,
        channel=turn.to.channel,
        language=group.language or spoken("\n".join(m.text for m in words), user.language),
        route=rows.conversation.model,
        words=words,
        history=tuple(Past(_seen_by(user, s), s.tokens, s.position) for s in rows.history),
        summary=summary.body if summary else "",
        summary_tainted=bool(summary and summary.taint),
        waiting=tuple(call.tool for asked in rows.waiting for call in asked.plan.calls),
        ceiling=rows.group.ceiling if rows.group is not None else "",
    )


def load(tx: Tx, turn: Turn) -> Scene | None:
    """Read a turn's scene and set it; None where its user is gone."""
    rows = read(tx, turn)
    return scene_of(turn, rows) if rows is not None else None


def _read(tx: Tx, turn: Turn, user: User, conversation: Conversation, words: list[bytes]) -> Rows:
    summary = conversations.last_summary(tx, turn.session_id)
    after = summary.upto if summary else 0
    return Rows(
        user=user,
        conversation=conversation,
        summary=summary,
        words=words,
        history=conversations.recent(tx, entry_of(turn), after, _HISTORY_MOST),
        waiting=[],
        group=groups.of_turn(tx, turn.conversation_id, turn.to),
    )


def _seen_by(user: User, said: Said) -> Message:
    message = said.message
    if said.user_id == user.id:
        return message
    # What another member of a group said, or caused to be said, is not the requester's own.
    return msgspec.structs.replace(message, parts=tuple(_foreign(part) for part in message.parts))


def _foreign(part: Part) -> Part:
    source = Source.OTHER if part.source is Source.OWN else part.source
    return msgspec.structs.replace(part, source=source, taint=True)
