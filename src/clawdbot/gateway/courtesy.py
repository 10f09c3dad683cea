"""What is shown while a turn runs on a chat platform: typing, and the stub growing by edits.

A courtesy: it may be skipped, and never outlives the turn's commit. All of it goes through the
outbox's hold on the destination, so that no late edit overtakes the final text.
"""

import asyncio
from typing import TypeGuard

from msgspec import Struct

from clawdbot.domain.caps import Caps, Streaming
from clawdbot.domain.chunk import cut
from clawdbot.domain.errors import SendFailed
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.inbound import Address
from clawdbot.domain.ports import Channel, Clock, Outgoing, Typing
from clawdbot.gateway.delivery import is_editable
from clawdbot.gateway.outbox import Outbox
from clawdbot.gateway.stream import LocalStream
from clawdbot.gateway.supervisor import Supervisor

_TICK_S = 0.25
_TYPING_AFTER_S = 0.7
# A turn that asked somebody gave up its lane, and begins anew with the answer.
_ENDED = frozenset({LiveKind.FINAL, LiveKind.STOPPED, LiveKind.FAILED, LiveKind.ASKED})


class _Running(Struct):
    to: Address
    channel: Channel
    began: float
    text: str = ""
    shown: str = ""
    ref: str = ""
    edited_at: float = 0.0
    typed_at: float = 0.0


class Courtesy:
    """Follows every turn of this process; `run` is its life."""

    def __init__(
        self, stream: LocalStream, supervisor: Supervisor, outbox: Outbox, clock: Clock
    ) -> None:
        self._stream = stream
        self._supervisor = supervisor
        self._outbox = outbox
        self._clock = clock
        self._turns: dict[str, _Running] = {}
        self._busy = asyncio.Event()

    async def run(self) -> None:
        """Show until cancelled."""
        with self._stream.followed(self._note):
            while True:
                await self._busy.wait()
                while self._turns:
                    await asyncio.sleep(_TICK_S)
                    for name, turn in list(self._turns.items()):
                        await self._show(name, turn)
                self._busy.clear()

    def _note(self, live: Live) -> None:
        if live.kind is LiveKind.STARTED:
            channel = self._supervisor.find(live.to)
            if channel is not None:
                self._turns[live.turn] = _Running(live.to, channel, self._clock.monotonic())
                self._busy.set()
        elif (turn := self._turns.get(live.turn)) is not None:
            if live.kind is LiveKind.DELTA:
                turn.text += live.text
            elif live.kind is LiveKind.RESET:
                turn.text = ""
            elif live.kind is LiveKind.SENT:
                turn.ref = live.ref
            elif live.kind in _ENDED:
                del self._turns[live.turn]

    async def _show(self, name: str, turn: _Running) -> None:
        now, caps = self._clock.monotonic(), turn.channel.caps
        free = self._outbox.pacer(turn.to, turn.channel).free(turn.to, now)
        if not free or not self._supervisor.up(turn.to):
            return
        try:
            async with self._outbox.alone(turn.to.key):
                if name not in self._turns:
                    return
                if self._edit_due(turn, caps, now):
                    await self._edit(turn, caps, now)
                elif _typing_due(turn, caps, now) and is_typing(turn.channel):
                    turn.typed_at = now
                    await turn.channel.typing(turn.to)
        except SendFailed:
            turn.edited_at = now + caps.edit_every_s

    def _edit_due(self, turn: _Running, caps: Caps, now: float) -> bool:
        fresh = turn.text != turn.shown and now - turn.edited_at >= caps.edit_every_s
        return bool(turn.ref and turn.text.strip()) and fresh and caps.stream is Streaming.EDIT

    async def _edit(self, turn: _Running, caps: Caps, now: float) -> None:
        turn.shown, turn.edited_at = turn.text, now
        self._outbox.pacer(turn.to, turn.channel).wait(turn.to, now)
        if not is_editable(turn.channel):
            return
        first = cut(turn.text, caps.text_max, caps.unit)[0]
        await turn.channel.edit(turn.to, turn.ref, Outgoing(text=first))


def is_typing(channel: object) -> TypeGuard[Typing]:
    """Tell by its shape whether a channel can show that we are at work."""
    return hasattr(channel, "typing")


def _typing_due(turn: _Running, caps: Caps, now: float) -> bool:
    every = caps.typing_every_s
    waited = now - turn.began >= _TYPING_AFTER_S
    return every is not None and not turn.ref and waited and now - turn.typed_at >= every
