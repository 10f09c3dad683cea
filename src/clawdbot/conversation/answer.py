"""An answer as outbox rows, cut to the destination: one row a chunk, behind its stub."""

from collections.abc import Callable

from clawdbot.agent.context import tokens_of
from clawdbot.conversation.session import direct_scope
from clawdbot.conversation.shown import stub_id
from clawdbot.domain.caps import Caps, Streaming
from clawdbot.domain.chunk import cut, stub
from clawdbot.domain.inbound import OWN_CHANNELS, Address
from clawdbot.domain.messages import fixed
from clawdbot.domain.ports import Outgoing, Tx
from clawdbot.store import conversations, outbox, people
from clawdbot.store.conversations import ADDRESS, Entry
from clawdbot.store.outbox import New, RowKind
from clawdbot.store.turns import Turn


def put(tx: Tx, turn: Turn, caps: Caps, text: str, now: float) -> None:
    """Queue an answer's rows; our own sockets need none, the transcript is their delivery."""
    if caps.stream is Streaming.SOCKET:
        return
    for index, chunk in enumerate(cut(text, caps.text_max, caps.unit)):
        # Where an edit is idempotent and a send is not, every chunk replaces a stub.
        through_stub = caps.stream is Streaming.EDIT and not caps.idempotent_send
        shown = stub_id(turn.id, index) if through_stub else ""
        reply_to = turn.reply_to if index == 0 else ""
        if shown:
            message = Outgoing(text=stub(chunk), reply_to=reply_to)
            outbox.put(tx, _row(turn, shown, RowKind.STUB, message), now)
        message = Outgoing(text=chunk, reply_to=reply_to)
        row = _row(turn, f"{turn.id}:chunk:{index}", RowKind.CHUNK, message, stub=shown)
        outbox.put(tx, row, now)


def tell(tx: Tx, row: str, to: Address, user: str, text: str, *, now: float) -> int:
    """Say something that nobody asked for just now: a reminder, a fault; once per row id.

    Give its event on our own sockets, 0 elsewhere.
    """
    if to.channel not in OWN_CHANNELS:
        notice(tx, row, to, user, text, now=now)
        return 0
    lane = conversations.find(tx, to.channel, direct_scope(to, user))
    if lane is None:
        return 0
    position = conversations.advance(tx, lane.id)
    entry = Entry(
        conversation=lane.id,
        position=position,
        session=lane.session_id,
        turn=row,
        user=user,
    )
    message = fixed(text)
    conversations.append(tx, entry, [(message, tokens_of(message))], now)
    return position


def tell_owners(
    tx: Tx, row: str, words: Callable[[str], str], *, now: float, but: str = ""
) -> list[str]:
    """Tell every owner who can be reached, in their language; name the destinations."""
    told: list[str] = []
    for owner in people.owners(tx):
        address = people.reachable(tx, owner.id)
        if address is None or owner.id == but:
            continue
        to = ADDRESS.decode(address)
        tell(tx, f"{row}:owner:{owner.id}", to, owner.id, words(owner.language), now=now)
        told.append(to.key)
    return told


def notice(tx: Tx, row: str, to: Address, user: str, text: str, *, now: float) -> None:
    """Queue one of our own sentences, once per row id; our own sockets show it by themselves."""
    if to.channel in OWN_CHANNELS:
        return
    message = Outgoing(text=text)
    outbox.put(tx, New(id=row, to=to, message=message, kind=RowKind.NOTICE, user=user), now)


def _row(turn: Turn, row: str, kind: RowKind, message: Outgoing, stub: str = "") -> New:
    return New(
        id=row, to=turn.to, message=message, kind=kind, user=turn.user_id, turn=turn.id, stub=stub
    )
