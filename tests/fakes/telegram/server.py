"""The Telegram stand-in itself: HTTP in, the world changed, HTTP out."""

import asyncio
import contextlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Self

import msgspec
from aiohttp import hdrs, web

from tests.fakes.control import ClearFaults, LookLog, Release, SetFault
from tests.fakes.faults import Fault, Json, JsonObject
from tests.fakes.serving import Served
from tests.fakes.telegram import people
from tests.fakes.telegram.calls import GetUpdates, Refused, SetWebhook, check_webhook, read
from tests.fakes.telegram.methods import METHODS
from tests.fakes.telegram.pace import PACED, Limiter
from tests.fakes.telegram.push import Push
from tests.fakes.telegram.user import (
    Act,
    ChatView,
    Command,
    LookChat,
    LookState,
    Pace,
    Redelivers,
    Said,
    SetPace,
    State,
    TelegramUser,
    Upgrades,
)
from tests.fakes.telegram.world import Chat, User, Webhook, World, find_chat

TOKEN = "700000:AAE-test_token_of_the_stand_in"
POLL_MAX_S = 50
CONFLICT_PAUSE_S = 3.0
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active;"
    " use deleteWebhook to delete the webhook first"
)
OTHER_POLL = (
    "Conflict: terminated by other getUpdates request;"
    " make sure that only one bot instance is running"
)
BY_WEBHOOK = "Conflict: terminated by setWebhook request"


