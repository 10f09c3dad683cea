"""The ways in: the one-time set-up, logging in and out.

A wrong name and a wrong password look alike. A session begins with a fresh token, which only the
browser keeps.
"""

from contextlib import suppress
from zoneinfo import available_timezones

import msgspec
from aiohttp import web

from clawdbot.domain.errors import Denied, Failure
from clawdbot.domain.text import say
from clawdbot.gateway.body import form, json, read
from clawdbot.gateway.logins import PASSWORD_MIN, CodeNeeded, TooManyTries
from clawdbot.gateway.route import Caller
from clawdbot.gateway.server import peer_of
from clawdbot.gateway.setup import Answers, Finding
from clawdbot.panel.invitations import Join
from clawdbot.panel.pages import language_for, page, to
from clawdbot.panel.parts import Pages


class Submitted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the set-up page sends: its link's code, the answers so far, what to check."""

    code: str
    answers: Answers
    check: str = ""


class Entry(Pages):
    """Pages for whoever is not logged in, and the way out."""

    async def home(self, _: web.Request, caller: Caller) -> web.Response:
        """Send everybody where they belong."""
        if caller.user is not None:
            return to("/chat")
        return to("/setup" if await self._with.setup.needed() else "/login")

    async def setup_page(self, request: web.Request, caller: Caller) -> web.Response:
        """Show the set-up, or what to do where there is none to make."""
        needed = await self._with.setup.needed()
        values = {"needed": needed, "zones": zones(), "least": PASSWORD_MIN}
        return page("setup", request, caller, values)

    async def set_up(self, request: web.Request, _: Caller) -> web.Response:
        """Keep the answers of a set-up, and log the owner in."""
        language = language_for(request, Caller())
        try:
            submitted = await self._submitted(request)
            owner = await self._with.setup.apply(submitted.answers, submitted.code)
        except Failure as error:
            return _refused(error, language)
        response = json(Finding(good=True, text=""))
        peer = peer_of(request, self._with.proxies)
        agent = request.headers.get("User-Agent", "")
        self._let_in(response, await self._with.logins.begin(owner, peer, agent))
        return response

    async def check(self, request: web.Request, _: Caller) -> web.Response:
        """Try an endpoint or a token that the set-up page asks about."""
        outside = self._with.setup.outside
        try:
            submitted = await self._submitted(request)
            live = outside.check_telegram if submitted.check == "telegram" else outside.check_model
            return json(await live(submitted.answers))
        except Failure as error:
            return _refused(error, language_for(request, Caller()))

    async def join_page(self, request: web.Request, caller: Caller) -> web.Response:
        """Ask whoever was invited who they are."""
        return page("join", request, caller, {"zones": zones(), "least": PASSWORD_MIN})

    async def join(self, request: web.Request, _: Caller) -> web.Response:
        """Use an invitation up, and log its user in; one with a second factor logs in by it."""
        try:
            answers = await read(request, Join)
            user = await self._with.staff.invitations.join(answers)
        except Failure as error:
            return _refused(error, language_for(request, Caller()))
        response, peer = json(Finding(good=True, text="")), peer_of(request, self._with.proxies)
        agent = request.headers.get("User-Agent", "")
        with suppress(Denied, TooManyTries):
            token = await self._with.logins.enter(user.name, answers.password, peer, agent=agent)
            self._let_in(response, token)
        return response

    async def login_page(self, request: web.Request, caller: Caller) -> web.Response:
        """Ask for name and password."""
        if caller.user is not None or await self._with.setup.needed():
            return await self.home(request, caller)
        return page("login", request, caller, {"fault": "", "name": "", "needed": False})

    async def log_in(self, request: web.Request, caller: Caller) -> web.Response:
        """Begin a session; whichever the browser had ends."""
        given = await form(request)
        name, password = given.get("name", "").strip(), given.get("password", "")
        proof = {"code": given.get("code", ""), "agent": request.headers.get("User-Agent", "")}
        peer = peer_of(request, self._with.proxies)
        try:
            token = await self._with.logins.enter(name, password, peer, **proof)
        except (TooManyTries, Denied) as error:
            needed = isinstance(error, CodeNeeded) or bool(proof["code"])
            fault = say(language_for(request, Caller()), str(error))
            values = {"fault": fault, "name": name, "needed": needed}
            status = 429 if isinstance(error, TooManyTries) else 401
            return page("login", request, Caller(), values, status=status)
        await self._end(caller)
        response = to("/chat")
        self._let_in(response, token)
        return response

    async def log_out(self, _: web.Request, caller: Caller) -> web.Response:
        """End the session, here and on its open sockets."""
        await self._end(caller)
        response = to("/login")
        response.del_cookie(self._with.logins.cookie)
        return response

    async def lost(self, request: web.Request, caller: Caller) -> web.Response:
        """Say that there is no such page."""
        return page("lost", request, caller, status=404)

    async def _submitted(self, request: web.Request) -> Submitted:
        submitted = await read(request, Submitted)
        if not await self._with.setup.admits(submitted.code):
            raise Denied("This set-up link was used or is too old. Restart for a new one.")
        return submitted

    async def _end(self, caller: Caller) -> None:
        if caller.login:
            await self._with.logins.end(caller.login)
            await self._with.sockets.openings.cut(logins={caller.login})

    def _let_in(self, response: web.Response, token: str) -> None:
        response.set_cookie(
            self._with.logins.cookie,
            token,
            max_age=int(self._with.logins.policy.length_s),
            httponly=True,
            samesite="Strict",
            secure=self._with.secure,
        )


def zones() -> list[str]:
    """List the time zones that people choose from."""
    return sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


def _refused(error: Failure, language: str) -> web.Response:
    response = json(Finding(good=False, text=say(language, str(error))))
    response.set_status(403 if isinstance(error, Denied) else 400)
    return response
