"""The acting half of a step: every call of a message is weighed first, then all of them run.

Nothing runs while a person must be asked. An effect goes on record before it happens; one of which
nobody knows whether it happened is asked about, never repeated in silence.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
from msgspec.structs import replace

from clawdbot.agent.context import Scene, in_sight, private_in_sight
from clawdbot.agent.plan import PLAN, steps_of
from clawdbot.agent.rights import Rights, Rows, plan_of
from clawdbot.agent.sight import Sight
from clawdbot.agent.state import Phase, State
from clawdbot.domain.approval import Plan, Planned, canonical, digest_of
from clawdbot.domain.binding import given
from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import Denied, ToolFailed
from clawdbot.domain.messages import Call, Message, Result, Role, Source
from clawdbot.domain.policy import Ask, Decision, Deny
from clawdbot.domain.policy import Role as Level
from clawdbot.domain.ports import Clock, Tx
from clawdbot.domain.settings import Turns
from clawdbot.durable.journal import Ambiguous, Journal, Rule, Step
from clawdbot.models.router import Router
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.turns import Turn
from clawdbot.tools.described import plain
from clawdbot.tools.registry import Grant, Ready, Registry

_REFUSED = {
    "not answered": "Nobody answered in time. Do not ask again; say what you would have done.",
    "refused": "The user said no. Do not ask again; say what you would have done.",
    "asked too often": "Too much was asked in this turn. Say what is left to do.",
}
_TELL_S = 0.5
_TELL_MOST = 200
_UNKNOWN = "It is not known whether this happened; it was not repeated."


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What every turn's loop works with.

    `record` writes to the audit, `rights` reads what a turn may do now, `roles` are custom ones,
    `tell` shows how far a turn's tool is, `sight` opens what was attached for the model.
    """

    router: Router
    registry: Registry
    journal: Journal
    clock: Clock
    bus: Bus
    budgets: Turns
    record: Callable[[Tx, Entry], object]
    rights: Callable[[Turn, tuple[str, ...]], Awaitable[Rows]]
    roles: Callable[[], Mapping[str, Level]]
    tell: Callable[[Turn, str, str], None]
    sight: Sight


class _Weighed(msgspec.Struct, frozen=True):
    """A call with what was decided on it; without `ready` it cannot run, `fault` says why."""

    call: Call
    ready: Ready | None = None
    decision: Decision | None = None
    fault: str = ""


