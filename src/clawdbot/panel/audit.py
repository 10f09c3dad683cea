"""What is asked of the audit trail beside its rows: is it whole, what is sealed in a row.

A row is opened only where somebody asks for that row.
"""

import msgspec
from aiohttp import web

from clawdbot.domain.ports import Tx
from clawdbot.domain.text import say
from clawdbot.gateway.control import Control
from clawdbot.gateway.route import Caller
from clawdbot.store import audit
from clawdbot.store.proof import Verdict


class Verified(Verdict, frozen=True, kw_only=True):
    """A verdict, and the same in words."""

    words: str


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What was sealed in a row, or that nobody can open it any more."""

    text: str
    erased: bool


class Trail:
    """What may be asked of the trail beside its rows."""

    def __init__(self, control: Control) -> None:
        """Ask the owner's hand."""
        self._control = control

    async def verify(self, caller: Caller) -> Verified:
        """Check the whole trail, and tell it in words."""
        from clawdbot.ops import doctor  # noqa: PLC0415 - a start does without

        found = await self._control.verify("")
        words = doctor.record(found, caller.who.language).text
        return Verified(**msgspec.structs.asdict(found), words=words)

    async def opened(self, caller: Caller, chain: str, place: int) -> Content:
        """Open what is sealed in one row."""

        def look(tx: Tx) -> Content:
            if (row := audit.row(tx, chain, place)) is None:
                raise web.HTTPNotFound
            text = audit.content(tx, self._control.vault, row).decode(errors="replace")
            return Content(text=text, erased=bool(row.payload) and not text)

        found = await self._control.db.read(look)
        if found.erased:
            told = say(caller.who.language, "It was erased; nobody can open it any more.")
            return Content(text=told, erased=True)
        return found
