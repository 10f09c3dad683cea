"""The support bundle: facts for whoever helps, nothing secret.

All of the bundle passes the log's own redaction, with every secret that the service runs with.
"""

import asyncio
import platform

import msgspec
from aiohttp import web

from clawdbot import __version__
from clawdbot.domain.people import Area
from clawdbot.gateway.control import Status
from clawdbot.gateway.route import Caller
from clawdbot.ops.lines import cleaned
from clawdbot.ops.reading import Wanted
from clawdbot.panel.parts import Pages

_LINES = 500


class Support(Pages):
    """The download."""

    async def bundle(self, _: web.Request, caller: Caller) -> web.Response:
        """Give versions, findings, settings and channels; the log to whom it is open."""
        settings, reader = self._with.offered.settings, self._with.offered.reader
        status = await self._with.control.status()
        lines = await reader.lines(Wanted(most=_LINES)) if Area.LOGS in caller.areas else []
        told = {
            "versions": {
                "clawdbot": __version__,
                "python": platform.python_version(),
                "system": platform.platform(),
            },
            "findings": await self._findings(status, caller.who.language),
            "status": status,
            "settings": settings.rows(),
            "additions": await self._with.offered.additions.listed(),
            "log": [line.text for line in reversed(lines)],
        }
        body = cleaned(msgspec.to_builtins(told), settings.redactor())
        response = web.Response(body=msgspec.json.format(msgspec.json.encode(body)))
        response.content_type = "application/json"
        response.headers["Content-Disposition"] = 'attachment; filename="clawdbot-support.json"'
        return response

    async def _findings(self, status: Status, language: str) -> list[object]:
        """Find what `clawdbot doctor` finds; what it takes is loaded with the first bundle."""
        from clawdbot.ops import doctor  # noqa: PLC0415

        control, settled = self._with.control, self._with.offered.settings.configured.settled
        home = self._with.offered.reader.home
        return [
            *doctor.programs(language),
            await asyncio.to_thread(doctor.files, home, language),
            *doctor.routes(settled.core, language),
            *doctor.service(status, language),
            *doctor.sandbox(status.sandbox, language),
            doctor.record(await control.verify(""), language),
        ]
