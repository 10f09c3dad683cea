"""The parts that look after people and groups, on one book."""

from clawdbot.gateway.logins import Logins
from clawdbot.panel.clients import Clients
from clawdbot.panel.erasing import Erasing
from clawdbot.panel.groups import Groups
from clawdbot.panel.invitations import Invitations
from clawdbot.panel.own import Own
from clawdbot.panel.register import Register
from clawdbot.panel.roles import Roles
from clawdbot.panel.second import Second
from clawdbot.panel.users import Users
from clawdbot.store.vault import Vault


class Staff:
    """What may be asked about people."""

    def __init__(self, register: Register, logins: Logins, vault: Vault, erasing: Erasing) -> None:
        """Put the parts together."""
        self.register, self.logins, self.erasing = register, logins, erasing
        self.users, self.roles, self.groups = Users(register), Roles(register), Groups(register)
        self.invitations = Invitations(register, logins)
        self.own = Own(register, logins)
        self.clients = Clients(register, logins)
        self.second = Second(register, logins, vault)

    @property
    def parts(self) -> tuple[object, ...]:
        """List what a command or a program may ask."""
        return (
            *(self.users, self.erasing, self.roles, self.invitations),
            *(self.own, self.clients, self.second, self.groups),
        )
