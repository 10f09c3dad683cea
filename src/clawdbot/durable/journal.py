"""A turn's journal: claim, steps, parking and the end, each one transaction under a fencing token.

Two kinds of step. `transact` happens exactly once, recorded in the transaction that does it.
`effect` records its intent, acts, records the outcome; an intent without outcome after a crash is
ambiguous and follows the effect's rule. Knows rows and tokens, not what a turn is about.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum

from msgspec import Struct

from clawdbot.domain.errors import Fenced
from clawdbot.domain.messages import Source
from clawdbot.domain.ports import Clock, Db, Lease, Tx
from clawdbot.store import conversations, timers, turns
from clawdbot.store.turns import Turn, TurnState

WAIT_TIMER = "wait"


class Rule(StrEnum):
    """What to do with an effect that may or may not have happened."""

    REPEAT = "repeat"
    ASK = "ask"


class Step(Struct, frozen=True, kw_only=True):
    """What a step says of itself: its key (kind and call id) and where its outcome comes from."""

    key: str
    source: Source
    taint: bool = False
    intent: bytes = b""


class Grip(Struct, frozen=True, kw_only=True):
    """What claims a new turn in the transaction that queues it."""

    node: str
    token: str


class Recorded(Struct, frozen=True):
    """A step as the journal holds it."""

    state: str
    intent: bytes
    outcome: bytes
    source: str
    taint: int

    @property
    def done(self) -> bool:
        """Tell whether its outcome is known."""
        return self.state == "done"


class Parking(Struct, frozen=True, kw_only=True):
    """How a turn waits: for which wait, until when at most, and the state that it goes on with."""

    wait: str
    due_at: float | None
    version: int
    body: bytes


class Wait(Struct, frozen=True):
    """What a parked turn waits for, and the answer once it came."""

    id: str
    turn_id: str
    state: str
    answer: bytes


class Ambiguous(Exception):  # noqa: N818 - a state of knowledge, not a failure of ours
    """The process ended between an effect and its record; the effect's rule is to ask."""


class MustBeAlone(Exception):  # noqa: N818 - tells the lane how to ask again
    """This try could be the turn's last, so nothing else may run beside it."""


class Stopped(Exception):  # noqa: N818 - what somebody asked for
    """The turn was told to stop before it could park."""


