"""The parts that look after people and groups, on one book."""

from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Staff:
    """What may be asked about people."""

    register: Register
    logins: Logins
    vault: Vault
    erasing: Erasing
    users: Users = field(init=False)
    roles: Roles = field(init=False)
    invitations: Invitations = field(init=False)
    own: Own = field(init=False)
    clients: Clients = field(init=False)
    second: Second = field(init=False)
    groups: Groups = field(init=False)

    def __post_init__(self) -> None:
        """Put the parts together."""
        self.users, self.roles = Users(self.register), Roles(self.register)
        self.invitations = Invitations(self.register, self.logins)
        self.own = Own(self.register, self.logins)
        self.clients = Clients(self.register, self.logins)
        self.second = Second(self.register, self.logins, self.vault)
        self.groups = Groups(self.register)

    @property
    def parts(self) -> tuple[object, ...]:
        """List what a command or a program may ask."""
        return (
            *(self.users, self.erasing, self.roles, self.invitations),
            *(self.own, self.clients, self.second, self.groups),
        )
