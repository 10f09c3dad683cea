"""The page of the log: its last lines, asked for again every two seconds while somebody looks."""

import msgspec
from aiohttp import web

from clawdbot.domain.errors import BadInput
from clawdbot.gateway.route import Caller
from clawdbot.ops.lines import LEVELS
from clawdbot.ops.reading import Wanted
from clawdbot.panel.parts import Panel
from clawdbot.panel.shell import framed


class Logs:
    """The page."""

    def __init__(self, panel: Panel) -> None:
        """Serve with the panel's parts."""
        self._with = panel

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the last lines that fit."""
        asked = {key: value for key, value in request.query.items() if value}
        try:
            wanted = msgspec.convert(asked, Wanted, strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(str(error)) from error
        values = {
            "lines": await self._with.offered.reader.lines(wanted),
            "asked": wanted,
            "levels": LEVELS,
        }
        return await framed(self._with, "logs", request, caller, values)
