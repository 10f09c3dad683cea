"""What the API under `/api/v1` offers, an operation a line; the panel's own forms send the same.

Who asks for something that is not theirs is told that there is no such thing: 404.
"""

from clawdbot.domain.people import Area
from clawdbot.gateway.control import Control
from clawdbot.gateway.conversations import Conversations
from clawdbot.gateway.operation import Call, Operation
from clawdbot.gateway.search import Search
from clawdbot.ops.reading import Reader
from clawdbot.panel.additions import Additions
from clawdbot.panel.audit import Trail
from clawdbot.panel.channels import Channels
from clawdbot.panel.clients import Clients
from clawdbot.panel.erasing import Erasing
from clawdbot.panel.groups import Groups
from clawdbot.panel.invitations import Invitations
from clawdbot.panel.models import Models
from clawdbot.panel.overview import Overview
from clawdbot.panel.own import Own
from clawdbot.panel.roles import Roles
from clawdbot.panel.second import Second
from clawdbot.panel.settings import Settings
from clawdbot.panel.users import Users
from clawdbot.tools.plugins import Plugins
from clawdbot.tools.servers import Servers
from clawdbot.tools.skills import Skills
from clawdbot.tools.trust import Trust

_PEOPLE: tuple[tuple[str, str, Call], ...] = (
    ("GET", "/people", Users.listed),
    ("GET", "/people/{id}", Users.shown),
    ("PATCH", "/people/{id}", Users.alter),
    ("DELETE", "/people/{id}", Erasing.remove),
    ("GET", "/people/{id}/erasure", Erasing.foretold),
    ("GET", "/erasures", Erasing.listed),
    ("DELETE", "/people/{id}/accounts/{platform}/{external}", Users.unlink),
    ("DELETE", "/people/{id}/totp", Second.reset),
    ("GET", "/people/{id}/rights", Roles.rights_of),
    ("GET", "/people/{id}/clients", Clients.of),
    ("DELETE", "/people/{id}/clients", Clients.end_all),
    ("DELETE", "/people/{id}/clients/{client}", Clients.end_of),
    ("GET", "/knocks", Users.knocking),
    ("POST", "/knocks/{id}", Users.admit),
    ("DELETE", "/knocks/{id}", Users.refuse),
    ("GET", "/roles", Roles.listed),
    ("PUT", "/roles/{name}", Roles.put),
    ("DELETE", "/roles/{name}", Roles.remove),
    ("GET", "/roles/{name}/rights", Roles.rights),
    ("GET", "/invitations", Invitations.listed),
    ("POST", "/invitations", Invitations.make),
    ("DELETE", "/invitations/{id}", Invitations.revoke),
    ("GET", "/lockouts", Clients.locked),
    ("DELETE", "/lockouts/{key}", Clients.lift),
)
_OWN: tuple[tuple[str, str, Call], ...] = (
    ("GET", "", Own.me),
    ("PATCH", "", Own.profile),
    ("GET", "/rights", Roles.mine),
    ("POST", "/password", Own.password),
    ("POST", "/totp", Second.begin),
    ("POST", "/totp/confirm", Second.confirm),
    ("POST", "/totp/remove", Second.drop),
    ("POST", "/links", Own.link_code),
    ("POST", "/accounts", Own.claim),
    ("DELETE", "/accounts/{platform}/{external}", Own.unlink),
    ("GET", "/clients", Clients.mine),
    ("DELETE", "/clients", Clients.end_others),
    ("DELETE", "/clients/{client}", Clients.end),
    ("POST", "/tokens", Clients.make_token),
)

