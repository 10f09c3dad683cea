"""What the pages work with."""

from msgspec import Struct

from clawdbot.domain.ports import Clock, Db
from clawdbot.gateway.control import Control
from clawdbot.gateway.conversations import Conversations
from clawdbot.gateway.logins import Logins
from clawdbot.gateway.setup import Setup
from clawdbot.gateway.ws import Sockets
from clawdbot.panel.offered import Offered
from clawdbot.panel.staff import Staff


class Panel(Struct, frozen=True, kw_only=True):
    """The parts; `secure`: browsers reach us by TLS; `proxies`: whose word on peers we take."""

    control: Control
    conversations: Conversations
    staff: Staff
    sockets: Sockets
    offered: Offered
    secure: bool = False
    proxies: tuple[str, ...] = ()

    @property
    def db(self) -> Db:
        """Give the database."""
        return self.control.db

    @property
    def clock(self) -> Clock:
        """Give the clock."""
        return self.control.clock

    @property
    def setup(self) -> Setup:
        """Give the set-up."""
        return self.control.setup

    @property
    def logins(self) -> Logins:
        """Give the log-ins."""
        return self.staff.logins


class Pages:
    """Pages that are made of the panel's parts."""

    def __init__(self, panel: Panel) -> None:
        """Serve with them."""
        self._with = panel
