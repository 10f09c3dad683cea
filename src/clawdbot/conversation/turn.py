"""The turn: a fixed loop over recorded state, from the words to the committed answer.

`run` resumes where the journal stands and never repeats a finished step; `commit` writes
transcript, outbox and the turn's end in one transaction. It answers by rows, never sends.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import structlog

from clawdbot.agent.acting import Tools
from clawdbot.agent.compact import compact
from clawdbot.agent.context import Scene, tokens_of
from clawdbot.agent.loop import Acting, Grew, Loop, Next, Restarted
from clawdbot.agent.state import VERSION, Phase, State, dump, load
from clawdbot.conversation import answer, asking, scenes, spending
from clawdbot.conversation.commands import Commands
from clawdbot.conversation.shown import Shown
from clawdbot.domain.approval import Plan, Planned, digest_of
from clawdbot.domain.approval import State as Answered
from clawdbot.domain.bus import Bus
from clawdbot.domain.caps import Caps
from clawdbot.domain.errors import Fenced, ModelFailed
from clawdbot.domain.events import LiveKind
from clawdbot.domain.inbound import Address
from clawdbot.domain.messages import Message, Source, Text, fixed
from clawdbot.domain.ports import Clock, Db, Deliveries, Stream, Tx
from clawdbot.domain.settings import Core
from clawdbot.domain.text import say
from clawdbot.durable.journal import Journal, Parking, Step, Stopped, unknown
from clawdbot.store import conversations, turns, usage
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.turns import Turn, TurnState


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What every turn works with; `acted` is called when a timer may be new."""

    db: Db
    clock: Clock
    journal: Journal
    stream: Stream
    tools: Tools
    commands: Commands
    settings: Core
    caps: Callable[[Address], Caps]
    deliveries: Deliveries
    acted: Callable[[], None]
    bus: Bus
    epoch: str


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a turn ends: its state, what was said, what is delivered, what it used."""

    state: TurnState
    said: tuple[Message, ...]
    text: str
    used: Sequence[usage.Used] = ()


class Turns:
    """Runs claimed turns."""

    def __init__(self, around: Around) -> None:
        """Work with the given parts."""
        self._with = around
        self._running: dict[str, asyncio.Timeout] = {}
        self._late: dict[str, tuple[list[str], list[str]]] = {}
        self._log = structlog.get_logger("turn")

    def prepare(self, tx: Tx, turn: Turn) -> scenes.Rows | None:
        """Read what `run` will need, in the transaction that claims the turn."""
        if turn.body:
            # What is still open when a turn goes on was not answered in time.
            now = self._with.clock.now()
            self._late[turn.id] = asking.end(tx, turn.id, Answered.EXPIRED, now=now)
        return scenes.read(tx, turn)

    async def run(self, turn: Turn, rows: scenes.Rows | None) -> str | None:
        """Run a claimed, prepared turn to its end; name its conversation's turn to start now."""
        shown = self._shown(turn)
        log = self._log.bind(turn=turn.id)
        expired, told = self._late.pop(turn.id, ([], []))
        for approval in expired:
            shown.tell(LiveKind.ASKED, approval)
        for destination in told:
            self._with.deliveries.wake(destination)
        try:
            async with asyncio.timeout(self._with.settings.turns.seconds) as limit:
                self._running[turn.id] = limit
                try:
                    return await self._play(turn, rows, shown)
                finally:
                    # Who looks at it while it ends finds nothing that could be cut short.
                    self._running.pop(turn.id, None)
        except TimeoutError:
            return await self._cut_short(turn, shown)
        except Fenced:
            log.warning("turn taken over or ended elsewhere")
            return await self._with.db.read(lambda tx: _head(tx, turn))
        except asyncio.CancelledError:
            # A clean stop of the service: the turn was not tried in vain.
            await asyncio.shield(self._with.journal.give_back(turn, tried=False))
            raise
        except Exception:  # bulkhead: one turn's fault is not the others'
            log.exception("turn failed", attempt=turn.attempts)
            self._with.bus.tell("turns_failed")
            await self._with.journal.give_back(turn, tried=True)
            return turn.id

    async def look(self, turn: str) -> None:
        """Look whether a running turn was told to stop, or is gone, and cut it short if so."""
        found = await self._with.db.read(lambda tx: turns.get(tx, turn))
        limit = self._running.get(turn)
        if (found is None or found.stop) and limit is not None and not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time())

    async def commit(self, turn: Turn, scene: Scene, state: State) -> str | None:
        """Write the answer, the transcript and the turn's end; name the turn that may start now."""
        if (limit := self._running.pop(turn.id, None)) is not None:
            # From here on nothing cuts it short: the transaction sees whether a stop came first.
            limit.reschedule(None)
        answered = _marked(scene, state)
        ending = Ending(
            state=TurnState.DONE,
            said=(*scene.words, *answered),
            text=answered[-1].text,
            used=spending.rows(self._with.settings, turn, state.taken, state.counted),
        )
        following = await self._end(turn, ending, LiveKind.FINAL)
        if any(message.calls for message in state.said):
            self._with.acted()
        return following

    async def _play(self, turn: Turn, rows: scenes.Rows | None, shown: Shown) -> str | None:
        if turn.attempts > self._with.settings.turns.attempts:
            return await self._bury(turn)
        if turn.stop:
            # Told before an earlier life of ours ended.
            raise TimeoutError
        if rows is None or rows.user.disabled_at is not None:
            return await self._end(turn, Ending(state=TurnState.STOPPED, said=(), text=""))
        shown.tell(LiveKind.STARTED)
        scene, state = scenes.scene_of(turn, rows), load(turn.body)
        if name := self._with.commands.find(scene):
            state = await self._command(turn, scene, name)
        elif not turn.body and not await _spent(self._with, turn):
            scene, used = await compact(self._with.tools, turn, scene)
            state = msgspec.structs.replace(state, used=(*state.used, *used))
        try:
            while state.phase is not Phase.DONE:
                state, plan = await self._step(turn, scene, state, shown)
                if plan is not None:
                    return await self._ask(turn, scene, state, plan)
        except ModelFailed as error:
            self._with.bus.tell("model_failed", 1, type(error).__name__)
            state = _apology(scene, state, error)
        return await self.commit(turn, scene, state)

    async def _step(
        self, turn: Turn, scene: Scene, state: State, shown: Shown
    ) -> tuple[State, Plan | None]:
        following, plan, over = state, None, ""
        if state.thinking and await _spent(self._with, turn):
            over = spending.sentence(scene.language, begun=bool(state.said))
        async for event in Loop(self._with.tools, turn, scene, over=over).step(state):
            match event:
                case Grew():
                    await shown.grow(event.text)
                case Restarted():
                    shown.restart(event.reason)
                case Acting():
                    shown.tell(LiveKind.TOOL, event.tool)
                case Next():
                    following, plan = event.state, event.plan
        if plan is None and following.phase is not Phase.DONE:
            # The last step is recorded by the commit itself.
            following = await self._record(
                turn, Step(key=state.key, source=Source.MODEL), following
            )
            shown.restart("step")
        return following, plan

    async def _record(self, turn: Turn, step: Step, state: State) -> State:
        """Record a step, and what its model call cost with it."""
        around, now, told = self._with, self._with.clock.now(), list[str]()
        used = spending.rows(around.settings, turn, state.taken, state.counted)
        state = msgspec.structs.replace(state, counted=len(state.taken))

        def count(tx: Tx) -> None:
            told[:] = spending.count(tx, around.settings, turn, used, now)

        await around.journal.record(turn, step, VERSION, dump(state), count)
        for destination in told:
            around.deliveries.wake(destination)
        return state

    async def _ask(self, turn: Turn, scene: Scene, state: State, plan: Plan) -> str | None:
        """Put a question to a person and give up the lane until the answer."""
        around, now = self._with, self._with.clock.now()
        until, id_ = now + around.settings.turns.approval_s, around.clock.ulid()
        asked = asking.new(turn, plan, id_=id_, epoch=around.epoch, now=now, until=until)
        step = Step(key=f"ask/{id_}", source=Source.FIXED)
        parking = Parking(wait=id_, due_at=until, version=VERSION, body=dump(state))
        destinations: list[str] = []

        def also(tx: Tx) -> None:
            for call in plan.calls:
                around.tools.record(tx, _asked(turn, call, now))
            destinations[:] = asking.put(tx, turn, asked, around.caps, scene.language)

        try:
            following = await around.journal.park(turn, step, parking, also)
        except Stopped:
            raise TimeoutError from None
        around.acted()
        self._shown(turn).tell(LiveKind.ASKED, id_)
        for destination in destinations:
            around.deliveries.wake(destination)
        around.bus.tell("approvals", 1, "asked")
        return following

    async def _command(self, turn: Turn, scene: Scene, name: str) -> State:
        now = self._with.clock.now()
        text = await self._with.journal.transact(
            turn,
            Step(key="command", source=Source.FIXED),
            lambda tx: self._with.commands.run(tx, scene, name, now).encode(),
        )
        words = text.decode()
        return State(phase=Phase.DONE, said=(fixed(words),))

    async def _cut_short(self, turn: Turn, shown: Shown) -> str | None:
        """End a turn that was told to stop, or that used up its time."""
        scene, language, doubt = await self._with.db.read(lambda tx: _cut(tx, turn))
        mark = say(language, "(stopped)") + doubt
        text = f"{shown.text}\n{mark}".strip()
        said = (*scene.words, fixed(text)) if scene else ()
        try:
            ending = Ending(state=TurnState.STOPPED, said=said, text=text)
            return await self._end(turn, ending, LiveKind.STOPPED)
        except Fenced:
            # The answer's commit was first: it stands.
            return await self._with.db.read(lambda tx: _head(tx, turn))

    async def _bury(self, turn: Turn) -> str | None:
        """Dead-letter a turn that made no progress in any try: its user and the owner are told."""
        scene, language, doubt = await self._with.db.read(lambda tx: _cut(tx, turn))
        text = say(language, "I tried to answer this several times and failed. The owner is told.")
        text += doubt
        said = (*scene.words, fixed(text)) if scene else ()
        ending = Ending(state=TurnState.DEAD, said=said, text=text)
        self._with.bus.tell("turns_dead")
        self._log.error("turn dead-lettered", turn=turn.id, attempts=turn.attempts)
        return await self._end(turn, ending, LiveKind.FAILED, also=self._tell_owners)

    async def _end(
        self,
        turn: Turn,
        ending: Ending,
        live: LiveKind = LiveKind.STOPPED,
        also: Callable[[Tx, Turn], list[str]] | None = None,
    ) -> str | None:
        now, caps = self._with.clock.now(), self._with.caps(turn.to)
        said = [(message, tokens_of(message)) for message in ending.said]
        told: list[str] = []

        def work(tx: Tx) -> tuple[str | None, bool]:
            stop = self._with.journal.hold(tx, turn)
            if stop and ending.state is TurnState.DONE:
                return None, True
            conversations.append(tx, scenes.entry_of(turn), said, now)
            told[:] = spending.count(tx, self._with.settings, turn, ending.used, now)
            if ending.text:
                answer.put(tx, turn, caps, ending.text, now)
            if also is not None:
                told.extend(also(tx, turn))
            return self._with.journal.finish(tx, turn, ending.state), False

        deliveries = self._with.deliveries
        following, stopped = await deliveries.commit(turn.to.key, work)
        if stopped:
            raise TimeoutError
        self._shown(turn).tell(live, ending.text, turn.position)
        for destination in told:
            deliveries.wake(destination)
        self._with.bus.tell("turns", 1, ending.state, turn.to.channel)
        self._with.bus.tell("turn_seconds", now - turn.created_at)
        return following

    def _tell_owners(self, tx: Tx, turn: Turn) -> list[str]:
        """Queue a notice for every other owner; name the destinations."""

        def words(language: str) -> str:
            text = "A message could not be answered after {tries} tries. See `clawdbot status`."
            return say(language, text, tries=turn.attempts - 1)

        now = self._with.clock.now()
        return answer.tell_owners(tx, turn.id, words, now=now, but=turn.user_id)

    def _shown(self, turn: Turn) -> Shown:
        around = self._with
        return Shown(
            turn,
            around.caps(turn.to),
            clock=around.clock,
            stream=around.stream,
            deliveries=around.deliveries,
            stub_after_s=around.settings.outbox.stub_after_s,
        )


