"""Due reminders: weighed and said in the timer's own transaction, shown and sent after its commit.

What was allowed when a reminder was set is decided again by the policy, for its user as they are.
"""

from collections.abc import Callable

from clawdbot.agent.rights import due
from clawdbot.conversation import answer
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.ports import Clock, Stream, Tx
from clawdbot.domain.settings import Session
from clawdbot.domain.text import say
from clawdbot.store import people
from clawdbot.store.audit import Entry
from clawdbot.store.timers import Timer
from clawdbot.tools.builtin import notebook


class Reminders:
    """What the engine does with a due reminder."""

    def __init__(
        self,
        clock: Clock,
        record: Callable[[Tx, Entry], object],
        stream: Stream,
        sweep: Callable[[], None],
        policy: Callable[[str, str], Session],
    ) -> None:
        """Say it by the clock or `record` a no, show it, `sweep`; `policy` is an account's."""
        self._clock = clock
        self._record = record
        self._stream = stream
        self._sweep = sweep
        self._policy = policy
        self._events: dict[str, tuple[int, str]] = {}

    def fire(self, tx: Tx, timer: Timer) -> None:
        """Say a reminder, in the transaction that ends its timer.

        Who is shut out hears nothing, who may have no reminders any more hears just that.
        """
        user = people.get(tx, timer.user_id)
        if user is None or user.disabled_at is not None:
            return
        to, text = notebook.due(timer)
        row, now = f"{timer.id}:reminder", self._clock.now()
        new = self._policy(to.channel, to.account).group
        if rule := due(tx, user, to, notebook.REMIND, now, new=new):
            self._record(tx, notebook.denied(timer, rule, now))
            english = (
                "A reminder was due that you may no longer have. Ask an owner of this assistant."
            )
            text = say(user.language, english)
        event = answer.tell(tx, row, to, timer.user_id, text, now=now)
        self._events[timer.id] = event, text

    def fired(self, timer: Timer) -> None:
        """Show and deliver what a timer has said."""
        self._sweep()
        event, text = self._events.pop(timer.id, (0, ""))
        if event:
            to, _ = notebook.due(timer)
            row = f"{timer.id}:reminder"
            live = Live(kind=LiveKind.FINAL, turn=row, to=to, text=text, event=event)
            self._stream.publish(live)