class Journal:
    """The journal of one node; `node` names its rows, `epoch` every token it makes."""

    def __init__(
        self, db: Db, clock: Clock, lease: Lease, *, node: str, epoch: str, tries: int, version: int
    ) -> None:
        """Write with the given door, clock and lease.

        The last of `tries` runs alone; state newer than `version` is left to a newer program.
        """
        self._db = db
        self._clock = clock
        self._lease = lease
        self._node = node
        self._epoch = epoch
        self._tries = tries
        self._version = version

    def grip(self, turn: str) -> Grip | None:
        """Give what claims a turn that is not queued yet; None where the claim must be asked for.

        Whoever queues it with this has to see, in the same transaction, that its lane is idle.
        """
        if self._tries == 1 or not self._lease.held():
            return None
        return Grip(node=self._node, token=f"{self._epoch}.{turn}")

    async def claim(
        self, turn: str, *, alone: bool, also: Callable[[Tx, Turn], None] = lambda *_: None
    ) -> Turn | None:
        """Take a ready turn if no earlier unfinished, unparked one of its conversation exists.

        `also` reads what the taken turn needs, to spare it a transaction; it must not refuse it.
        Raises MustBeAlone, and takes nothing, where this would be the last try and is not alone.
        """
        token, now = f"{self._epoch}.{self._clock.ulid()}", self._clock.now()

        def work(tx: Tx) -> Turn | None:
            head = turns.front(tx, turn)
            if head is None or head.id != turn or head.state != TurnState.READY:
                return None
            if head.version > self._version:
                tx.run("turns.set_aside", version=self._version)
                return None
            # A try counts only when the last one left no new step.
            attempts = 1 if head.steps > head.steps_seen else head.attempts + 1
            if attempts >= self._tries and not alone:
                raise MustBeAlone
            claimed = tx.one(
                Turn,
                "turns.claim",
                id=turn,
                node=self._node,
                token=token,
                attempts=attempts,
                now=now,
            )
            if claimed is not None:
                also(tx, claimed)
            return claimed

        return await self._db.write(work) if self._lease.held() else None

    async def recover(self) -> int:
        """Give back what an earlier life of this node ran, and what a newer program left for us.

        Tells how many turns stay parked, as they are, because only a newer program can read them.
        """

        def work(tx: Tx) -> int:
            tx.run("turns.recover", node=self._node)
            for turn in tx.all(Turn, "turns.resumable", version=self._version):
                _enter(tx, turn)
            tx.run("turns.set_aside", version=self._version)
            return tx.one(int, "turns.newer", version=self._version) or 0

        return await self._db.write(work)

    async def transact(self, turn: Turn, step: Step, fn: Callable[[Tx], bytes]) -> bytes:
        """Do `fn` exactly once and return its outcome, now or from an earlier try."""

        def work(tx: Tx) -> bytes:
            self.hold(tx, turn)
            found = _recorded(tx, turn, step)
            if found is not None and found.done:
                return found.outcome
            outcome = fn(tx)
            self._done(tx, turn, step, outcome)
            tx.run("turns.progress", id=turn.id)
            return outcome

        return await self._db.write(work)

    async def effect(
        self,
        turn: Turn,
        step: Step,
        rule: Rule,
        fn: Callable[[], Awaitable[bytes]],
        note: Callable[[Tx, bytes | None], None] = lambda *_: None,
    ) -> bytes:
        """Do `fn` with its intent recorded before and its outcome after.

        `note` is called in both transactions, without and with the outcome. Raises Ambiguous where
        an earlier try left an intent without outcome and the rule is to ask.
        """

        def intend(tx: Tx) -> Recorded | None:
            self.hold(tx, turn)
            if (found := _recorded(tx, turn, step)) is None:
                note(tx, None)
                tx.run(
                    "steps.intend",
                    turn_id=turn.id,
                    key=step.key,
                    user_id=turn.user_id,
                    intent=step.intent,
                    empty=b"",
                    source=step.source,
                    taint=int(step.taint),
                    at=self._clock.now(),
                )
            return found

        earlier = await self._db.write(intend)
        if earlier is not None and earlier.done:
            return earlier.outcome
        if earlier is not None and rule is Rule.ASK:
            raise Ambiguous
        if not self._lease.held():
            raise Fenced
        outcome = await fn()

        def done(tx: Tx) -> bytes:
            note(tx, outcome)
            return outcome

        return await self.transact(turn, step, done)

    async def observe(self, turn: Turn, step: Step, fn: Callable[[], Awaitable[bytes]]) -> bytes:
        """Do something that has no effect; it may run again until its outcome is recorded."""
        found = await self._db.read(lambda tx: _recorded(tx, turn, step))
        if found is not None and found.done:
            return found.outcome
        outcome = await fn()
        return await self.transact(turn, step, lambda _: outcome)

    async def earlier(self, turn: Turn, key: str) -> Recorded | None:
        """Read a step of an earlier try."""
        return await self._db.read(
            lambda tx: tx.one(Recorded, "steps.get", turn_id=turn.id, key=key)
        )

    async def record(
        self,
        turn: Turn,
        step: Step,
        version: int,
        body: bytes,
        also: Callable[[Tx], None] = lambda _: None,
    ) -> None:
        """Record a step and the state it leads to; `also` writes what belongs to it."""

        def work(tx: Tx) -> None:
            if (
                tx.run("turns.record", id=turn.id, token=turn.token, version=version, body=body)
                != 1
            ):
                raise Fenced
            self._done(tx, turn, step, b"")
            also(tx)

        await self._db.write(work)

    def finish(self, tx: Tx, turn: Turn, state: TurnState) -> str | None:
        """End a turn inside the caller's transaction; name the turn that may start now."""
        now = self._clock.now()
        if (
            tx.run("turns.finish", id=turn.id, token=turn.token, state=state, now=now, body=b"")
            != 1
        ):
            raise Fenced
        if tx.one(int, "steps.count", turn_id=turn.id):
            tx.run("steps.shrink", turn_id=turn.id, empty=b"")
        following = turns.head(tx, turn.conversation_id)
        return following.id if following is not None else None

    def hold(self, tx: Tx, turn: Turn) -> str:
        """Check that the turn is still ours; return the stop mark (empty where there is none)."""
        stop = tx.one(str, "turns.holds", id=turn.id, token=turn.token)
        if stop is None:
            raise Fenced
        return stop

    async def give_back(self, turn: Turn, *, tried: bool) -> None:
        """Return a turn to its lane, after a failed try or at a clean stop."""
        query = "turns.retry" if tried else "turns.release"
        await self._db.write(lambda tx: tx.run(query, id=turn.id, token=turn.token))

    async def park(
        self, turn: Turn, step: Step, parking: Parking, also: Callable[[Tx], None] = lambda _: None
    ) -> str | None:
        """Give up the lane until `signal(wait)` or the deadline; name the turn that may start.

        `also` writes what belongs to the wait. Raises Stopped where the turn was told to stop.
        """
        now, timer = self._clock.now(), self._clock.ulid()

        def work(tx: Tx) -> str | None:
            if self.hold(tx, turn):
                raise Stopped
            self._done(tx, turn, step, b"")
            wait, user = parking.wait, turn.user_id
            tx.run("waits.add", id=wait, turn_id=turn.id, user_id=user, empty=b"", now=now)
            if parking.due_at is not None:
                due = timers.Timer(timer, WAIT_TIMER, wait, user, b"", parking.due_at)
                timers.add(tx, due, now)
            also(tx)
            body, version = parking.body, parking.version
            tx.run("turns.park", id=turn.id, token=turn.token, body=body, version=version)
            following = turns.head(tx, turn.conversation_id)
            return following.id if following is not None else None

        return await self._db.write(work)

    def _done(self, tx: Tx, turn: Turn, step: Step, outcome: bytes) -> None:
        tx.run(
            "steps.done",
            turn_id=turn.id,
            key=step.key,
            user_id=turn.user_id,
            intent=step.intent,
            outcome=outcome,
            source=step.source,
            taint=int(step.taint),
            at=self._clock.now(),
        )


