"""The `plan` tool: a model lays out several calls, so that a person is asked once for all of them.

It does nothing itself. What was approved is used up by the calls when they come, exactly as shown.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from clawdbot.domain.messages import Call, Source
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.tools.registry import Grant, Tool

PLAN = "plan"
_STEPS_MOST = 20


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call of a plan."""

    tool: str
    arguments: dict[str, object]


class _Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=_STEPS_MOST)]


async def plan(_: Grant, steps: tuple[Step, ...]) -> str:
    """Lay out calls, to be approved as one."""
    named = ", ".join(step.tool for step in steps)
    return f"Nothing stands in the way of {named}. Call them now, exactly so."


def steps_of(call: Call) -> list[Call]:
    """Read the calls of a plan; none where it is malformed, which its own call then says."""
    try:
        found = _read(call.arguments)["steps"]
    except (msgspec.DecodeError, UnicodeError):
        return []
    return [
        Call(
            id=f"{call.id}.{index}",
            tool=step.tool,
            arguments=msgspec.json.encode(step.arguments).decode(),
            source=Source.MODEL,
        )
        for index, step in enumerate(found)
        if step.tool != PLAN
    ]


def _read(text: str) -> dict[str, tuple[Step, ...]]:
    return {"steps": msgspec.json.decode(text, type=_Arguments).steps}


_STEP = {
    "type": "object",
    "properties": {"tool": {"type": "string"}, "arguments": {"type": "object"}},
    "required": ["tool", "arguments"],
}
TOOL = Tool(
    manifest=Manifest(name=PLAN, effect=Effect.READ, public=True),
    description="Before several actions that may need approval: lay them out, to be asked once",
    read=plan,
    schema={
        "type": "object",
        "properties": {"steps": {"type": "array", "items": _STEP}},
        "required": ["steps"],
    },
    check=_read,
)
