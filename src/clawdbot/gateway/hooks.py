"""Webhooks: `/hooks/<kind>/<account>`, the only path that the world must reach.

Verified over the raw bytes before anything is parsed, answered only after the commit.
"""

from typing import Protocol, TypeGuard

from aiohttp import web

from clawdbot.domain.http import HttpReply, HttpRequest
from clawdbot.domain.inbound import Address, Inbound, Receipt
from clawdbot.domain.ports import Inbox
from clawdbot.gateway.body import body
from clawdbot.gateway.route import Caller, Permission, Route
from clawdbot.gateway.supervisor import Supervisor


class Hooked(Protocol):
    """A channel that receives by webhook; all three are pure."""

    def verify(self, request: HttpRequest) -> None:
        """Check the signature; raises Forged."""

    def decode(self, request: HttpRequest) -> Inbound:
        """Translate a verified request; raises Retry while the channel is not ready."""

    def reply(self, inbound: Inbound, receipt: Receipt) -> HttpReply:
        """Answer after the commit."""


def routes(supervisor: Supervisor, inbox: Inbox) -> tuple[Route, ...]:
    """Serve every channel's webhook."""

    async def hook(request: web.Request, _: Caller) -> web.Response:
        kind, account = request.match_info["kind"], request.match_info["account"]
        channel = supervisor.find(Address(channel=kind, account=account, chat=""))
        if not is_hooked(channel):
            raise web.HTTPNotFound
        asked = HttpRequest(
            method=request.method,
            path=request.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            query=dict(request.query),
            body=await body(request),
        )
        channel.verify(asked)
        inbound = channel.decode(asked)
        reply = channel.reply(inbound, await inbox.accept(inbound))
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    path = "/hooks/{kind}/{account}"
    return (Route(method="POST", path=path, permission=Permission.SIGNED, handler=hook),)


def is_hooked(channel: object) -> TypeGuard[Hooked]:
    """Tell by its shape whether a channel receives by webhook."""
    return hasattr(channel, "verify") and hasattr(channel, "decode")
