"""A turn's recorded state: what a step takes and gives. Versioned: an update can read it."""

from enum import StrEnum

import msgspec

from clawdbot.domain.messages import Message
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
    `spent` the approvals that its calls used up.
    """

    version: int = VERSION
    phase: Phase = Phase.THINK
    round: int = 0
    said: tuple[Message, ...] = ()
    used: tuple[Used, ...] = ()
    spent: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Sum what the turn's model calls used."""
        return sum(used.tokens_in + used.tokens_out for used in self.used)

    @property
    def emergency(self) -> bool:
        """Tell whether the emergency route took part."""
        return any(used.emergency for used in self.used)


def dump(state: State) -> bytes:
    """Write a state for the journal."""
    return msgspec.json.encode(state)


def load(body: bytes) -> State:
    """Read a state from the journal; an empty one begins the turn."""
    return msgspec.json.decode(body, type=State) if body else State()
