"""The pages about people: who there is, one of them, their roles, and who asks.

Shows what the API tells; every action is one of its operations.
"""

import asyncio
from functools import partial

from aiohttp import web

from clawdbot.domain.errors import Missing
from clawdbot.domain.people import Area
from clawdbot.domain.policy import Effect
from clawdbot.domain.text import say
from clawdbot.gateway.logins import CHAT, PASSWORD_MIN
from clawdbot.gateway.route import Caller
from clawdbot.panel.entry import zones
from clawdbot.panel.pages import page
from clawdbot.panel.parts import Pages
from clawdbot.panel.reasons import DEEDS
from clawdbot.panel.roles import Explained, RoleShown, Which
from clawdbot.panel.shell import framed

_ALL = Which()
_AGENT_MOST = 40
# The first that fits: each also calls itself by those below it.
_BROWSERS = (
    *(("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome")),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows")),
    *(("Mac OS X", "macOS"), ("Linux", "Linux")),
)
# What a state of the policy looks like, and its word.
_LOOKS = {"allow": ("good", "Allowed"), "ask": ("warn", "Asks"), "deny": ("bad", "Not allowed")}


class People(Pages):
    """Pages of whoever looks after people, and everybody's own."""

    async def listed(self, request: web.Request, caller: Caller) -> web.Response:
        """Show who there is, who knocks, is invited, locked out, being erased."""
        staff = self._with.staff
        users, knocks, invitations, roles, locked, erasures = await asyncio.gather(
            self._with.staff.users.listed(caller),
            self._with.staff.users.knocking(),
            staff.invitations.listed(caller),
            staff.roles.listed(caller),
            staff.clients.locked(),
            staff.erasing.underway(),
        )
        values = {
            "users": users,
            "knocks": knocks,
            "invitations": invitations,
            "given": _given(roles),
            "locked": locked,
            "erasures": erasures,
            "names": {user.id: user.name for user in users},
        }
        return await framed(self._with, "people", request, caller, values)

    async def roles(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the roles, and what each may with every tool."""
        parts = self._with.staff.roles
        roles = await parts.listed(caller)
        told = [await parts.rights(caller, role.name, _ALL) for role in roles]
        t = partial(say, caller.who.language)
        values = {
            "roles": roles,
            "names": [t(role.name) for role in roles],
            "rows": list(zip(*map(_told, told), strict=True)),
            "looks": _LOOKS,
            "effects": [(effect, t(DEEDS[effect])) for effect in Effect],
            "areas": [(area, t(area)) for area in Area],
        }
        return await framed(self._with, "roles", request, caller, values)

    async def one(self, request: web.Request, caller: Caller) -> web.Response:
        """Show a user: what is theirs, what they may and why."""
        id_, staff = request.match_info["id"], self._with.staff
        try:
            person = await self._with.staff.users.shown(caller, id_)
        except Missing:
            return page("lost", request, caller, status=404)
        rights = await staff.roles.rights_of(caller, person.id, _ALL)
        roles = await staff.roles.listed(caller)
        values = {
            "person": person,
            "clients": await staff.clients.of(caller, person.id) if person.below else [],
            "named": named,
            "rights": _told(rights),
            "looks": _LOOKS,
            "given": _given(roles, person.role),
            "path": f"/api/v1/people/{person.id}",
        }
        return await framed(self._with, "person", request, caller, values)

    async def me(self, request: web.Request, caller: Caller) -> web.Response:
        """Show whoever asks their own."""
        staff = self._with.staff
        names = [CHAT, *(area for area in Area if area in caller.areas)]
        values = {
            "person": await staff.own.me(caller),
            "clients": await staff.clients.mine(caller),
            "named": named,
            "rights": _told(await staff.roles.mine(caller, _ALL)),
            "looks": _LOOKS,
            "scopes": [(name, say(caller.who.language, name)) for name in names],
            "zones": [(zone, zone) for zone in zones()],
            "least": PASSWORD_MIN,
            "path": "/api/v1/me",
        }
        return await framed(self._with, "me", request, caller, values)


def named(agent: str) -> str:
    """Name a browser by what it says of itself: `Firefox, Linux`."""
    kind = next((name for mark, name in _BROWSERS if mark in agent), agent[:_AGENT_MOST])
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return ", ".join(filter(None, (kind, system)))


def _given(roles: list[RoleShown], present: str = "") -> list[str]:
    """Name the roles that the reader may give, and the one that somebody has."""
    return [role.name for role in roles if role.mine or role.name == present]


def _told(rights: list[Explained]) -> list[Explained]:
    """Order by the gravity of the effect, then by the name."""
    order = list(Effect)
    return sorted(rights, key=lambda each: (order.index(each.effect), each.tool))
