"""An accepted message becomes a turn, or joins one: conversation, session, position, `while_busy`.

Works inside `accept`'s transaction; locks the conversation row by taking its next position.
"""

import msgspec
from msgspec.structs import replace

from clawdbot.conversation import scenes
from clawdbot.conversation.scenes import Begun
from clawdbot.conversation.session import expired, scope_of
from clawdbot.domain.inbound import ChatKind, Inbound
from clawdbot.domain.messages import told
from clawdbot.domain.people import User
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Session, WhileBusy
from clawdbot.durable.journal import Grip
from clawdbot.store import conversations, inbox, turns
from clawdbot.store.conversations import Conversation

_TITLE_LENGTH = 60


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """Everything random and timely that a decision may need, drawn before its transaction."""

    now: float
    row: str
    turn: str
    conversation: str
    session: str
    user: str
    grip: Grip | None


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message went.

    `begun` is its turn where that was claimed at once, `interrupted` a running turn that was told
    to stop for it.
    """

    conversation: str
    turn: str
    joined: bool = False
    begun: Begun | None = None
    interrupted: tuple[str, ...] = msgspec.field(default=())


def find(tx: Tx, inbound: Inbound, user: User, policy: Session) -> Conversation | None:
    """Find the conversation that a message belongs to, if it has begun."""
    return conversations.find(tx, inbound.receiver, scope_of(inbound, user.id, policy))


def arrive(
    tx: Tx,
    inbound: Inbound,
    user: User,
    policy: Session,
    drawn: Drawn,
    found: Conversation | None,
    *,
    idle: bool,
) -> Arrived:
    """Queue a message as a turn of its conversation, or join it to one that nobody claimed yet.

    Where its lane is `idle` and nobody may join it, the turn is claimed at once.
    """
    if found is None:
        lane = _begun(tx, inbound, user, policy, drawn)
    else:
        lane = _current(found, policy, drawn)
    if (joined := _joins(tx, inbound, user, policy, lane)) is not None:
        conversations.touch(tx, lane.id, lane.session_id, lane.session_from, drawn.now)
        return Arrived(conversation=lane.id, turn=joined, joined=True)
    interrupted = _interrupt(tx, user, policy, lane)
    open_ = bool(inbound.album) or policy.while_busy is WhileBusy.COLLECT
    grip = drawn.grip if idle and not open_ else None
    new = turns.New(
        id=drawn.turn,
        conversation=lane.id,
        session=lane.session_id,
        position=conversations.heard(tx, lane, drawn.now),
        user=user.id,
        to=inbound.to,
        reply_to=inbound.ref if inbound.chat is ChatKind.GROUP else "",
        now=drawn.now,
        node=grip.node if grip else "",
        token=grip.token if grip else "",
    )
    turn = turns.add(tx, new)
    begun = scenes.begin(tx, turn, user, lane, inbound) if grip else None
    return Arrived(conversation=lane.id, turn=turn.id, begun=begun, interrupted=interrupted)


def _begun(tx: Tx, inbound: Inbound, user: User, policy: Session, drawn: Drawn) -> Conversation:
    words = told(inbound.parts)
    lane = Conversation(
        id=drawn.conversation,
        receiver=inbound.receiver,
        scope=scope_of(inbound, user.id, policy),
        user_id=user.id,
        address=msgspec.json.encode(inbound.to),
        title=" ".join(words.split())[:_TITLE_LENGTH],
        model=inbound.route,
        session_id=drawn.session,
        session_from=drawn.now,
        session_last=drawn.now,
        next_position=1,
    )
    conversations.add(tx, lane, drawn.now)
    return lane


def _current(lane: Conversation, policy: Session, drawn: Drawn) -> Conversation:
    """Give a conversation that goes on the session that the new message belongs to."""
    if expired(policy, lane.session_from, lane.session_last, drawn.now):
        return replace(lane, session_id=drawn.session, session_from=drawn.now)
    return lane


def _joins(tx: Tx, inbound: Inbound, user: User, policy: Session, lane: Conversation) -> str | None:
    """Name the unclaimed turn that a message joins: its album's, or by `collect`."""
    if not inbound.album and policy.while_busy is not WhileBusy.COLLECT:
        return None
    waiting = turns.unclaimed(tx, lane.id, user.id)
    if waiting is None or waiting.session_id != lane.session_id:
        return None
    if policy.while_busy is WhileBusy.COLLECT:
        return waiting.id
    same = any(earlier.album == inbound.album for earlier in inbox.of_turn(tx, waiting.id))
    return waiting.id if same else None


def _interrupt(tx: Tx, user: User, policy: Session, lane: Conversation) -> tuple[str, ...]:
    if policy.while_busy is not WhileBusy.INTERRUPT:
        return ()
    head = turns.head(tx, lane.id)
    if head is None or head.user_id != user.id or not turns.stop(tx, head.id, user.id):
        return ()
    return (head.id,)
