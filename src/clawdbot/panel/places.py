"""The pages of whoever runs the place; what they show and do are operations of the parts."""

import msgspec
from aiohttp import web

from clawdbot.domain.errors import BadInput
from clawdbot.domain.text import say
from clawdbot.gateway.route import Caller
from clawdbot.ops.lines import LEVELS
from clawdbot.ops.reading import Wanted
from clawdbot.panel.models import Period
from clawdbot.panel.overview import FIRST_TOKEN_MS, short
from clawdbot.panel.parts import Pages
from clawdbot.panel.shell import PLACES, framed


class Places(Pages):
    """Pages, each open by its area."""

    async def overview(self, request: web.Request, caller: Caller) -> web.Response:
        """Show how the service fares; the next steps lead only where the caller may go."""
        # The first page of a service's life does not wait for the boxes: its board tells of them.
        now = await self._with.offered.overview.glance()
        opened = {p.path: p.name for p in PLACES if p.area is None or p.area in caller.areas}
        values = {"now": now, "opened": opened, "goal": FIRST_TOKEN_MS}
        return await framed(self._with, "overview", request, caller, values)

    async def channels(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the accounts, what one of each kind can be set to, and the groups."""
        channels, staff = self._with.offered.channels, self._with.staff
        roles = await staff.roles.listed(caller)
        values = {
            "accounts": await channels.listed(),
            "kinds": await channels.kinds(),
            "groups": await staff.groups.listed(caller),
            "roles": [role.name for role in roles if role.mine],
        }
        return await framed(self._with, "channels", request, caller, values)

    async def models(self, request: web.Request, caller: Caller) -> web.Response:
        """Show providers, routes and budgets, and what was used in the days that are asked for."""
        models, language, fault = self._with.offered.models, caller.who.language, ""
        try:
            asked = {key: value for key, value in request.query.items() if value}
            used = await models.used(msgspec.convert(asked, Period))
        except (BadInput, msgspec.ValidationError):
            fault = say(language, "Choose a first day and a last day, at most 92 days apart.")
            used = await models.used(Period())
        values = {"known": await models.known(), "used": used, "fault": fault, "short": short}
        return await framed(self._with, "models", request, caller, values)

    async def logs(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the last lines of the log that fit."""
        asked = {key: value for key, value in request.query.items() if value}
        try:
            wanted = msgspec.convert(asked, Wanted, strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(str(error)) from error
        lines = await self._with.offered.reader.lines(wanted)
        values = {"lines": lines, "asked": wanted, "levels": LEVELS}
        return await framed(self._with, "logs", request, caller, values)

    async def settings(self, request: web.Request, caller: Caller) -> web.Response:
        """Show every setting, and the names of the secrets."""
        settings, control = self._with.offered.settings, self._with.control
        values = {"sections": await settings.listed(), "secrets": await control.secrets()}
        return await framed(self._with, "settings", request, caller, values)
