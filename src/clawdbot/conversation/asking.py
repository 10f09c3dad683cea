"""A turn asks a person and gives up its lane: the question, its rows, and where they go.

Never in a group: there only that something waits. Everything that will run is shown, uncut.
"""

import hashlib
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from clawdbot.conversation import answer
from clawdbot.domain.approval import Plan, Scope, State, Verb, shown, token
from clawdbot.domain.caps import Caps
from clawdbot.domain.chunk import cut
from clawdbot.domain.inbound import OWN_CHANNELS, Address
from clawdbot.domain.people import User
from clawdbot.domain.ports import Button, Outgoing, Tx
from clawdbot.domain.text import say
from clawdbot.durable import journal
from clawdbot.store import outbox, people, rights
from clawdbot.store.conversations import ADDRESS
from clawdbot.store.outbox import New, RowKind
from clawdbot.store.rights import NewApproval
from clawdbot.store.turns import Turn

_LABELS = {
    Verb.YES: "Yes, once",
    Verb.CONVERSATION: "Yes, in this conversation",
    Verb.ALWAYS: "Always exactly this",
    Verb.NO: "No",
    Verb.NEVER: "Never exactly this",
}
ENDS: dict[str, str] = {
    State.GRANTED: "Allowed.",
    State.DENIED: "Not done.",
    State.EXPIRED: "Nobody answered in time; not done.",
    State.CANCELLED: "Taken back; not done.",
}
NEVER = "Not done, and refused from now on."
# What is left of a message's length for how it ended.
_END_MOST = 80


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question about to be put: to whom it goes, in which language."""

    approval: NewApproval
    to: Address
    user: User
    whose: str = ""


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
    """Make the token of every answer; what nobody knows of is for once, an admin's yes too."""
    if any(call.again for call in plan.calls):
        verbs: tuple[Verb, ...] = (Verb.YES, Verb.NO)
    else:
        verbs = (Verb.YES, Verb.NO, Verb.NEVER) if plan.admin else tuple(_LABELS)
    return tuple((verb, token(epoch, approval, plan.hash, verb)) for verb in verbs)


def ended(state: str, scope: str = "") -> str:
    """Say how a question ended, in English; empty while it is open."""
    return NEVER if scope == Scope.NEVER else ENDS.get(state, "")


def label(verb: Verb, language: str) -> str:
    """Name a choice."""
    return say(language, _LABELS[verb])


def put(
    tx: Tx, turn: Turn, draft: NewApproval, caps: Callable[[Address], Caps], language: str
) -> list[str]:
    """Keep the question and queue it for everybody who may answer; name the destinations."""
    approval = replace(draft, code=rights.free_code(tx, draft.code))
    rights.ask(tx, approval)
    now = approval.created_at
    told = _askable(tx, turn, approval)
    for asked in told:
        _queue(tx, asked, caps(asked.to))
    if not turn.to.group and told and turn.to.key == told[0].to.key:
        return [asked.to.key for asked in told]
    text = say(language, "This needs a yes. I have asked in private, and on the panel.")
    answer.notice(tx, f"{approval.id}:waits", turn.to, turn.user_id, text, now=now)
    return [turn.to.key, *(asked.to.key for asked in told)]


def settle(tx: Tx, approval: str, state: str, now: float, scope: str = "") -> list[str]:
    """Take the buttons away and tell how it ended; name the destinations."""
    told = []
    for row in outbox.asked(tx, approval):
        user = people.get(tx, row.user_id)
        if not row.message.buttons or user is None:
            continue
        text = f"{row.message.text}\n\n{say(user.language, ended(state, scope))}"
        message = msgspec.structs.replace(row.message, text=text, buttons=())
        new = New(
            id=f"{row.id}:over",
            to=row.to,
            message=message,
            kind=RowKind.NOTICE,
            user=row.user_id,
            stub=row.id,
        )
        outbox.put(tx, new, now)
        told.append(row.to.key)
    return told


def end(
    tx: Tx, turn: str, state: State, *, by: str = "", now: float
) -> tuple[list[str], list[str]]:
    """End all that a turn still asks and waits for; name the approvals and the destinations."""
    ended = rights.close(tx, turn, state, by=by, now=now)
    journal.forget(tx, turn)
    return ended, [told for each in ended for told in settle(tx, each, state, now)]


def question(plan: Plan, code: str, language: str, whose: str = "") -> str:
    """Put the question in words, with everything that will run; `whose`, where it is another's."""
    head = say(language, "May I do this?")
    if whose:
        head = say(language, "Asked by {user}: may I do this?", user=whose)
    tail = say(language, "Answer YES {code} or NO {code}.", code=code)
    return f"{head}\n\n{shown(plan, language)}\n\n{tail}"


def _askable(tx: Tx, turn: Turn, approval: NewApproval) -> list[Asked]:
    requester = people.get(tx, turn.user_id)
    if requester is None:
        return []
    if approval.plan.admin:
        admins = (user for user in people.listed(tx) if user.runs_the_place)
        found = (_reach(tx, approval, user) for user in admins)
        return [replace(asked, whose=requester.name) for asked in found if asked is not None]
    if not turn.to.group:
        return [Asked(approval=approval, to=turn.to, user=requester)]
    asked = _reach(tx, approval, requester, near=turn.to.channel)
    return [asked] if asked is not None else []


def _reach(tx: Tx, approval: NewApproval, user: User, near: str = "") -> Asked | None:
    address = people.reachable(tx, user.id, near)
    if address is None or user.disabled_at is not None:
        return None
    return Asked(approval=approval, to=ADDRESS.decode(address), user=user)


def _queue(tx: Tx, asked: Asked, caps: Caps) -> None:
    """Queue a question as notices, its buttons under the last; our own sockets show it."""
    approval, language = asked.approval, asked.user.language
    if asked.to.channel in OWN_CHANNELS:
        return
    text = question(approval.plan, approval.code, language, asked.whose)
    chunks = cut(text, caps.text_max - _END_MOST, caps.unit)
    tokens = choices(approval.epoch, approval.id, approval.plan)
    keys = tuple(Button(label=label(verb, language), token=tok) for verb, tok in tokens)
    for index, chunk in enumerate(chunks):
        last = index == len(chunks) - 1
        message = Outgoing(text=chunk, buttons=keys if last and caps.buttons else ())
        row = f"{approval.id}:ask:{asked.user.id}:{index}"
        new_row = New(id=row, to=asked.to, message=message, kind=RowKind.NOTICE, user=asked.user.id)
        outbox.put(tx, new_row, approval.created_at)
