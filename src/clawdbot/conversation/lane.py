"""Whose turn it is. Order is decided by the claim, in one transaction; lanes run side by side."""

from clawdbot.conversation.scenes import Begun, Rows
from clawdbot.conversation.turn import Turns
from clawdbot.domain.ports import Engine, Tx
from clawdbot.durable.embedded import Gate
from clawdbot.durable.journal import Grip, Journal, MustBeAlone
from clawdbot.store.turns import Turn


def submit(turn: str, engine: Engine) -> None:
    """Hand an accepted turn to the engine."""
    engine.wake(turn)


class Lane:
    """What the engine runs: claims a turn when it may run, and runs it."""

    def __init__(self, journal: Journal, turns: Turns) -> None:
        """Claim in the journal, run with `turns`."""
        self._journal = journal
        self._turns = turns
        self._begun: dict[str, Begun] = {}

    def grip(self, turn: str) -> Grip | None:
        """Give what claims a turn in the transaction that queues it, where its lane is idle."""
        return self._journal.grip(turn)

    def begin(self, begun: Begun) -> None:
        """Run a turn that was claimed when it was queued, once the engine asks for it."""
        self._begun[begun.turn.id] = begun

    async def advance(self, turn: str, gate: Gate) -> str | None:
        """Run this turn if it may run; name the one of its conversation to look at next."""
        try:
            return await self._attempt(turn, gate, alone=False)
        except MustBeAlone:
            return await self._attempt(turn, gate, alone=True)

    async def look(self, turn: str) -> None:
        """Look whether a running turn was told to stop."""
        await self._turns.look(turn)

    async def _attempt(self, turn: str, gate: Gate, *, alone: bool) -> str | None:
        rows: list[Rows | None] = []

        def read(tx: Tx, claimed: Turn) -> None:
            rows.append(self._turns.prepare(tx, claimed))

        async with gate.enter(alone=alone):
            if (begun := self._begun.pop(turn, None)) is not None:
                return await self._turns.run(begun.turn, begun.rows)
            claimed = await self._journal.claim(turn, alone=alone, also=read)
            return None if claimed is None else await self._turns.run(claimed, rows[-1])
