"""A helper: a bounded turn within a turn, with a task of its own and fewer rights than its parent.

It sees its task and nothing else of the conversation, and its words bind no target. Its steps are
recorded within its parent's state, so a crash resumes it where it stood. It has no helpers itself.
"""

from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from clawdbot.agent.context import Scene
from clawdbot.agent.state import Child, Phase, State
from clawdbot.domain.messages import Call, Message, Result, Role, Source, Text, private, tainted
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.tools.registry import Grant, Tool

DELEGATE = "delegate"
LESSENED = frozenset({Effect.MONEY, Effect.ADMIN})

Task = Annotated[str, Meta(min_length=1, max_length=8000)]


class _Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    task: Task
    tools: tuple[str, ...] = ()


def waiting(state: State) -> Call | None:
    """Find the next call for a helper that has no result yet."""
    if state.phase is not Phase.ACT:
        return None
    helped = {result.call for result in state.helped}
    calls = state.said[-1].calls
    return next((c for c in calls if c.tool == DELEGATE and c.id not in helped), None)


def begun(state: State, call: Call) -> State:
    """Begin a helper; arguments that do not fit are its result."""
    try:
        given = msgspec.json.decode(call.arguments, type=_Arguments)
    except (msgspec.DecodeError, UnicodeError) as error:
        text = f"The arguments do not fit {DELEGATE}: {error}"
        return _with(state, _result(call, text, failed=True))
    child = Child(call=call, task=given.task, tools=given.tools, state=State(spent=state.spent))
    return msgspec.structs.replace(state, child=child)


def ended(state: State, child: Child) -> State:
    """Give a helper's answer to its parent, with what it used."""
    *_, last = child.state.said
    result = msgspec.structs.replace(
        _result(child.call, last.text),
        taint=tainted(child.state.said) or child.call.taint,
        private=private(child.state.said),
    )
    return msgspec.structs.replace(
        _with(state, result),
        child=None,
        used=(*state.used, *child.state.used),
        spent=child.state.spent,
    )


def scene_of(parent: Scene, child: Child) -> Scene:
    """Set a helper's scene: its task alone, less than its parent may do."""
    taint, hidden = child.call.taint, child.call.private
    task = Text(text=child.task, source=Source.MODEL, taint=taint, private=hidden)
    return replace(
        parent,
        words=(Message(role=Role.USER, parts=(task,)),),
        history=(),
        summary="",
        summary_tainted=False,
        waiting=(),
        lessened=parent.lessened | LESSENED,
        tools=frozenset(child.tools),
        helper=True,
    )


def _with(state: State, result: Result) -> State:
    return msgspec.structs.replace(state, helped=(*state.helped, result))


def _result(call: Call, text: str, *, failed: bool = False) -> Result:
    return Result(
        call=call.id,
        tool=DELEGATE,
        text=text,
        failed=failed,
        provider_id=call.provider_id,
        source=Source.TOOL,
        taint=call.taint,
    )


async def delegate(_: Grant, task: Task, tools: tuple[str, ...] = ()) -> str:
    """Stand for what the loop does itself."""
    return f"{task}{tools}"


TOOL = Tool(
    manifest=Manifest(name=DELEGATE, effect=Effect.READ),
    description="Have a helper do a self-contained task with some tools, and report",
    read=delegate,
)
