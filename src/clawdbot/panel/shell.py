"""The frame around the pages: the places that are open to whoever asks, and what waits there."""

from collections.abc import Mapping
from functools import partial

from aiohttp import web
from markupsafe import Markup
from msgspec import Struct

from clawdbot.domain.people import Area
from clawdbot.domain.text import told
from clawdbot.gateway.route import Caller
from clawdbot.panel.pages import html, moments, page
from clawdbot.panel.parts import Panel
from clawdbot.store import people, rights


class Place(Struct, frozen=True):
    """A page that the panel lists: its name in English, its icon, the area that opens it."""

    path: str
    name: str
    icon: str
    area: Area | None = None


PLACES = (
    Place("/chat", "Chat", "chat"),
    Place("/approvals", "Approvals", "approvals"),
    Place("/overview", "Overview", "overview", Area.OVERVIEW),
    Place("/channels", "Channels", "channels", Area.CHANNELS),
    Place("/people", "People", "people", Area.PEOPLE),
    Place("/models", "Models", "models", Area.MODELS),
    Place("/plugins", "Plugins and tools", "plugins", Area.PLUGINS),
    Place("/audit", "Audit", "audit", Area.AUDIT),
    Place("/logs", "Logs", "logs", Area.LOGS),
    Place("/settings", "Settings", "settings", Area.SETTINGS),
)


async def framed(
    panel: Panel,
    template: str,
    request: web.Request,
    caller: Caller,
    values: Mapping[str, object],
    *,
    status: int = 200,
) -> web.Response:
    """Fill in a page: `me` asks, `moment` tells times, `markup` shows Markdown."""
    now, user = panel.clock.now(), caller.who
    here = request.path
    frame = {
        "me": user,
        "here": here,
        "places": await places(panel, caller, here),
        "moment": moments(user, now),
        "told": partial(told, user.language),
        "markup": lambda text: Markup(html(text)),  # noqa: S704 - html makes it safe
    }
    return page(template, request, caller, frame | dict(values), status=status)


async def places(panel: Panel, caller: Caller, here: str) -> list[dict[str, object]]:
    """List the places that are open to the caller, with what waits there."""
    now, user = panel.clock.now(), caller.who
    whose = "" if user.runs_the_place else user.id
    waiting, knocks = await panel.db.read(
        lambda tx: (
            rights.depth(tx, panel.sockets.epoch, whose)[0],
            len(people.open_pairings(tx, now)) if Area.PEOPLE in caller.areas else 0,
        )
    )
    counts = {"approvals": waiting, "people": knocks}
    return [
        {
            "path": place.path,
            "name": place.name,
            "icon": place.icon,
            "count": counts.get(place.icon, 0),
            "here": here == place.path or here.startswith(place.path + "/"),
        }
        for place in PLACES
        if place.area is None or place.area in caller.areas
    ]
