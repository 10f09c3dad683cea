"""The page of the audit trail: its rows, newest first, and all of them to take along."""

from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from clawdbot.domain.errors import BadInput
from clawdbot.domain.people import User
from clawdbot.domain.ports import Tx
from clawdbot.gateway.custody import Shown
from clawdbot.gateway.route import Caller
from clawdbot.panel.parts import Pages
from clawdbot.panel.reasons import reason
from clawdbot.panel.shell import framed
from clawdbot.store import audit
from clawdbot.store.audit import Checkpoint, Query

_PAGE = 50
_EXPORTED = 500


class AuditPages(Pages):
    """The page and its download."""

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the newest rows that fit, or those behind a row."""
        wish = _wish(request, caller.who)
        rows = await self._with.control.trail(msgspec.structs.replace(wish, most=_PAGE + 1))

        def look(tx: Tx) -> tuple[Checkpoint | None, bool]:
            return audit.last(tx), audit.waiting(tx)

        last, waiting = await self._with.db.read(look)
        filters = {key: value for key, value in request.query.items() if key != "after" and value}
        more = ""
        if len(rows) > _PAGE:
            end = rows[_PAGE - 1]
            more = str(request.rel_url.with_query(filters | {"after": _place(end)}))
        values = {
            "rows": rows[:_PAGE],
            "asked": filters,
            "more": more,
            "export": str(request.rel_url.with_path("/audit/export").with_query(filters)),
            "last": last,
            "reason": partial(reason, language=caller.who.language),
            "waiting": waiting,
        }
        return await framed(self._with, "audit", request, caller, values)

    async def export(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """Give all rows that fit as JSON lines, newest first, without what is sealed."""
        wish = msgspec.structs.replace(_wish(request, caller.who), most=_EXPORTED)
        response = web.StreamResponse()
        response.content_type = "application/x-ndjson"
        response.headers["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
        await response.prepare(request)
        while rows := await self._with.control.trail(wish):
            await response.write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
            end = rows[-1]
            wish = msgspec.structs.replace(wish, after=(end.at, end.chain, end.place))
        await response.write_eof()
        return response


def _wish(request: web.Request, user: User) -> Query:
    asked = request.query
    after = None
    if behind := asked.get("after", ""):
        try:
            at, chain, place = behind.split(",")
            after = (float(at), chain, int(place))
        except ValueError as error:
            raise BadInput from error
    return Query(
        user=asked.get("user", "").strip(),
        what=asked.get("what", "").strip(),
        turn=asked.get("turn", "").strip(),
        kind=asked.get("kind", ""),
        decision=asked.get("decision", ""),
        since=_day(asked.get("since", ""), user, 0) or 0.0,
        until=_day(asked.get("until", ""), user, 1) or 1e15,
        after=after,
        newest=True,
    )


def _day(text: str, user: User, later: int) -> float:
    """Tell when a day begins where the user lives; 0 where none is named."""
    if not text:
        return 0.0
    try:
        day = datetime.fromisoformat(text) + timedelta(days=later)
        return day.replace(tzinfo=ZoneInfo(user.timezone)).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadInput from error


def _place(row: Shown) -> str:
    return f"{row.at!r},{row.chain},{row.place}"
