"""The overview page: how the service fares, and what wants attention first."""

from aiohttp import web

from clawdbot.gateway.overview import FIRST_TOKEN_MS
from clawdbot.gateway.route import Caller
from clawdbot.panel.parts import Panel
from clawdbot.panel.shell import PLACES, framed


class Overview:
    """The page, which its board keeps in step."""

    def __init__(self, panel: Panel) -> None:
        """Serve with the panel's parts."""
        self._with = panel

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """Show it; the next steps lead only where the caller may go."""
        now = await self._with.overview.condition()
        opened = {
            place.path for place in PLACES if place.area is None or place.area in caller.areas
        }
        values = {"now": now, "opened": opened, "goal": FIRST_TOKEN_MS}
        return await framed(self._with, "overview", request, caller, values)
