"""The panel's routes: who may ask for which page."""

from functools import partial

from clawdbot.domain.people import Area
from clawdbot.gateway.operation import PREFIX
from clawdbot.gateway.route import Handler, Permission, Route
from clawdbot.panel.approvals import Approvals
from clawdbot.panel.auditing import AuditPages
from clawdbot.panel.chat import Chat
from clawdbot.panel.entry import Entry
from clawdbot.panel.pages import fault, static
from clawdbot.panel.parts import Panel
from clawdbot.panel.people import People
from clawdbot.panel.places import Places
from clawdbot.panel.plugins import Plugins
from clawdbot.panel.shell import framed
from clawdbot.panel.support import Support

__all__ = ["Panel", "routes"]

_NAME = "{name:[A-Za-z0-9_.-]{1,64}}"
_ULID = "{id:[0-9A-Za-z]{26}}"
_USER = "{id:[0-9A-Za-z_-]{1,64}}"
_EVENT = "{event:[1-9][0-9]{0,14}}"


def routes(panel: Panel) -> tuple[Route, ...]:
    """Serve the pages."""
    entry, chat, approvals, people = Entry(panel), Chat(panel), Approvals(panel), People(panel)
    public: dict[tuple[str, str], Handler] = {
        ("GET", "/"): entry.home,
        ("GET", "/setup"): entry.setup_page,
        ("POST", "/setup"): entry.set_up,
        ("POST", "/setup/check"): entry.check,
        ("GET", "/join"): entry.join_page,
        ("POST", "/join"): entry.join,
        ("GET", "/login"): entry.login_page,
        ("POST", "/login"): entry.log_in,
        ("GET", "/static/{version}/{name}"): static,
    }
    pages: dict[tuple[str, str], Handler] = {
        ("GET", "/chat"): chat.begin,
        ("GET", f"/chat/{_NAME}"): chat.open,
        ("GET", "/approvals"): approvals.show,
        ("POST", f"/approvals/{_ULID}"): approvals.answer,
        ("POST", "/logout"): entry.log_out,
        ("GET", "/me"): people.me,
    }
    inner: dict[tuple[str, str], Handler] = {
        ("GET", f"/chat/{_NAME}/before/{_EVENT}"): chat.earlier,
        ("GET", f"/chat/{_NAME}/after/{_EVENT}"): chat.later,
        ("GET", f"/chat/{_NAME}/turn/{_ULID}"): chat.turn,
        ("GET", "/aside"): chat.aside,
        ("GET", "/socket"): chat.socket,
        ("GET", f"{PREFIX}/socket"): chat.socket,
    }
    return (
        *_table(Permission.PUBLIC, public),
        *_table(Permission.USER, pages, page=True),
        *_table(Permission.USER, inner),
        *_table(Permission.USER, {("POST", "/knocks"): chat.admit}, area=Area.PEOPLE),
        *_areas(panel, people),
        *_table(Permission.PUBLIC, {("GET", "/{rest:.*}"): entry.lost}),
    )


def _areas(panel: Panel, people: People) -> tuple[Route, ...]:
    """Serve what a role opens, area by area."""
    places, plugins, audit = Places(panel), Plugins(panel), AuditPages(panel)
    shown: dict[tuple[str, Area], Handler] = {
        ("/overview", Area.OVERVIEW): places.overview,
        ("/channels", Area.CHANNELS): places.channels,
        ("/people", Area.PEOPLE): people.listed,
        ("/people/roles", Area.PEOPLE): people.roles,
        (f"/people/{_USER}", Area.PEOPLE): people.one,
        ("/models", Area.MODELS): places.models,
        ("/plugins", Area.PLUGINS): plugins.show,
        (f"/plugins/{_NAME}", Area.PLUGINS): plugins.one,
        ("/audit", Area.AUDIT): audit.show,
        ("/audit/export", Area.AUDIT): audit.export,
        ("/logs", Area.LOGS): places.logs,
        ("/settings", Area.SETTINGS): places.settings,
        ("/settings/support", Area.SETTINGS): Support(panel).bundle,
        ("/components", Area.SETTINGS): partial(framed, panel, "components", values={}),
    }
    tables = (
        _table(Permission.USER, {("GET", path): show}, area=area, page=True)
        for (path, area), show in shown.items()
    )
    return tuple(route for table in tables for route in table)


def _table(
    permission: Permission,
    handlers: dict[tuple[str, str], Handler],
    *,
    area: Area | None = None,
    page: bool = False,
) -> tuple[Route, ...]:
    return tuple(
        Route(
            method=method,
            path=path,
            permission=permission,
            handler=handler,
            area=area,
            page=fault if page else None,
        )
        for (method, path), handler in handlers.items()
    )