def signal(tx: Tx, wait: str, answer: bytes, state: str = "answered") -> str | None:
    """Answer a wait, once; return the turn that enters the tail of its lane, to be woken."""
    found = tx.one(Wait, "waits.get", id=wait)
    if found is None or tx.run("waits.answer", id=wait, state=state, answer=answer) != 1:
        return None
    timers.drop(tx, WAIT_TIMER, wait)
    turn = turns.get(tx, found.turn_id)
    if turn is None or turn.state != TurnState.PARKED:
        return None
    _enter(tx, turn)
    return turn.id


def forget(tx: Tx, turn: str) -> None:
    """Wait for nothing more in a turn, its timers neither."""
    for wait in tx.all(str, "waits.close", turn_id=turn):
        timers.drop(tx, WAIT_TIMER, wait)


def unknown(tx: Tx, turn: str) -> list[str]:
    """Name a turn's effects (by their intents) of which nobody knows whether they happened."""
    return tx.all(lambda intent: bytes(intent).decode(), "steps.unknown", turn_id=turn)


def answer(tx: Tx, wait: str) -> Wait | None:
    """Read a wait and what came."""
    return tx.one(Wait, "waits.get", id=wait)


def _enter(tx: Tx, turn: Turn) -> None:
    """Let a parked turn into its lane, at the tail."""
    position = conversations.advance(tx, turn.conversation_id)
    tx.run("turns.unpark", id=turn.id, position=position)


def _recorded(tx: Tx, turn: Turn, step: Step) -> Recorded | None:
    return tx.one(Recorded, "steps.get", turn_id=turn.id, key=step.key)
