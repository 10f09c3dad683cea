"""How the service fares, as open pages watch it."""

from dataclasses import dataclass

import msgspec

from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.gateway.boards import Board
from clawdbot.store import people, rights


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """What every open page must hear of: how many wait and knock, and the newest question."""

    approvals: int
    newest: str
    knocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Reads what the boards show."""

    db: Db
    clock: Clock
    epoch: str

    def boards(self) -> dict[str, Board]:
        """Make the boards that pages may watch, by name."""
        made = (Board("pulse", None, self.pulse, self.clock),)
        return {board.name: board for board in made}

    async def pulse(self) -> Pulse:
        """Tell what every open page must hear of."""
        now = self.clock.now()

        def look(tx: Tx) -> Pulse:
            waiting, _ = rights.depth(tx, self.epoch)
            knocks = len(people.open_pairings(tx, now))
            return Pulse(approvals=waiting, newest=rights.newest(tx), knocks=knocks)

        return await self.db.read(look)
