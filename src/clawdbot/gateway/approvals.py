"""An answer to a question, inside `accept`: who may give it, once, in private, and what follows.

By a button's token or in words (`YES 4821`). The requester answers within their own role, an admin
everything; the first answer stands.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from clawdbot.agent.rights import entitled
from clawdbot.conversation import asking
from clawdbot.domain import approval as asked
from clawdbot.domain.approval import Scope, State, Verb
from clawdbot.domain.inbound import ChatKind, Inbound, InboundKind, Outcome, Sender
from clawdbot.domain.messages import Text
from clawdbot.domain.people import User
from clawdbot.domain.ports import Tx
from clawdbot.domain.standing import EXACTLY
from clawdbot.domain.text import say
from clawdbot.durable.journal import signal
from clawdbot.gateway.controls import Control, Verdict, refused, reply, stale_click
from clawdbot.gateway.frames import Choice
from clawdbot.gateway.history import place
from clawdbot.store import people, rights, turns
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.inbox import Decision
from clawdbot.store.rights import Approval, NewStanding

Record = Callable[[Tx, Entry], object]

_SCOPES = {
    Verb.YES: Scope.ONCE,
    Verb.CONVERSATION: Scope.CONVERSATION,
    Verb.ALWAYS: Scope.ALWAYS,
    Verb.NEVER: Scope.NEVER,
}
_NOES = frozenset({Verb.NO, Verb.NEVER})


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """An approval as a screen lists it, with the choices that this user has.

    `text` shows everything that will run, `said` tells how it ended, `by` who decided.
    """

    id: str
    code: str
    user: str
    tools: str
    text: str
    state: str
    said: str
    by: str
    at: float
    until: float
    decided: float
    choices: tuple[Choice, ...]


class Desk:
    """Where answers arrive; `record` writes to the audit."""

    def __init__(self, epoch: str, record: Record) -> None:
        """Know only questions of this epoch."""
        self._epoch = epoch
        self.record = record

    def reply(self, control: Control) -> Verdict | None:
        """Take an answer in words; None where the words are none."""
        answer = asked.reply(control.words)
        if answer is None or control.inbound.chat is not ChatKind.DIRECT:
            return None
        # What a job says in its owner's name is no yes of theirs; beside a quote it is.
        if any(p.taint for p in control.inbound.parts if isinstance(p, Text)):
            return None
        meant = [
            found
            for found in rights.with_code(control.tx, answer.code, self._epoch)
            if _entitled(control, found)
        ]
        if not meant:
            return reply(control, "Nothing waits for this answer.")
        return self._settle(control, meant[0], answer.verb)

    def click(self, control: Control) -> Verdict:
        """Take a pressed button."""
        opened = asked.opened(control.inbound.token)
        found = rights.approval(control.tx, opened[0]) if opened is not None else None
        if opened is None or found is None:
            return stale_click(control)
        _, verb, mac = opened
        if not asked.genuine(mac, self._epoch, found.id, found.hash, verb):
            return stale_click(control)
        if control.inbound.chat is not ChatKind.DIRECT or not _entitled(control, found):
            return refused("not theirs to answer", control.user.id)
        return self._settle(control, found, verb)

    def _settle(self, control: Control, found: Approval, verb: Verb) -> Verdict:
        tx, user, now = control.tx, control.user, control.now
        if verb not in dict(asking.choices(found.epoch, found.id, found.plan)):
            # What is for once only cannot stand, whatever the words say.
            verb = Verb.NO if verb is Verb.NEVER else Verb.YES
        state = State.DENIED if verb in _NOES else State.GRANTED
        scope = _SCOPES.get(verb, "")
        late = now >= found.expires_at or found.state != State.OPEN or found.epoch != self._epoch
        if late or not rights.answer(tx, found.id, state, scope, by=user.id, now=now):
            return _said(control, "This was answered already, or is too old.", "stale answer")
        if verb not in {Verb.YES, Verb.NO}:
            _stand(control, found, verb)
        for call in found.plan.calls:
            self.record(tx, _entry(control, found, call, verb))
        turn = signal(tx, found.id, verb.encode())
        asker = turns.get(tx, found.turn_id)
        verdict = _said(control, asking.ended(state, scope), f"approval {state}")
        wake = [turn] if turn is not None else []
        told = ((asker.to, found.id),) if asker is not None else ()
        deliver = [*verdict.deliver, *asking.settle(tx, found.id, state, now, scope)]
        return replace(verdict, wake=wake, deliver=deliver, asked=told)


def press(channel: str, user: User, token: str, event: str) -> Inbound:
    """Put an answer as the press of a button on one of our own screens."""
    return Inbound(
        receiver=channel,
        event=f"{user.id}:{event}",
        to=place(channel, user.id, "approvals"),
        chat=ChatKind.DIRECT,
        sender=Sender(id=user.id, name=user.name, language=user.language),
        kind=InboundKind.CLICK,
        token=token,
    )


def choices(tx: Tx, user: User, found: Approval, epoch: str) -> tuple[Choice, ...]:
    """List the answers that a user may give now."""
    is_open = found.state == State.OPEN and found.epoch == epoch
    if not is_open or not entitled(user, found, rights.roles(tx)):
        return ()
    return tuple(
        Choice(verb=verb, label=asking.label(verb, user.language), token=token)
        for verb, token in asking.choices(epoch, found.id, found.plan)
    )


def waiting(tx: Tx, user: User, epoch: str) -> list[Question]:
    """List what waits: an owner or admin sees all, everybody else their own."""
    return [_shown(tx, user, each, epoch) for each in rights.waiting(tx, epoch, _of(user))]


def past(tx: Tx, user: User, most: int) -> list[Question]:
    """List what was decided, newest first."""
    return [_shown(tx, user, each, "") for each in rights.decided(tx, _of(user), most)]


def _of(user: User) -> str:
    return "" if user.runs_the_place else user.id


def _shown(tx: Tx, user: User, found: Approval, epoch: str) -> Question:
    whose, by = people.get(tx, found.user_id), people.get(tx, found.decided_by)
    said = asking.ended(found.state, found.scope)
    return Question(
        id=found.id,
        code=found.code,
        user=whose.name if whose is not None else "",
        tools=", ".join(dict.fromkeys(call.tool for call in found.plan.calls)),
        text=asked.shown(found.plan, user.language),
        state=found.state,
        said=say(user.language, said) if said else "",
        by=by.name if by is not None else "",
        at=found.created_at,
        until=found.expires_at,
        decided=found.decided_at or 0.0,
        choices=choices(tx, user, found, epoch),
    )


def _entitled(control: Control, found: Approval) -> bool:
    return entitled(control.user, found, rights.roles(control.tx))


def _said(control: Control, english: str, reason: str) -> Verdict:
    """Answer: to a press on its own screen only, to words by a line in the chat."""
    decision = Decision(outcome=Outcome.CONTROL, reason=reason, user=control.user.id)
    if control.inbound.kind is InboundKind.CLICK:
        return Verdict(decision=decision, notice=say(control.user.language, english))
    return replace(reply(control, english), decision=decision)


def _stand(control: Control, found: Approval, verb: Verb) -> None:
    """Keep what stands: for exactly what was shown, a yes in a conversation for its targets."""
    here, keep = verb is Verb.CONVERSATION, rights.refuse if verb is Verb.NEVER else rights.allow
    for index, call in enumerate(found.plan.calls):
        new = NewStanding(
            id=f"{found.id}.{index}",
            user_id=found.user_id,
            tool=call.tool,
            pattern=call.sinks if here and call.sinks else {EXACTLY: call.arguments},
            conversation_id=found.conversation_id if here else "",
            granted_by=control.user.id,
            created_at=control.now,
        )
        keep(control.tx, new)


def _entry(control: Control, found: Approval, call: asked.Planned, verb: Verb) -> Entry:
    return Entry(
        at=control.now,
        user_id=control.user.id,
        turn_id=found.turn_id,
        kind=Kind.DECISION,
        what=call.tool,
        decision="deny" if verb in _NOES else "grant",
        rule=f"approval {found.id} {verb}",
        arguments=asked.digest_of(call.arguments),
    )
