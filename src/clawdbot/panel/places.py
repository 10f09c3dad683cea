"""The pages of whoever runs the place; what they show and do are operations of the parts."""

from aiohttp import web

from clawdbot.gateway.route import Caller
from clawdbot.panel.overview import FIRST_TOKEN_MS
from clawdbot.panel.parts import Panel
from clawdbot.panel.shell import PLACES, framed


class Places:
    """Pages, each open by its area."""

    def __init__(self, panel: Panel) -> None:
        """Serve with the panel's parts."""
        self._with = panel

    async def overview(self, request: web.Request, caller: Caller) -> web.Response:
        """Show how the service fares; the next steps lead only where the caller may go."""
        now = await self._with.offered.overview.condition()
        opened = {p.path for p in PLACES if p.area is None or p.area in caller.areas}
        values = {"now": now, "opened": opened, "goal": FIRST_TOKEN_MS}
        return await framed(self._with, "overview", request, caller, values)

    async def channels(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the accounts, and what one of each kind can be set to."""
        channels = self._with.offered.channels
        values = {"accounts": await channels.listed(), "kinds": await channels.kinds()}
        return await framed(self._with, "channels", request, caller, values)
