"""Whose turn it is. Order is decided by the claim, in one transaction; lanes run side by side."""

from clawdbot.conversation.turn import Turns
from clawdbot.domain.ports import Engine
from clawdbot.durable.embedded import Gate
from clawdbot.durable.journal import Journal, MustBeAlone
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
        async with gate.enter(alone=alone):
            claimed: Turn | None = await self._journal.claim(
                turn, alone=alone, also=self._turns.prepare
            )
            return None if claimed is None else await self._turns.run(claimed)
