"""A turn's recorded state: what a step takes and gives. Versioned: an update can read it."""

from enum import StrEnum

import msgspec

from clawdbot.domain.messages import Call, Message, Result
from clawdbot.models.request import Used

VERSION = 1


class Phase(StrEnum):
    """think -> (act -> think)* -> done."""

    THINK = "think"
    ACT = "act"
    DONE = "done"


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a turn stands; `said` is what the turn added to the conversation so far.

    The last of it is the answer, once it is done; `used` is what each model call of the turn took,
    `counted` how many of them (of helpers too) are on the bill, `spent` the approvals that its
    calls used up, `child` the helper at work, `helped` what came of those before it.
    """

    version: int = VERSION
    phase: Phase = Phase.THINK
    round: int = 0
    said: tuple[Message, ...] = ()
    used: tuple[Used, ...] = ()
    counted: int = 0
    spent: tuple[str, ...] = ()
    helped: tuple[Result, ...] = ()
    child: "Child | None" = None

    @property
    def key(self) -> str:
        """Name the step that this state stands before."""
        own = f"{self.phase}/{self.round}"
        return f"{own}/{self.child.call.id}:{self.child.state.key}" if self.child else own

    @property
    def taken(self) -> tuple[Used, ...]:
        """List what every model call took, a helper's too, in their order."""
        return (*self.used, *(self.child.state.taken if self.child else ()))

    @property
    def tokens(self) -> int:
        """Sum what the turn's model calls used."""
        return sum(used.tokens_in + used.tokens_out for used in self.taken)

    @property
    def thinking(self) -> bool:
        """Tell whether the next step asks a model."""
        return self.child.state.thinking if self.child else self.phase is Phase.THINK

    @property
    def emergency(self) -> bool:
        """Tell whether the emergency route took part."""
        return any(used.emergency for used in self.used)


class Child(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A helper at work for its parent's call: its task, its tools (none named: all), its state."""

    call: Call
    task: str
    tools: tuple[str, ...] = ()
    state: State


def dump(state: State) -> bytes:
    """Write a state for the journal."""
    return msgspec.json.encode(state)


def load(body: bytes) -> State:
    """Read a state from the journal; an empty one begins the turn."""
    return msgspec.json.decode(body, type=State) if body else State()
