"""Inputs that act inside `accept`, never behind a turn: /stop, /new, edits, clicks, refusals.

Each checks its permission in the same transaction.
"""

from msgspec import Struct, field

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
from clawdbot.store.turns import Turn, TurnState


class Control(Struct, frozen=True, kw_only=True):
    """One input of a known user, within one transaction; `row` is its inbox row's id."""

    tx: Tx
    inbound: Inbound
    user: User
    words: str
    row: str
    now: float


class Verdict(Struct, kw_only=True):
    """What was decided, and who must look up after the commit: turns and destinations.

    `ended` are turns that ended here (where, which), `asked` approvals that were answered: screens
    must hear.
    `begun` is a turn that was claimed here.
    """

    decision: Decision
    wake: list[str] = field(default_factory=list)
    deliver: list[str] = field(default_factory=list)
    notice: str = ""
    ended: tuple[tuple[Address, str], ...] = ()
    asked: tuple[tuple[Address, str], ...] = ()
    begun: Begun | None = None

    def add(self, other: "Verdict") -> None:
        """Have those look up, too, whom another verdict names."""
        self.wake += other.wake
        self.deliver += other.deliver
        self.ended += other.ended
        self.asked += other.asked


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
    verdict = halt(control.tx, head, control.user.id, control.now)
    verdict.decision = Decision(
        outcome=Outcome.CONTROL, reason="/stop", turn=head.id, user=control.user.id
    )
    if verdict.ended:
        said = reply(control, "Stopped.")
        verdict.deliver = [*said.deliver, *verdict.deliver]
        verdict.notice = said.notice
    return verdict


def halt(tx: Tx, turn: Turn, by: str, now: float) -> Verdict:
    """Mark a turn to stop; where nobody runs it, end it and all that it asks."""
    verdict = refused("halted", by)
    turns.stop(tx, turn.id, by)
    if not turns.close(tx, turn.id, TurnState.STOPPED, now):
        verdict.wake.append(turn.id)  # it runs: its own end tells that it was stopped
        return verdict
    ended, told = asking.end(tx, turn.id, State.CANCELLED, by=by, now=now)
    if (following := turns.head(tx, turn.conversation_id)) is not None:
        verdict.wake.append(following.id)
    verdict.deliver += told
    verdict.ended = ((turn.to, turn.id),)
    verdict.asked = tuple((turn.to, approval) for approval in ended)
    return verdict


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
