"""What is accepted: every verified delivery ends as one committed row, in one transaction.

Is it new, who is it, may they, is it a control, whose turn does it become. Only after the commit is
the platform told. Randomness and time are drawn before, so that the transaction may run again.
"""

import asyncio
import hashlib
from collections.abc import Callable

from msgspec import Struct

from clawdbot.conversation import lane
from clawdbot.conversation.answer import notice
from clawdbot.conversation.arrival import Drawn, arrive, find
from clawdbot.conversation.lane import Lane
from clawdbot.conversation.session import resets
from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import DiskLow
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.inbound import (
    OWN_CHANNELS,
    ChatKind,
    Inbound,
    InboundKind,
    Outcome,
    Receipt,
)
from clawdbot.domain.messages import Attachment, Source, Text, Unreadable
from clawdbot.domain.people import Level, User, shown
from clawdbot.domain.ports import Clock, Db, Engine, Stream, Tx
from clawdbot.domain.settings import Access, Limits, Session
from clawdbot.domain.text import language_of, say
from clawdbot.gateway import controls, groups, linking, pairing
from clawdbot.gateway.approvals import Desk
from clawdbot.gateway.controls import Control, Verdict, refused
from clawdbot.gateway.media import attached, sent
from clawdbot.gateway.pairing import Asked
from clawdbot.store import inbox, people, turns
from clawdbot.store.conversations import Conversation
from clawdbot.store.inbox import Decision

_MINUTE_S = 60.0
_LINKS_A_MINUTE = 5


class After(Struct, frozen=True, kw_only=True):
    """Who is told after the commit; `deliver` makes the outbox look at a destination."""

    lane: Lane
    engine: Engine
    deliver: Callable[[str], None]
    stream: Stream
    bus: Bus


