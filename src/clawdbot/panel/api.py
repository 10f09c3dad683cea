"""What the API under `/api/v1` offers, an operation a line; the panel's own forms send the same.

Who asks for something that is not theirs is told that there is no such thing: 404.
"""

from clawdbot.domain.people import Area
from clawdbot.gateway.control import Control
from clawdbot.gateway.conversations import Conversations
from clawdbot.gateway.operation import Operation
from clawdbot.gateway.search import Search
from clawdbot.ops.reading import Reader
from clawdbot.panel.additions import Additions
from clawdbot.panel.audit import Trail
from clawdbot.panel.channels import Channels
from clawdbot.panel.models import Models
from clawdbot.panel.overview import Overview
from clawdbot.tools.trust import Trust

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
    Operation("GET", "/models", Models.known, Area.MODELS),
    Operation("PUT", "/models/providers", Models.keep_provider, Area.MODELS),
    Operation("PUT", "/models/routes", Models.keep_route, Area.MODELS),
    Operation("PUT", "/models/budgets", Models.limit, Area.MODELS),
    Operation("POST", "/models/test", Models.test, Area.MODELS),
    Operation("DELETE", "/models/providers/{name}", Models.remove_provider, Area.MODELS),
    Operation("DELETE", "/models/routes/{name}", Models.remove_route, Area.MODELS),
    Operation("GET", "/models/usage", Models.used, Area.MODELS),
    Operation("GET", "/people", Control.people, Area.PEOPLE),
    Operation("GET", "/knocks", Control.knocking, Area.PEOPLE),
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
    Operation("GET", "/secrets", Control.secrets, Area.SETTINGS),
    Operation("PUT", "/secrets", Control.keep_secret, Area.SETTINGS),
)
