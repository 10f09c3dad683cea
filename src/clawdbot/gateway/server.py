"""The one HTTP server: loopback or behind a proxy, and the home folder's Unix socket.

Serves the routes that it is handed, each under its permission. Every answer carries the same strict
headers; no error shows a stack trace.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from clawdbot.domain.bus import Bus
from clawdbot.domain.errors import (
    BadInput,
    Denied,
    Failure,
    Forged,
    Missing,
    Retry,
    SettingsInvalid,
    StoreFailed,
    TooLarge,
)
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Gateway
from clawdbot.domain.text import language_of
from clawdbot.gateway.body import API, LANGUAGE, form, problem
from clawdbot.gateway.logins import CHAT, Login, Logins, TooManyTries
from clawdbot.gateway.route import Caller, Permission, Route
from clawdbot.net.peer import same_user

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; media-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Server": "clawdbot",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_STATUS: tuple[tuple[type[Failure], int], ...] = (
    (Forged, 401),
    (TooManyTries, 429),
    (Denied, 403),
    (TooLarge, 413),
    (Missing, 404),
    (BadInput, 400),
    (SettingsInvalid, 400),
    (StoreFailed, 503),
    (Retry, 503),
)
# What is open to whoever has yet to set up the second factor that their role needs.
_FIRST = re.compile(r"(/me|/logout|/api/v1/me(/totp.*)?)$")
_SHORT = "Your role needs a second factor. Set it up in your profile first."
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
# For a request's headers too, however slowly they drip; a proxy in front keeps its idle ones less.
_IDLE_S = 15.0
_SHUTDOWN_S = 3.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Serves routes; `opened` is its life."""

    def __init__(self, settings: Gateway, logins: Logins, bus: Bus) -> None:
        self._settings = settings
        self._logins = logins
        self._bus = bus
        self._log = structlog.get_logger("http")

    @asynccontextmanager
    async def opened(self, routes: Iterable[Route], socket: Path) -> AsyncIterator[int]:
        """Listen on the settings' address and on a Unix socket; give the port that was taken.

        Raises Failure where the address is in use.
        """
        table = tuple(routes)
        public = [route for route in table if route.permission is not Permission.LOCAL]
        local = [route for route in table if route.permission is Permission.LOCAL]
        async with (
            self._runner(public, local=False) as outer,
            self._runner(local, local=True) as inner,
        ):
            port = await self._listen(outer)
            _remove(socket)
            await web.UnixSite(inner, str(socket)).start()
            _close_to_others(socket)
            try:
                yield port
            finally:
                _remove(socket)

    async def _listen(self, runner: web.AppRunner) -> int:
        host, port = self._settings.host, self._settings.port
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            message = f"{host}:{port}: This port is in use. Choose another with --port."
            raise Failure(message) from error
        return int(runner.addresses[0][1])

    @asynccontextmanager
    async def _runner(self, routes: list[Route], *, local: bool) -> AsyncIterator[web.AppRunner]:
        app = web.Application(
            client_max_size=self._settings.body_max_bytes, middlewares=[self._guard(local=local)]
        )
        for route in routes:
            app.router.add_route(route.method, route.path, self._handler(route))
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=_IDLE_S,
            shutdown_timeout=_SHUTDOWN_S,
        )
        await runner.setup()
        try:
            yield runner
        finally:
            await runner.cleanup()

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            caller = await self._caller(route, request)
            if caller is None:
                if route.page is not None:
                    raise web.HTTPSeeOther("/login")
                raise web.HTTPUnauthorized
            wanted = language_of(request.headers.get("Accept-Language", ""))
            request[LANGUAGE] = caller.user.language if caller.user is not None else wanted
            try:
                open_ = route.permission is Permission.PUBLIC or _FIRST.match(request.path)
                if caller.short and not open_:
                    if route.page is not None:
                        raise web.HTTPSeeOther("/me")
                    raise Denied(_SHORT)
                if route.area is not None and route.area not in caller.areas:
                    raise Denied
                await self._check_origin(route, request, caller)
                return await route.handler(request, caller)
            except Failure as error:
                if route.page is None:
                    raise
                return route.page(request, caller, _status(error), error.told(request[LANGUAGE])[0])

        return handle

    async def _caller(self, route: Route, request: web.Request) -> Caller | None:
        """Tell who asks; None where the route needs a log-in and there is none."""
        if route.permission is Permission.LOCAL:
            return Caller(local=True) if _same_user(request) else None
        peer = peer_of(request, self._settings.trusted_proxies)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if request.path.startswith(API) and scheme.lower() == "bearer":
            return _bearing(route, request, await self._logins.find(given.strip(), peer, "token"))
        login = await self._logins.find(request.cookies.get(self._logins.cookie, ""), peer)
        if login is not None:
            return Caller(
                user=login.user,
                areas=login.areas,
                login=login.hash,
                csrf=login.csrf,
                short=login.short,
            )
        anybody = route.permission in {Permission.PUBLIC, Permission.SIGNED}
        return Caller() if anybody else None

    async def _check_origin(self, route: Route, request: web.Request, caller: Caller) -> None:
        """Refuse what another site made a browser send: changes and WebSockets."""
        if route.permission in {Permission.SIGNED, Permission.LOCAL} or caller.token:
            return  # no browser sends these by itself
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if request.method in _SAFE and not upgrade:
            return
        origin = request.headers.get("Origin", "")
        if origin not in {f"http://{request.host}", f"https://{request.host}"}:
            raise web.HTTPForbidden(text="cross-origin")
        # A public form acts for nobody: whoever has a stale page may still log in by it.
        if not upgrade and caller.csrf and route.permission is not Permission.PUBLIC:
            given = request.headers.get("X-CSRF-Token") or (await form(request)).get("csrf", "")
            if Secret(given) != Secret(caller.csrf):
                raise web.HTTPForbidden(text="csrf")

    def _guard(self, *, local: bool) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not local and not self._known_host(request):
                return web.Response(status=421, text="unknown host")
            try:
                response = await handler(request)
            except web.HTTPException as error:
                error.headers.update(_HEADERS)
                if not request.path.startswith(API):
                    raise
                response = problem(request, error.status, error.reason, error.text or "")
            except Failure as error:
                response = _failed(request, error, local=local)
            except ConnectionResetError:  # who asked left before they were answered: no fault
                self._log.info("client cut", method=request.method, path=request.path)
                response = web.Response(status=400)
            except Exception:  # noqa: BLE001 - bulkhead: one request's fault is not the others'
                self._log.exception("request failed", method=request.method, path=request.path)
                self._bus.tell("requests_failed")
                response = web.Response(status=500, text="Something went wrong. See the log.")
            if not response.prepared:
                # A file that somebody sent is under a stricter policy of its own.
                for name, value in _HEADERS.items():
                    response.headers.setdefault(name, value)
                response.headers.setdefault("Cache-Control", "no-store")
            return response

        return guard

    def _known_host(self, request: web.Request) -> bool:
        name = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
        public = urlsplit(self._settings.public_url).hostname
        return name in _LOCAL_NAMES | {self._settings.host} or (bool(public) and name == public)