class TelegramServer(Served, TelegramUser):
    """Telegram for one bot, on a loopback port."""

    def __init__(
        self,
        *,
        token: str = TOKEN,
        username: str = "clawdbot_test_bot",
        pace: Pace | None = None,
        privacy: bool = False,
        state: Path | None = None,
        port: int = 0,
        retry_s: float = 0.05,
    ) -> None:
        """Be the Telegram of the bot with `token`; keep everything in `state` if it is given."""
        super().__init__(port=port)
        self.token = token
        self._state = state
        if state is not None and state.exists():
            self.world = msgspec.json.decode(state.read_bytes(), type=World)
        else:
            bot = User(
                id=int(token.partition(":")[0]), first_name="Bot", username=username, is_bot=True
            )
            self.world = World(bot=bot, privacy=privacy)
        self._limiter = Limiter(pace or Pace())
        self._poll: asyncio.Future[None] | None = None
        self._conflict_at = 0.0
        self.push = Push(self.world, self._changed, retry_s=retry_s)

    async def __aenter__(self) -> Self:
        """Listen, and push if a webhook is known."""
        await super().__aenter__()
        async with contextlib.AsyncExitStack() as stack:
            group = await stack.enter_async_context(asyncio.TaskGroup())
            self._pushing = group.create_task(self.push.run())
            self._stack = stack.pop_all()
        self.push.wake()
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Stop pushing and listening."""
        self._pushing.cancel()
        await self._stack.aclose()
        await super().__aexit__(*failure)

    def add_routes(self, app: web.Application) -> None:
        """Add the methods and the files."""
        app.router.add_route("*", "/bot{token}/{method}", self._method)
        app.router.add_get("/file/bot{token}/{path:.+}", self._file)
        app.router.add_get("/_control/chat/{chat_id}", self._read_chat)
        app.router.add_get("/_control/log", self._read_log)

    async def control(self, body: bytes) -> bytes:
        """Carry out one command of a test in another process."""
        command = msgspec.json.decode(body, type=Command)
        match command:
            case SetFault() | ClearFaults() | Release() | LookLog():
                return await self.control_common(command)
            case LookChat():
                return msgspec.json.encode(await self.look_chat(command))
            case LookState():
                return msgspec.json.encode(await self.state())
            case _:
                return msgspec.json.encode(await self.act(command))

    def refusal(self, request: web.Request, fault: Fault) -> web.Response:
        """Answer with a fault's status in Telegram's form."""
        texts = {
            401: "Unauthorized",
            403: "Forbidden: bot was blocked by the user",
            404: "Not Found",
            409: OTHER_POLL,
            429: f"Too Many Requests: retry after {fault.retry_after}",
            502: "Bad Gateway",
        }
        text = texts.get(fault.status, "Internal Server Error: stand-in fault")
        return _error(Refused(fault.status, text, fault.retry_after))

    async def look_chat(self, look: LookChat) -> ChatView:
        """Return a chat once the server is newer than `look.after`."""
        version = await self.changes.wait(look.after, look.timeout_s)
        chat = self.world.chats.get(look.chat_id) or Chat(look.chat_id, "private", "")
        return ChatView(
            version=version,
            messages=self.world.shown(look.chat_id),
            draft=chat.draft,
            drafts=chat.drafts,
            action=chat.action,
        )

    async def state(self) -> State:
        """Return what belongs to no chat."""
        return State(
            version=self.changes.version,
            pending=len(self.world.queue),
            webhook=self.world.webhook,
            commands=self.world.commands,
            answers=self.world.queries,
        )

    async def act(self, act: Act) -> Said:
        """Carry out what a user does."""
        said = self._act(act)
        self._wake()
        self._changed()
        return said

    def _act(self, act: Act) -> Said:
        match act:
            case Redelivers():
                self.push.redeliver(self.world.sent[act.update_id])
            case SetPace():
                self._limiter = Limiter(act.pace)
            case Upgrades():
                return people.upgrades(self.world, act)
            case _:
                return people.carry_out(self.world, act)
        return Said()

    async def _method(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        body = await _body(request)

        def answer() -> Awaitable[web.Response]:
            return self._answer(request.match_info["token"], method.lower(), body)

        return await self.exchange(request, method, dict(body), answer)

    async def _answer(self, token: str, method: str, body: JsonObject) -> web.Response:
        try:
            self._check_token(token)
            if method in PACED:
                self._check_pace(method, body)
            result = await self._result(method, body)
        except Refused as refused:
            return _error(refused)
        if method != "getupdates":
            self._changed()
        return _json({"ok": True, "result": result})

    async def _result(self, method: str, body: JsonObject) -> Json:
        match method:
            case "getupdates":
                return await self._get_updates(read(body, GetUpdates))
            case "setwebhook":
                return self._set_webhook(read(body, SetWebhook))
            case "deletewebhook":
                call = msgspec.structs.replace(read(body, SetWebhook), url="")
                return self._set_webhook(call)
            case "getwebhookinfo":
                return self._webhook_info()
            case _ if method in METHODS:
                return METHODS[method](self.world, body)
            case _:
                raise Refused(404, "Not Found: method not found")

    def _check_token(self, token: str) -> None:
        if token != self.token:
            raise Refused(401, "Unauthorized")

    def _check_pace(self, method: str, body: JsonObject) -> None:
        chat_id = find_chat(self.world, str(body.get("chat_id")))
        if chat_id is not None:
            time = asyncio.get_running_loop().time()
            wait_s = self._limiter.retry_after(method, chat_id, time)
            if wait_s:
                raise Refused(429, f"Too Many Requests: retry after {wait_s}", wait_s)

    async def _get_updates(self, call: GetUpdates) -> Json:
        world = self.world
        if world.webhook.url:
            raise Refused(409, WEBHOOK_ACTIVE)
        if call.allowed_updates is not None:
            world.allowed = call.allowed_updates
        world.confirm(call.offset)
        self._changed()
        limit = min(max(call.limit, 1), 100)
        if not world.queue and call.timeout > 0:
            await self._long_poll(min(call.timeout, POLL_MAX_S))
        found: list[Json] = list(world.queue[:limit])
        return found

    async def _long_poll(self, timeout_s: int) -> None:
        self._end_poll(OTHER_POLL)
        poll = self._poll = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await poll
        except TimeoutError:
            pass
        except Refused:
            await self._pause_conflict()
            raise
        finally:
            if self._poll is poll:
                self._poll = None

    async def _pause_conflict(self) -> None:
        """Answer the first conflict at once and more of them late, as Telegram does."""
        time = asyncio.get_running_loop().time()
        if time < self._conflict_at:
            await asyncio.sleep(CONFLICT_PAUSE_S)
        else:
            self._conflict_at = time + CONFLICT_PAUSE_S

    def _end_poll(self, conflict: str) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_exception(Refused(409, conflict))

    def _wake(self) -> None:
        self.push.wake()
        if self._poll is not None and not self._poll.done() and self.world.queue:
            self._poll.set_result(None)

    def _set_webhook(self, call: SetWebhook) -> Json:
        world = self.world
        if call.url:
            check_webhook(call)
            self._end_poll(BY_WEBHOOK)
        if call.drop_pending_updates:
            world.queue.clear()
        if call.allowed_updates is not None:
            world.allowed = call.allowed_updates
        kept = call.max_connections if call.url else Webhook().max_connections
        secret = call.secret_token if call.url else ""
        world.webhook = Webhook(url=call.url, secret_token=secret, max_connections=kept)
        self.push.wake()
        return True

    def _webhook_info(self) -> Json:
        webhook = self.world.webhook
        info: JsonObject = {
            "url": webhook.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self.world.queue),
        }
        if webhook.url:
            info["max_connections"] = webhook.max_connections
            info["ip_address"] = "127.0.0.1"
        if webhook.last_error_message is not None:
            info["last_error_date"] = webhook.last_error_date
            info["last_error_message"] = webhook.last_error_message
        if self.world.allowed:
            info["allowed_updates"] = list(self.world.allowed)
        return info

    async def _file(self, request: web.Request) -> web.Response:
        content = self.world.files.get(request.match_info["path"])
        if request.match_info["token"] != self.token:
            return _error(Refused(401, "Unauthorized"))
        if content is None:
            return _error(Refused(404, "Not Found"))
        return web.Response(body=content, content_type="application/octet-stream")

    async def _read_chat(self, request: web.Request) -> web.Response:
        return _json(self.world.shown(int(request.match_info["chat_id"])))

    async def _read_log(self, request: web.Request) -> web.Response:
        return _json(self.requests.since(int(request.query.get("since", "0"))))

    def _changed(self) -> None:
        self.changes.bump()
        if self._state is not None:
            partial = self._state.with_suffix(".partial")
            partial.write_bytes(msgspec.json.encode(self.world))
            partial.replace(self._state)


async def _body(request: web.Request) -> JsonObject:
    """Read the parameters from the query, a form or JSON."""
    body: JsonObject = dict(request.query)
    if request.method != hdrs.METH_POST:
        return body
    if request.content_type == "application/json":
        content = await request.read()
        return body | msgspec.json.decode(content or b"{}", type=dict[str, Json])
    form = await request.post()
    return body | {key: value for key, value in form.items() if isinstance(value, str)}


def _json(content: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), content_type="application/json")


def _error(refused: Refused) -> web.Response:
    content: JsonObject = {
        "ok": False,
        "error_code": refused.code,
        "description": refused.description,
    }
    headers = {}
    if refused.retry_after:
        content["parameters"] = {"retry_after": refused.retry_after}
        headers["Retry-After"] = str(refused.retry_after)
    if refused.moved_to:
        content["parameters"] = {"migrate_to_chat_id": refused.moved_to}
    return web.Response(
        status=refused.code,
        headers=headers,
        body=msgspec.json.encode(content),
        content_type="application/json",
    )
