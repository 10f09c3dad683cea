"""What the one HTTP server serves: a route names its permission, or it does not exist."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from clawdbot.domain.people import User


class Permission(StrEnum):
    """Who may ask.

    `public`: anybody. `signed`: the route verifies the delivery itself. `user`, `owner`: a log-in
    of that level. `local`: only through the Unix socket, as the owner.
    """

    PUBLIC = "public"
    SIGNED = "signed"
    USER = "user"
    OWNER = "owner"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the user (None for anybody), and what a form must repeat against forgery."""

    user: User | None = None
    login: str = ""
    csrf: str = ""
    local: bool = False


Handler = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method and path with its permission; a `page` shows a log-in form to a stranger."""

    method: str
    path: str
    permission: Permission
    handler: Handler
    page: bool = False