async def _spent(around: Around, turn: Turn) -> bool:
    """Tell whether the day's money is spent; without a limit nothing is read."""
    settings, now = around.settings, around.clock.now()
    return spending.limited(settings) and await around.db.read(
        lambda tx: spending.used_up(tx, settings, turn.user_id, now)
    )


def _cut(tx: Tx, turn: Turn) -> tuple[Scene | None, str, str]:
    """Read scene and language of a turn that ends early; say which effects are in doubt."""
    scene, found = scenes.load(tx, turn), unknown(tx, turn.id)
    language, tools = scene.language if scene else "en", ", ".join(found)
    said = say(language, "It is not known whether this was done: {tools}", tools=tools)
    return scene, language, f"\n{said}" if found else ""


def _apology(scene: Scene, state: State, error: ModelFailed) -> State:
    """Turn a model's failure into an answer: cause and remedy for whoever can act on it."""
    if scene.user.runs_the_place:
        cause = say(scene.language, type(error).__doc__ or "")
        text = say(scene.language, "I could not answer: {cause}", cause=cause)
        if scene.language == "en" and str(error) != type(error).__doc__:
            # The detail is for whoever reads the log's language.
            text += f"\n({error})"
    else:
        text = say(scene.language, "I cannot answer right now. Please try again later.")
    return State(phase=Phase.DONE, said=(fixed(text),), used=state.taken, counted=state.counted)


def _marked(scene: Scene, state: State) -> tuple[Message, ...]:
    """Add to the answer what is ours to say: that it is empty, or the emergency model's."""
    *earlier, last = state.said
    parts = last.parts
    if not last.text:
        nothing = say(scene.language, "I have nothing to say to this.")
        parts = (*parts, Text(text=nothing, source=Source.FIXED))
    if state.emergency:
        mark = say(scene.language, "(Emergency model)") + " "
        parts = (Text(text=mark, source=Source.FIXED), *parts)
    return (*earlier, msgspec.structs.replace(last, parts=parts))


def _asked(turn: Turn, call: Planned, now: float) -> Entry:
    return Entry(
        at=now,
        user_id=turn.user_id,
        turn_id=turn.id,
        kind=Kind.DECISION,
        what=call.tool,
        decision="ask",
        rule=call.why,
        arguments=digest_of(call.arguments),
        payload=call.arguments.encode(),
    )


def _head(tx: Tx, turn: Turn) -> str | None:
    head = turns.head(tx, turn.conversation_id)
    return head.id if head is not None and head.state == TurnState.READY else None
