"""What the pages work with."""

from dataclasses import dataclass

from clawdbot.domain.ports import Clock, Db
from clawdbot.gateway.control import Control
from clawdbot.gateway.conversations import Conversations
from clawdbot.gateway.logins import Logins
from clawdbot.gateway.setup import Setup
from clawdbot.gateway.ws import Sockets
from clawdbot.panel.offered import Offered


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The parts; `secure`: browsers reach us by TLS; `proxies`: whose word on peers we take."""

    db: Db
    clock: Clock
    logins: Logins
    setup: Setup
    control: Control
    conversations: Conversations
    sockets: Sockets
    offered: Offered
    secure: bool = False
    proxies: tuple[str, ...] = ()
