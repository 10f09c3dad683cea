"""Finds what somebody said, and was answered, by its words: in their own turns only.

Whatever the role: nobody finds what others said.
"""

import asyncio
from contextlib import suppress
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta

from clawdbot.domain.errors import StoreFailed
from clawdbot.domain.messages import Role, told
from clawdbot.domain.ports import Db, Tx
from clawdbot.gateway.history import name_of
from clawdbot.gateway.route import Caller
from clawdbot.store import conversations, search
from clawdbot.store.search import Hit
from clawdbot.store.words import QUERY_MOST, Phrase, Piece, excerpt, phrases

_LAST = 1 << 62
_BEHIND_S = 2.0
_TURNS = 20


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A turn: `id` is where a further search goes on, `event` where its conversation opens.

    `name` and `event` lead to the page only where `channel` is one of our own sockets. `pieces` are
    of the person's words (`own`) or of the answer.
    """

    id: int
    channel: str
    name: str
    title: str
    event: int
    at: float
    own: bool
    pieces: tuple[Piece, ...]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for, and where to go on."""

    words: Annotated[str, Meta(max_length=QUERY_MOST)]
    before: Annotated[int, Meta(ge=0, le=_LAST)] = 0
    most: Annotated[int, Meta(ge=1, le=100)] = 20


class Search:
    """Searches the transcript."""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def run(self) -> None:
        """Index what was said, soon after it was, until cancelled."""
        while True:
            try:
                await self.catch_up()
            except StoreFailed as error:
                structlog.get_logger("search").warning("indexing goes on later", reason=str(error))
            await asyncio.sleep(_BEHIND_S)

    async def catch_up(self) -> None:
        """Index what is not; raises StoreFailed. Nobody's commit waits for more than some turns."""
        while await self._db.read(search.behind):
            await self._db.write(lambda tx: conversations.index(tx, _TURNS))

    async def look(self, caller: Caller, look: Look) -> list[Found]:
        """Find what the caller said and was answered, newest first."""
        return await self.find(caller.who.id, look.words, look.before, look.most)

    async def find(self, user: str, words: str, before: int = 0, most: int = 20) -> list[Found]:
        """Find a user's turns that have all the words, newest first; the last may go on.

        Words in quotes must follow each other. `before` is the last `id` of what was shown already.
        """
        wanted = phrases(words)
        if not wanted:
            return []

        with suppress(StoreFailed):  # a full disk: what was said before is found all the same
            await self.catch_up()

        def work(tx: Tx) -> list[Found]:
            hits = search.find(tx, user, wanted, before or _LAST, most)
            return [found for hit in hits if (found := _shown(tx, hit, wanted)) is not None]

        return await self._db.read(work)


def _shown(tx: Tx, hit: Hit, wanted: tuple[Phrase, ...]) -> Found | None:
    lane = conversations.get(tx, hit.conversation_id)
    said = [row.message for row in conversations.at(tx, hit.conversation_id, hit.position)]
    # The words may stand in the question, in the answer, or some in each: show where more do.
    shown = [(message, excerpt(told(message.parts), wanted)) for message in search.shown(said)]
    if lane is None or not shown:
        return None
    best, pieces = max(shown, key=lambda each: len({p.text.casefold() for p in each[1] if p.hit}))
    if not pieces:
        return None
    return Found(
        id=hit.id,
        channel=lane.to.channel,
        name=name_of(lane),
        title=lane.title,
        event=hit.position,
        at=hit.at,
        own=best.role is Role.USER,
        pieces=pieces,
    )
