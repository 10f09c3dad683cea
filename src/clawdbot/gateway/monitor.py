"""The pages that a monitor reads: `/healthz`, `/readyz`, `/metrics`."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from clawdbot.gateway.control import Status
from clawdbot.gateway.route import Caller, Permission, Route
from clawdbot.store.turns import TurnState

# Prometheus' text format, version 0.0.4.
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def routes(
    exposed: Callable[[], Awaitable[bytes]], unready: Callable[[], str]
) -> tuple[Route, ...]:
    """Serve them; `unready` names the reason why nothing is accepted, if there is one."""

    async def healthz(_: web.Request, __: Caller) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request, __: Caller) -> web.Response:
        reason = unready()
        return web.Response(status=503 if reason else 200, text=f"{reason or 'ready'}\n")

    async def metrics(_: web.Request, __: Caller) -> web.Response:
        return web.Response(body=await exposed(), headers={"Content-Type": _METRICS_TYPE})

    table = (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics))
    return tuple(
        Route(method="GET", path=path, permission=Permission.PUBLIC, handler=handler)
        for path, handler in table
    )


def levels(status: Status) -> dict[str, float]:
    """Give what a status says as the levels of `/metrics`."""
    return {
        "outbox_depth": status.outbox,
        "outbox_oldest_seconds": status.oldest_row_s,
        "sandbox_mechanisms": sum(each.usable for each in status.sandbox),
        "turns_waiting": sum(n for s, n in status.turns.items() if s != TurnState.DEAD),
        "turns_oldest_seconds": status.oldest_turn_s,
        "approvals_waiting": status.approvals,
        "approvals_oldest_seconds": status.oldest_approval_s,
    }
