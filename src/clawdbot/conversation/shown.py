"""What a user sees of a turn while it runs: live frames, and the stub that will become the answer.

A courtesy beside the outbox, never instead of it; only the stub is a row.
"""

from clawdbot.domain.caps import Caps, Streaming
from clawdbot.domain.chunk import stub
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.ports import Clock, Deliveries, Outgoing, Stream
from clawdbot.store import outbox
from clawdbot.store.outbox import New, RowKind
from clawdbot.store.turns import Turn


def stub_id(turn: str, index: int) -> str:
    """Name the outbox row of a chunk's stub."""
    return f"{turn}:stub:{index}"


class Shown:
    """The visible side of one try of one turn."""

    def __init__(
        self,
        turn: Turn,
        caps: Caps,
        *,
        clock: Clock,
        stream: Stream,
        deliveries: Deliveries,
        stub_after_s: float,
    ) -> None:
        """Show `turn` within the destination's abilities."""
        self._turn = turn
        self._to = turn.to
        self._caps = caps
        self._clock = clock
        self._stream = stream
        self._deliveries = deliveries
        self._stub_after_s = stub_after_s
        self._seq = 0
        self._text = ""
        self._since: float | None = None
        self._stubbed = False

    def tell(self, kind: LiveKind, text: str = "", event: int = 0) -> None:
        """Publish a live frame."""
        self._seq += 1
        self._stream.publish(
            Live(
                kind=kind,
                turn=self._turn.id,
                to=self._to,
                attempt=self._turn.attempts,
                seq=self._seq,
                text=text,
                event=event,
            )
        )

    async def grow(self, text: str) -> None:
        """Show more of the answer; a slow one gets a stub that is replaced later."""
        self.tell(LiveKind.DELTA, text)
        self._text += text
        now = self._clock.monotonic()
        self._since = now if self._since is None else self._since
        slow = now - self._since >= self._stub_after_s
        if slow and not self._stubbed and self._caps.stream is Streaming.EDIT:
            self._stubbed = True
            await self._put_stub()

    def restart(self, reason: str) -> None:
        """Forget what was shown: the answer starts over."""
        self._text = ""
        self.tell(LiveKind.RESET, reason)

    @property
    def text(self) -> str:
        """Give what was shown so far."""
        return self._text

    async def _put_stub(self) -> None:
        turn, now = self._turn, self._clock.now()
        row = New(
            id=stub_id(turn.id, 0),
            to=self._to,
            message=Outgoing(text=stub(self._text), reply_to=turn.reply_to),
            kind=RowKind.STUB,
            user=turn.user_id,
            turn=turn.id,
        )
        await self._deliveries.commit(self._to.key, lambda tx: outbox.put(tx, row, now))
