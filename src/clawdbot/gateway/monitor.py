"""The pages that a monitor reads: `/healthz`, `/readyz`, `/metrics`."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from clawdbot.gateway.route import Caller, Permission, Route

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
