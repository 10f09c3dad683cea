"""Due reminders: said in the timer's own transaction, shown and delivered after its commit."""

from collections.abc import Callable

from clawdbot.conversation import answer
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.ports import Clock, Stream, Tx
from clawdbot.store import people
from clawdbot.store.timers import Timer
from clawdbot.tools.builtin import notebook


class Reminders:
    """What the engine does with a due reminder."""

    def __init__(self, clock: Clock, stream: Stream, sweep: Callable[[], None]) -> None:
        """Say it by the clock, show it on the stream, have the outbox `sweep`."""
        self._clock = clock
        self._stream = stream
        self._sweep = sweep
        self._events: dict[str, int] = {}

    def fire(self, tx: Tx, timer: Timer) -> None:
        """Say a reminder, in the transaction that ends its timer; who is shut out hears none."""
        user = people.get(tx, timer.user_id)
        if user is None or user.disabled_at is not None:
            return
        to, text = notebook.due(timer)
        row, now = f"{timer.id}:reminder", self._clock.now()
        self._events[timer.id] = answer.tell(tx, row, to, timer.user_id, text, now=now)

    def fired(self, timer: Timer) -> None:
        """Show and deliver what a timer has said."""
        self._sweep()
        event = self._events.pop(timer.id, 0)
        if event:
            to, text = notebook.due(timer)
            row = f"{timer.id}:reminder"
            live = Live(kind=LiveKind.FINAL, turn=row, to=to, text=text, event=event)
            self._stream.publish(live)
