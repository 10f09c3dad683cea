"""What the one HTTP server serves: a route names its permission, or it does not exist."""

from collections.abc import Awaitable, Callable
from enum import StrEnum

from aiohttp import web
from msgspec import Struct

from clawdbot.domain.people import Area, User


class Permission(StrEnum):
    """Who may ask.

    `public`: anybody. `signed`: the route verifies the delivery itself. `user`: whoever is logged
    in, where the route names an area only those whose role opens it. `local`: only through the Unix
    socket, as the owner.
    """

    PUBLIC = "public"
    SIGNED = "signed"
    USER = "user"
    LOCAL = "local"


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks: the user (None for anybody), the areas that are open to them as they are now.

    `login` names the log-in, `csrf` is what a form must repeat against forgery. `token` is a
    program's; `short` lacks the second factor that its role must have, and may only set it up.
    """

    user: User | None = None
    areas: frozenset[Area] = frozenset()
    login: str = ""
    csrf: str = ""
    local: bool = False
    token: bool = False
    short: bool = False

    @property
    def who(self) -> User:
        """Give who is logged in; answers 401 where nobody is."""
        if self.user is None:
            raise web.HTTPUnauthorized
        return self.user


# The owner at this machine, who speaks through the command line.
OWNER = Caller(local=True)

Handler = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Caller, int, str], web.Response]


class Route(Struct, frozen=True, kw_only=True):
    """One method and path with its permission.

    To a page a stranger comes by way of the log-in; `page` tells people of a failure (its HTTP
    status, its words) as a page does.
    """

    method: str
    path: str
    permission: Permission
    handler: Handler
    area: Area | None = None
    page: Fault | None = None