class Inbox:
    """Where every channel puts what it has translated."""

    def __init__(
        self,
        db: Db,
        clock: Clock,
        *,
        policy: Callable[[str, str], Session],
        limits: Limits,
        room_left: Callable[[], bool],
        after: After,
        desk: Desk,
    ) -> None:
        """Decide by the policy of (channel, account) while there is room on the disk."""
        self._db = db
        self._clock = clock
        self._policy = policy
        self._limits = limits
        self._room_left = room_left
        self._after = after
        self._desk = desk

    async def accept(self, inbound: Inbound) -> Receipt:
        """Decide on a delivery and commit; raises StoreFailed where nothing could be kept.

        Who stops waiting for it stops nothing: what the commit claimed is run.
        """
        return await asyncio.shield(self._accept(inbound))

    async def _accept(self, inbound: Inbound) -> Receipt:
        if not self._room_left():
            raise DiskLow
        drawn = self._draw()
        receipt, verdict, inbound = await self._db.write(
            lambda tx: self._decide(tx, inbound, drawn)
        )
        self.look_up(verdict)
        self._after.bus.tell("accepted", 1, inbound.to.channel, receipt.outcome)
        if receipt.outcome in {Outcome.TURN, Outcome.JOINED}:
            self._after.stream.publish(_said(inbound, receipt))
        return receipt

    def admitting(self) -> Callable[[Tx, Asked, User | None, str], tuple[User, Verdict]]:
        """Give a step of a transaction: let a stranger in, and answer what they had written.

        It takes who asks for it with the hash of their code, and whose account it is or the new
        user's role; raises BadInput where the code is unknown or too old. After the commit
        `look_up` its verdict.
        """
        drawn = self._draw()

        def step(tx: Tx, asked: Asked, user: User | None, role: str) -> tuple[User, Verdict]:
            newcomer = User(drawn.user, "", role, "en", "UTC")
            return self._let_in(tx, asked, user, newcomer, drawn)

        return step

    def look_up(self, verdict: Verdict) -> None:
        """Have everybody look who must, after the commit of what was decided."""
        if verdict.begun is not None:
            self._after.lane.begin(verdict.begun)
        for turn in verdict.wake:
            lane.submit(turn, self._after.engine)
        for destination in verdict.deliver:
            self._after.deliver(destination)
        for to, turn in verdict.ended:
            ended = Live(kind=LiveKind.STOPPED, turn=turn, to=to, text=verdict.notice)
            self._after.stream.publish(ended)
        for to, approval in verdict.asked:
            settled = Live(kind=LiveKind.ASKED, turn="", to=to, text=approval)
            self._after.stream.publish(settled)

    def _draw(self) -> Drawn:
        ulid = self._clock.ulid
        turn = ulid()
        return Drawn(
            now=self._clock.now(),
            row=ulid(),
            turn=turn,
            conversation=ulid(),
            session=ulid(),
            user=ulid(),
            grip=self._after.lane.grip(turn),
        )

    def _decide(self, tx: Tx, inbound: Inbound, drawn: Drawn) -> tuple[Receipt, Verdict, Inbound]:
        key = _key(inbound)
        if (earlier := inbox.seen(tx, key)) is not None:
            receipt = Receipt(outcome=Outcome.DUPLICATE, turn=earlier[1], reason=earlier[0])
            verdict = refused("duplicate")
            # Whoever accepted it first may have ended before the engine heard of it.
            verdict.wake = [earlier[1]] if earlier[1] else []
            return receipt, verdict, inbound
        inbound, whole = attached(tx, inbound)
        verdict = self._judge(tx, inbound, drawn) if whole else _lost(inbound)
        decision = verdict.decision
        if decision.turn:
            sent(tx, inbound, decision.conversation, drawn.now)
        inbox.put(tx, inbound, key, decision, row=drawn.row, now=drawn.now)
        receipt = Receipt(
            outcome=decision.outcome,
            turn=decision.turn,
            conversation=decision.conversation,
            reason=decision.reason,
            notice=verdict.notice,
        )
        return receipt, verdict, inbound

    def _judge(self, tx: Tx, inbound: Inbound, drawn: Drawn) -> Verdict:
        policy = self._policy(inbound.to.channel, inbound.to.account)
        if inbound.kind is InboundKind.UNREADABLE:
            return Verdict(decision=Decision(outcome=Outcome.UNREADABLE, keep=True))
        inbound, group = groups.heard(tx, inbound, policy.group, drawn)
        if inbound.kind is InboundKind.NOISE or not groups.meant(inbound, group):
            return refused("not for us")
        user = groups.speaking(tx, inbound, _who(tx, inbound, policy, drawn), group, drawn)
        if (code := linking.typed(_words(inbound))) is not None and _in_private(inbound):
            return self._link(tx, inbound, user, code, policy, drawn)
        if user is None:
            return self._stranger(tx, inbound, policy, drawn)
        if user.disabled_at is not None:
            return refused("disabled", user.id)
        words, row, now = _words(inbound), drawn.row, drawn.now
        control = Control(tx=tx, inbound=inbound, user=user, words=words, row=row, now=now)
        conversation = find(tx, inbound, user, policy)
        acted = self._control(control, policy, drawn, conversation)
        return acted or self._message(control, policy, drawn, conversation)

    def _control(
        self, control: Control, policy: Session, drawn: Drawn, conversation: Conversation | None
    ) -> Verdict | None:
        """Act on what must not wait for a turn; None for an ordinary message."""
        words = control.words.casefold()
        match control.inbound.kind:
            case InboundKind.CLICK:
                return self._desk.click(control)
            case InboundKind.EDIT:
                return controls.edit(control, conversation)
        if (answered := self._desk.reply(control)) is not None:
            return answered
        if words == "/stop":
            return controls.stop(control, conversation)
        if words.startswith("/pair "):
            return self._pair(control, drawn)
        if resets(policy, words):
            return controls.new_session(control, conversation, drawn.session)
        texts = any(not isinstance(part, Unreadable) for part in control.inbound.parts)
        return None if texts else controls.unsupported(control)

    def _message(
        self, control: Control, policy: Session, drawn: Drawn, conversation: Conversation | None
    ) -> Verdict:
        tx, inbound, user = control.tx, control.inbound, control.user
        most = self._limits.messages_per_minute
        since, until = drawn.now - _MINUTE_S, drawn.now
        recent = inbox.recent(tx, inbound.to.channel, inbound.sender.id, since, until)
        if recent >= most:
            return controls.limited(control, first=recent == most)
        waiting = turns.waiting(tx, conversation.id) if conversation is not None else 0
        if waiting >= self._limits.waiting_per_conversation:
            return controls.limited(control, first=True)
        anew = bool(inbound.instead)
        if anew and (waiting or not controls.supersede(control, conversation, drawn.turn)):
            return controls.late(control)
        arrived = arrive(tx, inbound, user, policy, drawn, conversation, idle=not waiting)
        outcome = Outcome.JOINED if arrived.joined else Outcome.TURN
        decision = Decision(
            outcome=outcome,
            conversation=arrived.conversation,
            turn=arrived.turn,
            user=user.id,
            keep=True,
        )
        wake = [*arrived.interrupted, arrived.turn]
        return Verdict(decision=decision, wake=wake, begun=arrived.begun)

    def _stranger(self, tx: Tx, inbound: Inbound, policy: Session, drawn: Drawn) -> Verdict:
        if policy.access is not Access.PAIRING or inbound.chat is not ChatKind.DIRECT:
            return refused("unknown sender")
        code = pairing.make_code(drawn.turn)
        held = pairing.knock(tx, inbound, code, drawn.row, self._limits, now=drawn.now)
        if held is None:
            return refused("not paired")
        text = say(
            language_of(inbound.sender.language),
            "I do not know you yet. Give the owner of this assistant the code {code}; it holds for "
            "{minutes} minutes. Your message is kept and answered then.",
            code=code,
            minutes=int(self._limits.pairing_s // _MINUTE_S),
        )
        notice(tx, f"{drawn.row}:code", inbound.to, "", text, now=drawn.now)
        first = held == drawn.row
        outcome = Outcome.HELD if first else Outcome.REFUSED
        decision = Decision(outcome=outcome, reason="pairing", keep=first)
        return Verdict(decision=decision, deliver=[inbound.to.key])

    def _link(
        self, tx: Tx, inbound: Inbound, user: User | None, code: str, policy: Session, drawn: Drawn
    ) -> Verdict:
        """Make the sender's account somebody's, or give the code by which it will be."""
        known, sender, since = user is not None, inbound.sender, drawn.now - _MINUTE_S
        often = inbox.recent(tx, inbound.to.channel, sender.id, since, drawn.now) >= _LINKS_A_MINUTE
        if often or (user is not None and user.disabled_at is not None):
            return refused("not linked", user.id if user is not None else "")
        language = user.language if user is not None else language_of(sender.language)
        text = pairing.make_code(drawn.conversation)
        fresh = linking.Fresh(id=drawn.row, text=text, now=drawn.now, record=self._desk.record)
        linked = linking.answer(tx, inbound, code, fresh, self._limits, language)
        if not linked.text or not (known or linked.user or policy.access is Access.PAIRING):
            return refused("not linked")
        verdict = Verdict(decision=Decision(outcome=Outcome.CONTROL, reason="/link"))
        for each in linked.verdicts:
            verdict.add(each)
        if linked.pairing is not None and linked.user is not None:
            hashed, newcomer = linked.pairing.code_hash, linked.user
            welcome = pairing.admit(tx, hashed, linked.user, newcomer, now=drawn.now)
            verdict.wake += _released(tx, welcome, self._policy, drawn).wake
        notice(tx, f"{drawn.row}:link", inbound.to, "", linked.text, now=drawn.now)
        verdict.deliver.append(inbound.to.key)
        verdict.notice = linked.text
        return verdict

    def _pair(self, control: Control, drawn: Drawn) -> Verdict:
        if control.user.role != Level.OWNER:
            return controls.reply(control, "Only an owner may let others in.")
        code = pairing.hash_code(control.words.split(maxsplit=1)[1])
        if people.find_pairing(control.tx, code, drawn.now) is None:
            return controls.reply(
                control, "This pairing code is unknown or too old. Let the person write again."
            )
        newcomer = User(drawn.user, "", Level.MEMBER, "en", control.user.timezone)
        asked = Asked(code=code, by=control.user, where=control.inbound.to.channel)
        user, released = self._let_in(control.tx, asked, None, newcomer, drawn)
        verdict = controls.reply(control, "{name} is let in.", name=user.name)
        verdict.add(released)
        return verdict

    def _let_in(
        self, tx: Tx, asked: Asked, user: User | None, newcomer: User, drawn: Drawn
    ) -> tuple[User, Verdict]:
        """Let a stranger in, with the row of the audit, however it was asked for."""
        welcome = pairing.admit(tx, asked.code, user, newcomer, now=drawn.now)
        if asked.by is not None:
            entry = pairing.entry(welcome, asked.by, asked.where, drawn.now, new=user is None)
            self._desk.record(tx, entry)
        return welcome.user, _released(tx, welcome, self._policy, drawn)


def _key(inbound: Inbound) -> str:
    """Hash what identifies a delivery: the receiver as the platform names it, and the event."""
    return hashlib.sha256(f"{inbound.receiver}\n{inbound.event}".encode()).hexdigest()


def _words(inbound: Inbound) -> str:
    """Join the sender's own words; what they forward is no command of theirs."""
    own = (p.text for p in inbound.parts if isinstance(p, Text) and p.source is Source.OWN)
    return "".join(own).strip()


def _in_private(inbound: Inbound) -> bool:
    return inbound.chat is ChatKind.DIRECT and inbound.receiver not in OWN_CHANNELS


def _said(inbound: Inbound, receipt: Receipt) -> Live:
    return Live(
        kind=LiveKind.SAID,
        turn=receipt.turn,
        to=inbound.to,
        text=_words(inbound),
        instead=inbound.instead,
        attachments=tuple(part for part in inbound.parts if isinstance(part, Attachment)),
    )


def _lost(inbound: Inbound) -> Verdict:
    verdict = refused("no such file", inbound.sender.id)
    text = "A file that you attached is not here any more. Attach it again."
    verdict.notice = say(inbound.sender.language, text)
    return verdict


def _who(tx: Tx, inbound: Inbound, policy: Session, drawn: Drawn) -> User | None:
    """Find the sender, or make them known where the policy lets anybody (or them) in."""
    platform, sender = inbound.to.channel, inbound.sender
    if inbound.receiver in OWN_CHANNELS:
        return people.get(tx, sender.id)
    if (user := people.by_identity(tx, platform, sender.id)) is not None:
        return user
    listed = policy.access is Access.ALLOWLIST and sender.id in policy.allow
    if policy.access is not Access.OPEN and not listed:
        return None
    role = Level.MEMBER if listed else Level.GUEST
    name = shown(sender.name) or sender.id
    user = User(drawn.user, name, role, language_of(sender.language), "UTC")
    people.add(tx, user, drawn.now)
    people.identify(tx, user.id, platform, sender.id, name=name, now=drawn.now)
    return user


def _released(
    tx: Tx, welcome: pairing.Welcome, policy_of: Callable[[str, str], Session], drawn: Drawn
) -> Verdict:
    """Answer what a stranger had written before being let in."""
    verdict = refused("released")
    held = inbox.get(tx, welcome.pairing.held)
    if held is None or held.outcome != Outcome.HELD:
        return verdict
    inbound = held.inbound
    policy = policy_of(inbound.to.channel, inbound.to.account)
    conversation = find(tx, inbound, welcome.user, policy)
    arrived = arrive(tx, inbound, welcome.user, policy, drawn, conversation, idle=False)
    inbox.release(tx, held.id, arrived.conversation, arrived.turn, welcome.user.id)
    verdict.wake.append(arrived.turn)
    return verdict
