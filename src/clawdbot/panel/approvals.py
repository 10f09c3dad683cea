"""The approvals page: what waits for a yes, and what became of the rest.

Everybody sees their own, an owner or admin all. An answer goes through the one `accept`, a press.
"""

from aiohttp import web

from clawdbot.domain.inbound import Outcome
from clawdbot.domain.ports import Tx
from clawdbot.domain.text import say
from clawdbot.gateway import approvals
from clawdbot.gateway.approvals import Question, press
from clawdbot.gateway.body import form
from clawdbot.gateway.conversations import CHANNEL
from clawdbot.gateway.route import Caller
from clawdbot.panel.pages import page, to
from clawdbot.panel.parts import Pages
from clawdbot.panel.shell import framed
from clawdbot.store import rights

_PAST_MOST = 50


class Approvals(Pages):
    """The page of questions and its answers."""

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """Show what waits and what was decided."""
        return await self._page(request, caller)

    async def answer(self, request: web.Request, caller: Caller) -> web.Response:
        """Take an answer; to whoever may not see the question there is none."""
        user, id_ = caller.who, request.match_info["id"]
        given = await form(request)
        token = given.get("token", "")
        found = await self._with.db.read(lambda tx: rights.approval(tx, id_))
        theirs = found is not None and (user.runs_the_place or found.user_id == user.id)
        if not theirs or token[1:27] != id_:
            return page("lost", request, caller, status=404)
        pressed = press(CHANNEL, user, token, self._with.clock.ulid())
        receipt = await self._with.sockets.inbox.accept(pressed)
        if receipt.outcome is Outcome.CONTROL and receipt.reason.startswith("approval"):
            return to("/approvals")
        fault = receipt.notice or say(user.language, "You may not answer this.")
        return await self._page(request, caller, fault)

    async def _page(self, request: web.Request, caller: Caller, fault: str = "") -> web.Response:
        user, epoch = caller.who, self._with.sockets.epoch

        def look(tx: Tx) -> tuple[list[Question], list[Question]]:
            open_ = approvals.waiting(tx, user, epoch)
            return open_, approvals.past(tx, user, _PAST_MOST)

        waiting, past = await self._with.db.read(look)
        values = {"waiting": waiting, "past": past, "fault": fault}
        status = 409 if fault else 200
        return await framed(self._with, "approvals", request, caller, values, status=status)
