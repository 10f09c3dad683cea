"""What is told while a turn runs: live frames for screens, and facts for counters and logs."""

from enum import StrEnum

import msgspec

from clawdbot.domain.inbound import Address
from clawdbot.domain.messages import Attachment


class LiveKind(StrEnum):
    """What a live frame says."""

    SAID = "said"
    STARTED = "started"
    DELTA = "delta"
    RESET = "reset"
    TOOL = "tool"
    PROGRESS = "progress"
    ASKED = "asked"
    SENT = "sent"
    FINAL = "final"
    STOPPED = "stopped"
    FAILED = "failed"


class Live(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One live frame; (turn, attempt, seq) orders it, its topic is the destination (`to.key`).

    `text` is what was said, the delta, the tool's name, an approval's id or the final text;
    `event` is the transcript's position once the turn is committed, `ref` names the shown message
    once a stub is out (SENT), or the tool that tells how far it is (PROGRESS), `instead` the turn
    in whose place this one stands (SAID).
    """

    kind: LiveKind
    turn: str
    to: Address
    attempt: int = 0
    seq: int = 0
    text: str = ""
    event: int = 0
    ref: str = ""
    instead: str = ""
    attachments: tuple[Attachment, ...] = ()


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Something to count: a metric's name, a value and its labels."""

    name: str
    value: float = 1.0
    labels: tuple[str, ...] = ()