OPERATIONS = (
    Operation("GET", "/status", Control.status, Area.OVERVIEW),
    Operation("GET", "/overview", Overview.condition, Area.OVERVIEW),
    Operation("GET", "/channels", Channels.listed, Area.CHANNELS),
    Operation("POST", "/channels", Channels.add, Area.CHANNELS),
    Operation("PUT", "/channels", Channels.change, Area.CHANNELS),
    Operation("GET", "/channels/kinds", Channels.kinds, Area.CHANNELS),
    Operation("POST", "/channels/test", Channels.test, Area.CHANNELS),
    Operation("GET", "/channels/{kind}/{account}/webhook", Channels.webhook, Area.CHANNELS),
    Operation("POST", "/channels/{kind}/{account}/pause", Channels.pause, Area.CHANNELS),
    Operation("POST", "/channels/{kind}/{account}/resume", Channels.resume, Area.CHANNELS),
    Operation("DELETE", "/channels/{kind}/{account}", Channels.remove, Area.CHANNELS),
    Operation("GET", "/groups", Groups.listed, Area.CHANNELS),
    Operation("GET", "/groups/{id}", Groups.shown, Area.CHANNELS),
    Operation("PATCH", "/groups/{id}", Groups.alter, Area.CHANNELS),
    Operation("DELETE", "/groups/{id}", Groups.forget, Area.CHANNELS),
    Operation("GET", "/models", Models.known, Area.MODELS),
    Operation("PUT", "/models/providers", Models.keep_provider, Area.MODELS),
    Operation("PUT", "/models/routes", Models.keep_route, Area.MODELS),
    Operation("PUT", "/models/budgets", Models.limit, Area.MODELS),
    Operation("POST", "/models/test", Models.test, Area.MODELS),
    Operation("DELETE", "/models/providers/{name}", Models.remove_provider, Area.MODELS),
    Operation("DELETE", "/models/routes/{name}", Models.remove_route, Area.MODELS),
    Operation("GET", "/models/usage", Models.used, Area.MODELS),
    Operation("GET", "/plugins", Trust.listed, Area.PLUGINS),
    Operation("GET", "/additions", Additions.listed, Area.PLUGINS),
    Operation("GET", "/additions/{sort}/{name}", Additions.shown, Area.PLUGINS),
    Operation("PUT", "/additions/{sort}/{name}", Additions.trust, Area.PLUGINS),
    Operation("DELETE", "/additions/{sort}/{name}", Additions.distrust, Area.PLUGINS),
    Operation("POST", "/plugins/{name}/run", Additions.run, Area.PLUGINS),
    Operation("GET", "/standings", Additions.allowed, Area.PLUGINS),
    Operation("DELETE", "/standings/{id}", Additions.take_back, Area.PLUGINS),
    Operation("GET", "/plugins/{name}/logs", Reader.of_plugin, Area.PLUGINS),
    Operation("GET", "/audit", Control.trail, Area.AUDIT),
    Operation("GET", "/audit/verdict", Trail.verify, Area.AUDIT),
    Operation("GET", "/audit/{chain}/{place}", Trail.opened, Area.AUDIT),
    Operation("GET", "/logs", Reader.lines, Area.LOGS),
    Operation("GET", "/search", Search.look),
    Operation("GET", "/conversations", Conversations.listed),
    Operation("PATCH", "/conversations/{name}", Conversations.change),
    Operation("DELETE", "/conversations/{name}", Conversations.delete),
    Operation("GET", "/settings", Settings.listed, Area.SETTINGS),
    Operation("PUT", "/settings", Settings.change, Area.SETTINGS),
    Operation("POST", "/settings", Settings.add, Area.SETTINGS),
    Operation("DELETE", "/settings/{section}/{name}", Settings.remove, Area.SETTINGS),
    Operation("GET", "/secrets", Control.secrets, Area.SETTINGS),
    Operation("PUT", "/secrets", Settings.keep_secret, Area.SETTINGS),
    Operation("POST", "/secrets/rotate", Settings.rotate_secret, Area.SETTINGS),
    Operation("POST", "/secrets/forget", Settings.forget_secret, Area.SETTINGS),
    *(Operation(method, path, call, Area.PEOPLE) for method, path, call in _PEOPLE),
    *(Operation(method, f"/me{path}", call) for method, path, call in _OWN),
)

# What the command line may ask of a service, through its Unix socket.
CALLS: tuple[Call, ...] = (
    Control.status,
    Control.approvals,
    Control.answer,
    Control.adopt,
    Control.set_up,
    Control.check_model,
    Control.check_telegram,
    Control.stop,
    Control.restart,
    Control.secrets,
    Control.keep_secret,
    Control.rotate_secret,
    Control.forget_secret,
    Control.trail,
    *(Control.verify, Control.erase),
    *(Plugins.run, Plugins.offered),
    Trust.listed,
    Trust.shown,
    Trust.trust,
    Trust.install,
    Trust.remove,
    Trust.test,
    Trust.allow,
    Trust.allowed,
    Trust.revoke,
    *(Skills.listed, Skills.shown, Skills.trust, Skills.remove),
    *(Servers.listed, Servers.shown, Servers.trust),
    *(Users.listed, Users.alter, Users.knocking, Users.admit, Users.refuse),
    *(Roles.listed, Roles.rights, Roles.rights_of, Roles.put, Roles.remove),
    *(Invitations.listed, Invitations.make, Invitations.revoke),
    *(Clients.mine, Clients.of, Clients.end, Clients.end_of, Clients.end_others, Clients.end_all),
    *(Settings.listed, Settings.change),
    *(Channels.pause, Channels.resume, Channels.remove),
    *(Clients.make_token, Clients.locked, Clients.lift, Second.reset),
    *(Erasing.foretold, Erasing.remove, Erasing.carry_on),
    *(Groups.listed, Groups.shown, Groups.alter, Groups.forget),
)
