"""A turn asks a person and gives up its lane: the question, its rows, and where they go.

Never in a group: there only that something waits. Everything that will run is shown, uncut.
"""

import hashlib
from dataclasses import dataclass

from clawdbot.conversation import answer
from clawdbot.domain.approval import Plan, Verb, shown, token
from clawdbot.domain.caps import Caps
from clawdbot.domain.chunk import cut
from clawdbot.domain.inbound import OWN_CHANNELS, Address
from clawdbot.domain.people import User
from clawdbot.domain.ports import Button, Outgoing, Tx
from clawdbot.domain.text import say
from clawdbot.store import outbox, people
from clawdbot.store.conversations import ADDRESS
from clawdbot.store.outbox import New, RowKind
from clawdbot.store.rights import NewApproval
from clawdbot.store.turns import Turn

_LABELS = {
    Verb.YES: "Yes, once",
    Verb.CONVERSATION: "Yes, in this conversation",
    Verb.ALWAYS: "Always exactly this",
    Verb.NO: "No",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question about to be put: to whom it goes, in which language."""

    approval: NewApproval
    to: Address
    user: User


def new(turn: Turn, plan: Plan, *, id_: str, epoch: str, now: float, until: float) -> NewApproval:
    """Make the approval that a turn asks for; its code is drawn from its id's randomness."""
    drawn = int(hashlib.sha256(f"{epoch}{id_}".encode()).hexdigest(), 16) % 10_000
    return NewApproval(
        id=id_,
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        user_id=turn.user_id,
        epoch=epoch,
        code=f"{drawn:04}",
        plan=plan,
        created_at=now,
        expires_at=until,
    )


def choices(epoch: str, approval: str, plan: Plan) -> tuple[tuple[Verb, str], ...]:
    """Make the token of every answer; what an admin decides, or nobody knows of, is for once."""
    once = plan.admin or any(call.again for call in plan.calls)
    verbs = (Verb.YES, Verb.NO) if once else tuple(_LABELS)
    return tuple((verb, token(epoch, approval, plan.hash, verb)) for verb in verbs)


def label(verb: Verb, language: str) -> str:
    """Name a choice."""
    return say(language, _LABELS[verb])


def put(tx: Tx, turn: Turn, approval: NewApproval, caps: Caps, language: str) -> list[str]:
    """Queue the question for everybody who may answer; name the destinations."""
    now = approval.created_at
    told = _askable(tx, turn, approval)
    for asked in told:
        _queue(tx, asked, caps)
    if not turn.to.group and told and turn.to.key == told[0].to.key:
        return [asked.to.key for asked in told]
    text = say(language, "This needs a yes. I have asked in private, and on the panel.")
    answer.notice(tx, f"{approval.id}:waits", turn.to, turn.user_id, text, now=now)
    return [turn.to.key, *(asked.to.key for asked in told)]


def question(plan: Plan, code: str, language: str) -> str:
    """Put the question in words, with everything that will run."""
    head = say(language, "May I do this?")
    tail = say(language, "Answer YES {code} or NO {code}.", code=code)
    return f"{head}\n\n{shown(plan, language)}\n\n{tail}"


def _askable(tx: Tx, turn: Turn, approval: NewApproval) -> list[Asked]:
    requester = people.get(tx, turn.user_id)
    if requester is None:
        return []
    if approval.plan.admin:
        admins = (user for user in people.listed(tx) if user.runs_the_place)
        return [a for user in admins if (a := _reach(tx, approval, user)) is not None]
    if not turn.to.group:
        return [Asked(approval=approval, to=turn.to, user=requester)]
    found = _reach(tx, approval, requester)
    return [found] if found is not None else []


def _reach(tx: Tx, approval: NewApproval, user: User) -> Asked | None:
    address = people.reachable(tx, user.id)
    if address is None or user.disabled_at is not None:
        return None
    return Asked(approval=approval, to=ADDRESS.decode(address), user=user)


def _queue(tx: Tx, asked: Asked, caps: Caps) -> None:
    """Queue a question as notices, its buttons under the last; our own sockets show it."""
    approval, language = asked.approval, asked.user.language
    if asked.to.channel in OWN_CHANNELS:
        return
    chunks = cut(question(approval.plan, approval.code, language), caps.text_max, caps.unit)
    tokens = choices(approval.epoch, approval.id, approval.plan)
    keys = tuple(Button(label=label(verb, language), token=tok) for verb, tok in tokens)
    for index, chunk in enumerate(chunks):
        last = index == len(chunks) - 1
        message = Outgoing(text=chunk, buttons=keys if last and caps.buttons else ())
        row = f"{approval.id}:ask:{asked.user.id}:{index}"
        new_row = New(id=row, to=asked.to, message=message, kind=RowKind.NOTICE, user=asked.user.id)
        outbox.put(tx, new_row, approval.created_at)