def peer_of(request: web.Request, trusted: tuple[str, ...]) -> str:
    """Tell the client's address, as a trusted proxy forwards it or as the connection has it."""
    remote = request.remote or ""
    forwarded = request.headers.get("X-Forwarded-For", "")
    return forwarded.rsplit(",", 1)[-1].strip() if forwarded and remote in trusted else remote


def _bearing(route: Route, request: web.Request, login: Login | None) -> Caller | None:
    """Tell who asks with a token; raises Denied for what its scopes do not open."""
    if login is None:
        return None
    within = route.area is not None or CHAT in login.scopes
    if not within or (login.read_only and request.method not in _SAFE):
        raise Denied
    return Caller(user=login.user, areas=login.areas, login=login.hash, token=True)


def check_binding(settings: Gateway) -> None:
    """Refuse an address that others reach without TLS in front of it; raises SettingsInvalid."""
    if settings.host not in _LOOPBACK and not settings.trusted_proxies:
        raise SettingsInvalid(
            "gateway.host is not this machine's loopback: put a TLS proxy in front and name it in "
            "gateway.trusted_proxies."
        )


def _remove(socket: Path) -> None:
    socket.unlink(missing_ok=True)


def _close_to_others(socket: Path) -> None:
    socket.chmod(0o600)


def _same_user(request: web.Request) -> bool:
    transport = request.transport
    peer = transport.get_extra_info("socket") if transport is not None else None
    return peer is not None and same_user(peer)


def _failed(request: web.Request, error: Failure, *, local: bool) -> web.Response:
    """Tell a failure; our own command line raises it again by its name."""
    kind, (words, faults) = type(error).__name__, error.told(request.get(LANGUAGE, "en"))
    if request.path.startswith(API):
        return problem(request, _status(error), kind, words, faults)
    named = {"X-Failure": kind} if local else {}
    return web.Response(status=_status(error), text=words, headers=named)


def _status(error: Failure) -> int:
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
