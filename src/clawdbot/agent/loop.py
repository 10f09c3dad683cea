"""The agent's loop as single steps: `step(state)` thinks or acts once and yields what comes next.

No frame outlives a step: whoever drives it records each `Next` and may drop everything else.
"""

from collections.abc import AsyncIterator

import msgspec

from clawdbot.agent import delegate
from clawdbot.agent.acting import Acts, Tools, has
from clawdbot.agent.context import Scene, compose, in_sight, private_in_sight
from clawdbot.agent.state import Child, Phase, State
from clawdbot.domain.approval import Plan
from clawdbot.domain.messages import (
    Call,
    Message,
    Reasoning,
    Role,
    Source,
    Text,
    fixed,
)
from clawdbot.models.request import (
    CallDelta,
    Delta,
    ReasoningDelta,
    Request,
    Reset,
    TextDelta,
    ToolSpec,
    Used,
)
from clawdbot.store.turns import Turn


class Grew(msgspec.Struct, frozen=True):
    """The answer grew by a text."""

    text: str


class Restarted(msgspec.Struct, frozen=True):
    """The answer starts over."""

    reason: str


class Acting(msgspec.Struct, frozen=True):
    """A tool is about to be called."""

    tool: str


class Next(msgspec.Struct, frozen=True):
    """The step is over; this state is to be recorded. Always the last event.

    Where a `plan` is given, a person must be asked before the state can go on.
    """

    state: State
    plan: Plan | None = None


Event = Grew | Restarted | Acting | Next


class Loop:
    """The loop of one turn."""

    def __init__(
        self, tools: Tools, turn: Turn, scene: Scene, *, over: str = "", helps: str = ""
    ) -> None:
        """Work for one claimed turn in its scene; a helper for the call of its parent.

        What is `over` is said in place of asking a model.
        """
        self._with = tools
        self._turn = turn
        self._scene = scene
        self._over = over
        self._prefix = f"{helps}/" if helps else ""

    async def step(self, state: State) -> AsyncIterator[Event]:
        """Take one step; raises ModelFailed when no model could answer."""
        if state.child is not None:
            async for event in self._help(state, state.child):
                yield event
        elif not self._scene.helper and (call := delegate.waiting(state)) is not None:
            yield Acting(call.tool)
            yield Next(delegate.begun(state, call))
        elif state.phase is Phase.THINK:
            async for event in self._think(state):
                yield event
        else:
            for call in state.said[-1].calls:
                yield Acting(call.tool)
            yield Next(*await Acts(self._with, self._turn, self._scene).act(state))

    async def _help(self, state: State, child: Child) -> AsyncIterator[Event]:
        """Let a helper take its step; of what it says only its answer is told, to its parent."""
        scene, helps = delegate.scene_of(self._scene, child), child.call.id
        inner = Loop(self._with, self._turn, scene, over=self._over, helps=helps)
        async for event in inner.step(child.state):
            if isinstance(event, Acting):
                yield event
            elif isinstance(event, Next):
                grown = msgspec.structs.replace(child, state=event.state)
                done = event.state.phase is Phase.DONE
                after = (
                    delegate.ended(state, grown)
                    if done
                    else msgspec.structs.replace(state, child=grown)
                )
                yield Next(after, event.plan)

    async def _think(self, state: State) -> AsyncIterator[Event]:
        if self._over:
            said = (*state.said, fixed(self._over))
            yield Next(msgspec.structs.replace(state, phase=Phase.DONE, said=said))
            return
        heard = _Heard()
        request = self._request(state)
        shown = await self._with.sight.shown(self._scene.user.id, request.messages)
        request = msgspec.structs.replace(request, messages=shown)
        async for delta in self._with.router.complete(request):
            if (event := heard.take(delta)) is not None:
                yield event
        message = self._message(state, heard)
        yield Next(
            msgspec.structs.replace(
                state,
                phase=Phase.ACT if message.calls else Phase.DONE,
                said=(*state.said, message),
                used=(*state.used, heard.used),
            )
        )

    def _request(self, state: State) -> Request:
        scene, budgets = self._scene, self._with.budgets
        most = max(1, budgets.steps // 2) if scene.helper else budgets.steps
        last = state.round + 1 >= most or state.tokens >= budgets.tokens
        specs = (
            ()
            if last
            else tuple(
                ToolSpec(name=tool.manifest.name, description=tool.description, schema=schema)
                for tool, schema in self._with.registry.offered(
                    scene.user, self._with.roles(), scene.ceiling
                )
                if has(scene, tool.manifest.name)
            )
        )
        return Request(
            messages=compose(scene, state.said, self._with.clock.now(), budgets.context_tokens),
            tools=specs,
            user=scene.user.id,
            name=scene.user.name,
            command=_command(scene),
            channel=scene.channel,
            route=scene.route,
            language=scene.language,
        )

    def _message(self, state: State, heard: "_Heard") -> Message:
        # An answer inherits the taint, and the privacy, of what it was made from.
        taint = in_sight(self._scene, state.said)
        private = private_in_sight(self._scene, state.said)
        parts: list[Reasoning | Text | Call] = [
            Reasoning(text=t.text, signature=t.signature, source=Source.MODEL)
            for t in heard.thoughts
        ]
        if heard.text:
            parts.append(Text(text=heard.text, source=Source.MODEL))
        for index, call in enumerate(heard.calls):
            parts.append(msgspec.structs.replace(call, id=f"{self._prefix}{state.round}.{index}"))
        made = (msgspec.structs.replace(part, taint=taint, private=private) for part in parts)
        return Message(role=Role.ASSISTANT, parts=tuple(made))


class _Heard(msgspec.Struct):
    """What a model said so far; a signature closes a thought."""

    text: str = ""
    thoughts: list[ReasoningDelta] = msgspec.field(default_factory=list)
    calls: list[Call] = msgspec.field(default_factory=list)
    used: Used = msgspec.field(default_factory=lambda: Used(tokens_in=0, tokens_out=0))

    def take(self, delta: Delta) -> Event | None:
        """Add what came; tell what the user should see of it."""
        match delta:
            case TextDelta():
                self.text += delta.text
                return Grew(delta.text)
            case ReasoningDelta():
                open_ = self.thoughts.pop() if self._thinking() else ReasoningDelta("")
                self.thoughts.append(ReasoningDelta(open_.text + delta.text, delta.signature))
            case CallDelta():
                self.calls.append(delta.call)
            case Reset():
                self.text, self.thoughts, self.calls = "", [], []
                return Restarted(delta.reason)
            case Used():
                self.used = delta
        return None

    def _thinking(self) -> bool:
        return bool(self.thoughts) and not self.thoughts[-1].signature


def _command(scene: Scene) -> str:
    """Name the slash command that the words begin with, for the routes."""
    first = scene.words[0].text.split(maxsplit=1)[:1] if scene.words else []
    return first[0] if first and first[0].startswith("/") else ""
