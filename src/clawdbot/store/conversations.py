"""Conversations: a row a lane, its session, its next position; and what was said in it."""

from contextlib import suppress

import msgspec
from msgspec.structs import asdict

from clawdbot.domain.inbound import Address
from clawdbot.domain.messages import Message, tainted
from clawdbot.domain.ports import Tx
from clawdbot.store import outbox, rights, search

ADDRESS = msgspec.json.Decoder(Address)
_MESSAGE = msgspec.json.Decoder(Message)
_NEVER = 1e18
_FORGETS = (
    "summaries.forget",
    "transcript.forget",
    "steps.forget",
    "waits.forget",
    "turns.forget",
    "media.forget_conversation",
    "conversations.forget",
)


class Conversation(msgspec.Struct, frozen=True):
    """A lane and its current session; `model` is a route chosen by the user."""

    id: str
    receiver: str
    scope: str
    user_id: str
    address: bytes
    title: str
    model: str
    session_id: str
    session_from: float
    session_last: float
    next_position: int

    @property
    def to(self) -> Address:
        """Read the address."""
        return ADDRESS.decode(self.address)


class Said(msgspec.Struct, frozen=True):
    """One message of the transcript."""

    position: int
    body: bytes
    tokens: int
    turn_id: str
    user_id: str
    at: float

    @property
    def message(self) -> Message:
        """Read the message."""
        return _MESSAGE.decode(self.body)


class Summary(msgspec.Struct, frozen=True):
    """What stands for a session's turns up to a position."""

    upto: int
    body: str
    source: str
    taint: int
    tokens: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Where a turn's messages go in the transcript."""

    conversation: str
    position: int
    session: str
    turn: str
    user: str


def find(tx: Tx, receiver: str, scope: str) -> Conversation | None:
    """Find the conversation of a scope."""
    return tx.one(Conversation, "conversations.find", receiver=receiver, scope=scope)


def get(tx: Tx, conversation: str) -> Conversation | None:
    """Read a conversation."""
    return tx.one(Conversation, "conversations.get", id=conversation)


def of_user(
    tx: Tx, user: str, receiver: str, most: int, before: Conversation | None = None
) -> list[Conversation]:
    """List a user's conversations on a receiver, newest first, from behind one of them on."""
    return tx.all(
        Conversation,
        "conversations.of_user",
        user_id=user,
        receiver=receiver,
        most=most,
        before=before.session_last if before is not None else _NEVER,
        before_id=before.id if before is not None else "",
    )


def add(tx: Tx, conversation: Conversation, now: float) -> None:
    """Begin a conversation."""
    tx.run("conversations.add", now=now, **asdict(conversation))


def of_groups(tx: Tx, receiver: str) -> list[Conversation]:
    """List the conversations of a receiver's groups."""
    return tx.all(Conversation, "conversations.of_groups", receiver=receiver)


def move(tx: Tx, lane: Conversation, scope: str, to: Address) -> None:
    """Give a conversation another scope and address; one that has that scope already makes way."""
    if (other := find(tx, lane.receiver, scope)) is not None:
        aside = f"{scope}#{other.id}"
        tx.run("conversations.move", id=other.id, scope=aside, address=other.address)
    tx.run("conversations.move", id=lane.id, scope=scope, address=msgspec.json.encode(to))


def advance(tx: Tx, conversation: str) -> int:
    """Lock the conversation and take its next position."""
    position = tx.one(int, "conversations.advance", id=conversation)
    if position is None:
        raise LookupError(conversation)
    return position


def heard(tx: Tx, conversation: Conversation, now: float) -> int:
    """Note what session heard something, and take the next position (see `advance`)."""
    position = tx.one(
        int,
        "conversations.heard",
        id=conversation.id,
        session_id=conversation.session_id,
        session_from=conversation.session_from,
        now=now,
    )
    if position is None:
        raise LookupError(conversation.id)
    return position


def touch(tx: Tx, conversation: str, session: str, session_from: float, now: float) -> None:
    """Set the current session and note that it heard something."""
    tx.run(
        "conversations.touch",
        id=conversation,
        session_id=session,
        session_from=session_from,
        now=now,
    )