class _Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of an effect, as the journal keeps it."""

    text: str
    failed: bool = False


class _Telling:
    """Shows how far a call is, a little at a time; what comes too soon is left out."""

    def __init__(self, tools: Tools, turn: Turn, tool: str) -> None:
        self._with = tools
        self._turn = turn
        self._tool = tool
        self._next = 0.0

    def __call__(self, text: str) -> None:
        now = self._with.clock.monotonic()
        if now >= self._next:
            self._next = now + _TELL_S
            self._with.tell(self._turn, self._tool, plain(text, _TELL_MOST))


class _Unsure(Exception):  # noqa: N818 - a state of knowledge
    def __init__(self, planned: Planned) -> None:
        self.planned = planned


def has(scene: Scene, tool: str) -> bool:
    """Tell whether a tool is there at all in a scene."""
    named = not scene.tools or tool in scene.tools
    return not scene.helper or (named and tool != "delegate")


class Acts:
    """Carries out the calls of one turn."""

    def __init__(self, tools: Tools, turn: Turn, scene: Scene) -> None:
        """Act for one claimed turn in its scene."""
        self._with = tools
        self._turn = turn
        self._scene = scene

    async def act(self, state: State) -> tuple[State, Plan | None]:
        """Run the calls of the last message; give a plan instead where somebody must be asked."""
        helped = {result.call: result for result in state.helped}
        calls = tuple(call for call in state.said[-1].calls if call.id not in helped)
        tainted = in_sight(self._scene, state.said)
        rights = await self._rights(state, calls, tainted=tainted)
        weighed = [self._weigh(rights, self._grant(c, tainted=tainted), c) for c in calls]
        if asked := [*self._asks(weighed), *self._planned(rights, calls)]:
            self._note(each for each in weighed if isinstance(each.decision, Ask))
            return state, plan_of(asked)
        self._note(weighed)
        done = await asyncio.gather(*(self._run(rights, each) for each in weighed))
        if unsure := tuple(d for d in done if isinstance(d, Planned)):
            return state, Plan(calls=unsure)
        found = helped | {d.call: d for d in done if isinstance(d, Result)}
        parts = tuple(found[call.id] for call in state.said[-1].calls)
        results = Message(role=Role.TOOL, parts=parts)
        following = msgspec.structs.replace(
            state,
            phase=Phase.THINK,
            round=state.round + 1,
            said=(*state.said, results),
            spent=rights.spent,
            helped=(),
        )
        return following, None

    async def _rights(self, state: State, calls: tuple[Call, ...], *, tainted: bool) -> Rights:
        tools = (self._with.registry.find(call.tool) for call in calls)
        limited = tuple({t.manifest.name for t in tools if t is not None and t.manifest.per_hour})
        rows = await self._with.rights(self._turn, limited)
        return Rights(
            rows=rows,
            given=given(self._scene.words),
            tainted=tainted,
            private=private_in_sight(self._scene, state.said),
            spent=state.spent,
            lessened=self._scene.lessened,
        )

    def _weigh(self, rights: Rights, grant: Grant, call: Call, *, later: bool = False) -> _Weighed:
        if not has(self._scene, call.tool):
            return _Weighed(call, fault=f"There is no tool {call.tool!r}.")
        try:
            ready = self._with.registry.call(grant, call)
        except ToolFailed as error:
            return _Weighed(call, fault=str(error))
        decision = rights.foresee(ready) if later else rights.weigh(ready)
        return _Weighed(call, ready, decision)

    def _note(self, weighed: Iterable[_Weighed]) -> None:
        for each in weighed:
            tool = each.call.tool if each.ready is not None else "unknown"
            decision = type(each.decision).__name__.lower() if each.decision else "fault"
            self._with.bus.tell("tool_calls", 1, tool, decision)

    @staticmethod
    def _asks(weighed: list[_Weighed]) -> list[tuple[Ready, Ask]]:
        return [
            (w.ready, w.decision)
            for w in weighed
            if w.ready is not None and isinstance(w.decision, Ask)
        ]

    def _planned(self, rights: Rights, calls: tuple[Call, ...]) -> list[tuple[Ready, Ask]]:
        """List what a plan among the calls would have to ask."""
        steps = [
            self._weigh(rights, self._grant(step, tainted=True), step, later=True)
            for call in calls
            if call.tool == PLAN
            for step in steps_of(call)
        ]
        return self._asks(steps)

    async def _run(self, rights: Rights, weighed: _Weighed) -> Result | Planned:
        call, ready, decision = weighed.call, weighed.ready, weighed.decision
        failed, taint = False, in_sight(self._scene, ())
        try:
            if ready is None or decision is None:
                outcome, taint = await self._missing(weighed)
                text, failed = outcome.text, outcome.failed
            elif isinstance(decision, Deny):
                taint = ready.taint
                text, failed = await self._deny(call, ready, decision), True
            else:
                taint = ready.taint
                text, failed = await self._carry_out(rights, call, ready, decision)
        except (Denied, ToolFailed) as error:
            text, failed = str(error), True
        except _Unsure as unsure:
            return unsure.planned
        return Result(
            call=call.id,
            tool=call.tool,
            text=text,
            failed=failed,
            provider_id=call.provider_id,
            source=Source.TOOL,
            taint=taint,
            private=ready is not None and ready.tool.manifest.private,
        )

    async def _missing(self, weighed: _Weighed) -> tuple[_Outcome, bool]:
        """Tell what came of a call that cannot run: its tool may have gone after it ran."""
        found = await self._with.journal.earlier(self._turn, f"call/{weighed.call.id}")
        if found is None:
            return _Outcome(weighed.fault, failed=True), in_sight(self._scene, ())
        if not found.done:
            text = "It is not known whether this happened; its tool is not there any more."
            return _Outcome(text, failed=True), True
        try:
            return msgspec.json.decode(found.outcome, type=_Outcome), True
        except msgspec.DecodeError:
            return _Outcome(found.outcome.decode()), True

    async def _carry_out(
        self, rights: Rights, call: Call, ready: Ready, decision: Decision
    ) -> tuple[str, bool]:
        journal, turn = self._with.journal, self._turn
        step = Step(
            key=f"call/{call.id}",
            source=Source.TOOL,
            taint=ready.taint,
            intent=call.tool.encode(),
        )
        if ready.tool.read is not None:
            await self._count(ready, replace(step, key=f"counted/{call.id}"), call, decision)
            return (await journal.observe(turn, step, ready.run)).decode(), False
        if decision.rule == "approved":
            rights.take(ready.planned())
        entry = self._entry(call, ready, decision)
        if ready.tool.write is not None:

            def write(tx: Tx) -> bytes:
                self._with.record(tx, replace(entry, outcome="done"))
                return ready.write(tx)

            return (await journal.transact(turn, step, write)).decode(), False
        outcome = await self._effect(rights, ready, step, entry)
        return outcome.text, outcome.failed

    async def _count(self, ready: Ready, step: Step, call: Call, decision: Decision) -> None:
        """Put a reading whose number is limited on record, so that it counts."""
        if not ready.tool.manifest.per_hour:
            return
        entry = replace(self._entry(call, ready, decision), outcome="done")

        def count(tx: Tx) -> bytes:
            self._with.record(tx, entry)
            return b""

        await self._with.journal.transact(self._turn, step, count)

    async def _effect(self, rights: Rights, ready: Ready, step: Step, entry: Entry) -> _Outcome:
        async def act() -> bytes:
            try:
                return msgspec.json.encode(_Outcome((await ready.run()).decode()))
            except (Denied, ToolFailed) as error:
                # It is known what came of it: nothing, for this reason.
                return msgspec.json.encode(_Outcome(str(error), failed=True))

        def note(tx: Tx, outcome: bytes | None) -> None:
            if outcome is None:
                self._with.record(tx, replace(entry, step=step.key))
                return
            failed = msgspec.json.decode(outcome, type=_Outcome).failed
            done = replace(entry, step=step.key, decision="", rule="", payload=b"")
            self._with.record(tx, replace(done, outcome="failed" if failed else "done"))

        rule = Rule.REPEAT if ready.tool.manifest.idempotent else Rule.ASK
        try:
            body = await self._with.journal.effect(self._turn, step, rule, act, note)
        except Ambiguous:
            planned = ready.planned("unknown outcome", again=step.key)
            if rights.refused(planned):
                return _Outcome(_UNKNOWN, failed=True)
            if not rights.take(planned):
                raise _Unsure(planned) from None
            again = replace(step, key=f"{step.key}/again")
            return await self._effect(rights, ready, again, entry)
        return msgspec.json.decode(body, type=_Outcome)

    async def _deny(self, call: Call, ready: Ready, decision: Deny) -> str:
        """Put a no on record, once, and say it to the model."""
        text = _REFUSED.get(decision.rule, f"{Denied.__doc__} ({decision.rule})")
        step = Step(key=f"refused/{call.id}", source=Source.FIXED, taint=ready.taint)
        entry = replace(self._entry(call, ready, decision), kind=Kind.DECISION)
        text = await self._begun(call, ready) or text

        def refuse(tx: Tx) -> bytes:
            self._with.record(tx, entry)
            return text.encode()

        return (await self._with.journal.transact(self._turn, step, refuse)).decode()

    async def _begun(self, call: Call, ready: Ready) -> str:
        """Tell what is known of a call that an earlier try began, before it was refused."""
        key, text = f"call/{call.id}", ""
        while (found := await self._with.journal.earlier(self._turn, key)) is not None:
            if found.done and ready.tool.act is None:
                return found.outcome.decode()
            if found.done:
                return msgspec.json.decode(found.outcome, type=_Outcome).text
            key, text = f"{key}/again", _UNKNOWN
        return text

    def _entry(self, call: Call, ready: Ready, decision: Decision) -> Entry:
        arguments = canonical(ready.arguments)
        return Entry(
            at=self._with.clock.now(),
            user_id=self._turn.user_id,
            turn_id=self._turn.id,
            step=f"call/{call.id}",
            kind=Kind.EFFECT,
            what=ready.tool.manifest.name,
            decision=type(decision).__name__.lower(),
            rule=decision.rule,
            arguments=digest_of(arguments),
            payload=arguments.encode(),
        )

    def _grant(self, call: Call, *, tainted: bool) -> Grant:
        scene = self._scene
        return Grant(
            user=scene.user,
            to=self._turn.to,
            language=scene.language,
            timezone=scene.user.timezone,
            now=self._with.clock.now(),
            id=f"{self._turn.id}.{call.id}",
            source=Source.MODEL,
            tainted=tainted,
            conversation=scene.conversation,
            tell=_Telling(self._with, self._turn, call.tool),
        )
