"""The chat page: the user's conversations, one of them open, and who knocks.

What is shown comes from the transcript; what happens from then on comes over the socket.
"""

from aiohttp import web
from markupsafe import Markup

from clawdbot.domain.inbound import Address
from clawdbot.domain.people import Area
from clawdbot.gateway import history
from clawdbot.gateway.body import form
from clawdbot.gateway.conversations import CHANNEL, Which
from clawdbot.gateway.history import History, Line
from clawdbot.gateway.route import Caller
from clawdbot.gateway.ws import Connection
from clawdbot.panel.pages import html, moments, page, to
from clawdbot.panel.parts import Pages
from clawdbot.panel.shell import places
from clawdbot.panel.users import Admit
from clawdbot.store import rights

_ROWS_MOST = 120
_LANES, _LANES_MOST = 50, 1000
# Here alone a voice note may be spoken.
_HEADERS = {
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
}
_NOTHING = History(title="", lines=(), waiting=(), upto=0, earlier=0)


class Chat(Pages):
    """Pages and fragments of the conversations of whoever asks; nobody else's."""

    async def begin(self, request: web.Request, caller: Caller) -> web.Response:
        """Show a new conversation; it exists once something is said in it."""
        name = self._with.clock.ulid().lower()
        return await self._show(request, caller, name, _NOTHING)

    async def open(self, request: web.Request, caller: Caller) -> web.Response:
        """Show a conversation where it ended."""
        name = request.match_info["name"]
        found = await self._read(caller, name)
        if found is None:
            return page("lost", request, caller, status=404)
        return await self._show(request, caller, name, found)

    async def earlier(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the stretch of a conversation before an event."""
        event = int(request.match_info["event"])
        found = await self._read(caller, request.match_info["name"], event)
        return self._lines(request, caller, found)

    async def later(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the stretch of a conversation after an event, up to another one."""
        user, to = caller.who.id, self._place(caller, request.match_info["name"])
        after, until = int(request.match_info["event"]), request.query.get("until", "")
        before = int(until) if until.isascii() and until.isdecimal() and len(until) < 16 else 0
        found = await self._with.db.read(
            lambda tx: history.onwards(tx, to, user, after=after, before=before, most=_ROWS_MOST)
        )
        return self._lines(request, caller, found)

    async def turn(self, request: web.Request, caller: Caller) -> web.Response:
        """Show one turn, with the tools that it used."""
        user, to = caller.who.id, self._place(caller, request.match_info["name"])
        turn = request.match_info["id"]
        found = await self._with.db.read(lambda tx: history.of_turn(tx, to, user, turn))
        return self._lines(request, caller, found)

    async def aside(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the list of conversations again, and who knocks."""
        most = request.query.get("most", "")
        shown = min(int(most), _LANES_MOST) if most.isascii() and most.isdecimal() else _LANES
        values = await self._aside(caller, request.query.get("at", ""), shown)
        return page("aside", request, caller, values)

    async def admit(self, request: web.Request, caller: Caller) -> web.Response:
        """Let in who knocks, as a new member or as the owner's own account, or send them away."""
        given = await form(request)
        if given.get("as") == "no":
            await self._with.staff.users.refuse(caller, given.get("id", ""))
            return to("/chat")
        me = caller.who.id if given.get("as") == "me" else ""
        await self._with.staff.users.admit(caller, given.get("id", ""), Admit(user=me))
        return to("/chat")

    async def socket(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """Speak with the page."""
        connection = Connection(self._with.sockets, caller.who, CHANNEL, caller.login, caller.areas)
        return await connection.serve(request)

    async def _show(
        self, request: web.Request, caller: Caller, name: str, found: History
    ) -> web.Response:
        values: dict[str, object] = {
            "name": name,
            "history": found,
            "places": await places(self._with, caller, request.path),
            "routes": self._with.conversations.choices(caller),
            "blank": (Line(turn="", text="", own=True), Line(turn="", text="")),
        }
        response = page("chat", request, caller, await self._aside(caller, name, _LANES) | values)
        response.headers.update(_HEADERS)
        return response

    def _lines(self, request: web.Request, caller: Caller, found: History | None) -> web.Response:
        if found is None:
            raise web.HTTPNotFound
        return page("lines", request, caller, {"history": found} | self._told(caller))

    async def _aside(self, caller: Caller, current: str, most: int) -> dict[str, object]:
        user = caller.who
        whose, epoch = "" if user.runs_the_place else user.id, self._with.sockets.epoch
        waiting, _ = await self._with.db.read(lambda tx: rights.depth(tx, epoch, whose))
        lanes = await self._with.conversations.listed(caller, Which(most=most))
        opens = Area.PEOPLE in caller.areas
        found = {
            "lanes": lanes,
            "most": most,
            "knocks": await self._with.staff.users.knocking() if opens else [],
            "current": current,
            "waiting": waiting,
        }
        return found | self._told(caller)

    async def _read(self, caller: Caller, name: str, before: int = 0) -> History | None:
        user, to = caller.who.id, self._place(caller, name)
        return await self._with.db.read(
            lambda tx: history.read(tx, to, user, before=before, most=_ROWS_MOST)
        )

    def _place(self, caller: Caller, name: str) -> Address:
        return history.place(CHANNEL, caller.who.id, name)

    def _told(self, caller: Caller) -> dict[str, object]:
        """Give the templates what they tell with: moments, and answers as HTML."""
        return {
            "moment": moments(caller.who, self._with.clock.now()),
            "markup": lambda text: Markup(html(text)),  # noqa: S704 - html makes it safe
        }
