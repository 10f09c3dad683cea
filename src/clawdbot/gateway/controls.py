"""Inputs that act inside `accept`, never behind a turn: /stop, /new, edits, clicks, refusals.

Each checks its permission in the same transaction.
"""

from dataclasses import dataclass, field

from clawdbot.conversation import asking
from clawdbot.conversation.answer import notice
from clawdbot.conversation.scenes import Begun
from clawdbot.domain.approval import State
from clawdbot.domain.inbound import Address, ChatKind, Inbound, Outcome
from clawdbot.domain.people import User
from clawdbot.domain.ports import Tx
from clawdbot.domain.text import say
from clawdbot.store import conversations, inbox, turns
from clawdbot.store.conversations import Conversation
from clawdbot.store.inbox import Decision
from clawdbot.store.turns import TurnState


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One input of a known user, within one transaction; `row` is its inbox row's id."""

    tx: Tx
    inbound: Inbound
    user: User
    words: str
    row: str
    now: float


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What was decided, and who must look up after the commit: turns and destinations.

    `ended` are turns that ended here, `asked` approvals that were answered: screens must hear.
    `begun` is a turn that was claimed here.
    """

    decision: Decision
    wake: list[str] = field(default_factory=list)
    deliver: list[str] = field(default_factory=list)
    notice: str = ""
    ended: tuple[str, ...] = ()
    asked: tuple[tuple[Address, str], ...] = ()
    begun: Begun | None = None


def refused(reason: str, user: str = "") -> Verdict:
    """Refuse without a word."""
    return Verdict(decision=Decision(outcome=Outcome.REFUSED, reason=reason, user=user))


def reply(control: Control, english: str, **values: object) -> Verdict:
    """Answer a control with one of our own sentences."""
    text = say(control.user.language, english, **values)
    to = control.inbound.to
    notice(control.tx, f"{control.row}:reply", to, control.user.id, text, now=control.now)
    decision = Decision(outcome=Outcome.CONTROL, reason=control.words[:16], user=control.user.id)
    return Verdict(decision=decision, deliver=[to.key], notice=text)


def stop(control: Control, lane: Conversation | None) -> Verdict:
    """Mark the turn that runs, or end the one that waits; by its requester or an admin."""
    head = turns.to_stop(control.tx, lane.id) if lane is not None else None
    if head is None:
        return reply(control, "Nothing is running.")
    if head.user_id != control.user.id and not control.user.runs_the_place:
        return reply(control, "Only the one who asked, or an admin, may stop this.")
    turns.stop(control.tx, head.id, control.user.id)
    decision = Decision(outcome=Outcome.CONTROL, reason="/stop", turn=head.id, user=control.user.id)
    if not turns.close(control.tx, head.id, TurnState.STOPPED, control.now):
        # It runs: its own end tells that it was stopped.
        return Verdict(decision=decision, wake=[head.id])
    by, now = control.user.id, control.now
    ended, told = asking.end(control.tx, head.id, State.CANCELLED, by=by, now=now)
    verdict = reply(control, "Stopped.")
    following = turns.head(control.tx, head.conversation_id)
    return Verdict(
        decision=decision,
        wake=[following.id] if following is not None else [],
        deliver=[*verdict.deliver, *told],
        notice=verdict.notice,
        ended=(head.id,),
        asked=tuple((head.to, approval) for approval in ended),
    )


def new_session(control: Control, lane: Conversation | None, session: str) -> Verdict:
    """Begin a new session; turns that were accepted before keep theirs."""
    if lane is not None:
        conversations.touch(control.tx, lane.id, session, control.now, control.now)
        conversations.set_model(control.tx, lane.id, "")
    return reply(control, "A new conversation begins.")


def supersede(control: Control, lane: Conversation | None, by: str) -> bool:
    """Have a turn stand in the last one's place; False where it is not the last, or not theirs."""
    last = turns.last(control.tx, lane.id) if lane is not None else None
    if last is None or last.id != control.inbound.instead or last.user_id != control.user.id:
        return False
    conversations.supersede(control.tx, last.conversation_id, last.session_id, last.position, by)
    return True


def late(control: Control) -> Verdict:
    """Tell that what somebody wants to say anew is not the last any more."""
    verdict = refused("not the last", control.user.id)
    text = "Only your last message can be written anew, and only while nothing runs."
    verdict.notice = say(control.user.language, text)
    return verdict


def edit(control: Control, lane: Conversation | None) -> Verdict:
    """Replace the words of a message that no turn has begun to answer."""
    earlier = inbox.by_ref(control.tx, lane.id, control.inbound.ref) if lane is not None else None
    turn = turns.get(control.tx, earlier.turn_id) if earlier is not None else None
    if earlier is None or turn is None or turn.user_id != control.user.id:
        return refused("edit of nothing", control.user.id)
    if turn.state != TurnState.READY or turn.claimed_at is not None:
        return refused("edit came late", control.user.id)
    inbox.rewrite(control.tx, earlier.id, control.inbound)
    decision = Decision(outcome=Outcome.CONTROL, reason="edit", user=control.user.id)
    return Verdict(decision=decision)


def stale_click(control: Control) -> Verdict:
    """Tell that a button no longer stands for anything."""
    verdict = refused("stale button", control.user.id)
    verdict.notice = say(control.user.language, "This button no longer works.")
    return verdict


def unsupported(control: Control) -> Verdict:
    """Say one honest sentence about content that we cannot read; in a group, nothing."""
    verdict = refused("unsupported", control.user.id)
    if control.inbound.chat is ChatKind.GROUP:
        return verdict
    text = say(control.user.language, "I can only read text so far; please write it to me.")
    to, album = control.inbound.to, control.inbound.album
    row = f"{control.inbound.receiver}:{to.chat}:{album}" if album else control.row
    notice(control.tx, f"{row}:unsupported", to, control.user.id, text, now=control.now)
    verdict.deliver.append(to.key)
    return verdict


def limited(control: Control, *, first: bool) -> Verdict:
    """Refuse a flood, and say so once."""
    verdict = refused("too many messages", control.user.id)
    if first:
        text = say(control.user.language, "Too many messages at once; this one is not answered.")
        to = control.inbound.to
        notice(control.tx, f"{control.row}:limit", to, control.user.id, text, now=control.now)
        verdict.deliver.append(to.key)
        verdict.notice = text
    return verdict