def set_title(tx: Tx, conversation: str, title: str) -> None:
    """Name a conversation."""
    tx.run("conversations.title", id=conversation, title=title)


def set_model(tx: Tx, conversation: str, route: str) -> None:
    """Choose a route for a conversation; empty for the default."""
    tx.run("conversations.model", id=conversation, model=route)


def forget(tx: Tx, conversation: str, now: float) -> None:
    """Forget a conversation whole: its words, turns, steps and questions, wherever they are kept.

    That its messages came stays, and what they cost: a repetition is still known, sums still right.
    """
    drop(tx, conversation, now)
    search.forget_conversation(tx, conversation)


def drop(tx: Tx, conversation: str, now: float) -> None:
    """Forget a conversation but for the index of its words."""
    for approval in rights.forget(tx, conversation, now):
        outbox.forget_asked(tx, approval)
    tx.run("inbox.forget", id=conversation, empty=b"")
    for query in _FORGETS:
        tx.run(query, id=conversation)


def append(tx: Tx, entry: Entry, messages: list[tuple[Message, int]], now: float) -> None:
    """Append what a turn said, each message with its size in tokens; it is to be indexed."""
    for seq, (message, tokens) in enumerate(messages):
        tx.run(
            "transcript.add",
            seq=seq,
            body=msgspec.json.encode(message),
            taint=int(tainted([message])),
            tokens=tokens,
            at=now,
            **asdict(entry),
        )
    search.later(tx, entry.user, entry.conversation, entry.position, now)


def index(tx: Tx, most: int) -> bool:
    """Index the oldest turns that are not; False once there are none.

    One that this version cannot read is passed over: it holds nothing up.
    """
    taken = search.take(tx, most)
    for turn in taken:
        said = at(tx, turn.conversation_id, turn.position)
        with suppress(msgspec.DecodeError, UnicodeError):
            search.add(tx, turn, [row.message for row in said])
    return bool(taken)


def recent(tx: Tx, entry: Entry, after: int, most: int) -> list[Said]:
    """Read the entry's session backwards from its position, down to a summary's."""
    return tx.all(
        Said,
        "transcript.recent",
        session_id=entry.session,
        before=entry.position,
        after=after,
        most=most,
    )


def page(tx: Tx, conversation: str, before: int, most: int) -> list[Said]:
    """Read a conversation backwards across its sessions."""
    return tx.all(Said, "transcript.page", conversation_id=conversation, before=before, most=most)


def onwards(tx: Tx, conversation: str, after: int, before: int, most: int) -> list[Said]:
    """Read a conversation forwards across its sessions, between two positions."""
    found = {"conversation_id": conversation, "after": after, "before": before}
    return tx.all(Said, "transcript.onwards", most=most, **found)


def supersede(tx: Tx, conversation: str, session: str, position: int, by: str) -> None:
    """Have a turn stand in the place of what was said at a position; that stays, unseen."""
    tx.run("transcript.supersede", conversation_id=conversation, position=position, by=by)
    tx.run("summaries.unsay", session_id=session, position=position)
    search.forget_turn(tx, conversation, position)


def superseded(tx: Tx, conversation: str) -> dict[str, str]:
    """Tell in whose place turns of a conversation stand."""
    pairs = tx.all(
        lambda by, turn: (str(by), str(turn)),
        "transcript.superseded",
        conversation_id=conversation,
    )
    return dict(pairs)


def at(tx: Tx, conversation: str, position: int) -> list[Said]:
    """Read what was said at a position of a conversation."""
    found = {"conversation_id": conversation, "position": position}
    return tx.all(Said, "transcript.at", **found)


def last_summary(tx: Tx, session: str) -> Summary | None:
    """Read the latest summary of a session."""
    return tx.one(Summary, "summaries.last", session_id=session)


def add_summary(tx: Tx, session: str, user: str, summary: Summary, now: float) -> None:
    """Keep a summary; the first for a position stays."""
    tx.run("summaries.add", session_id=session, user_id=user, at=now, **asdict(summary))
