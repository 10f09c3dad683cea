"""A Telegram bot, by long polling or webhook: carries what `wire` translates.

Telegram forgets an update once a later offset is asked for, so the offset moves only over what is
committed and needs no place in our store. Trouble on the way in is waited out and told by `health`;
only a refused token ends `run`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hmac import compare_digest
from typing import TypeVar
from urllib.parse import quote
from zlib import crc32

import msgspec
from msgspec import Raw

from clawdbot.channels.telegram import api, wire
from clawdbot.channels.telegram.settings import Mode, Settings
from clawdbot.domain.bus import Bus
from clawdbot.domain.caps import Caps, Pace, Streaming, Unit
from clawdbot.domain.errors import (
    AuthLost,
    Failure,
    Forged,
    Gone,
    Moved,
    Refused,
    Retry,
    SendFailed,
    SettingsInvalid,
    StoreFailed,
    Unknown,
)
from clawdbot.domain.http import HttpReply, HttpRequest
from clawdbot.domain.inbound import Address, Inbound, Receipt
from clawdbot.domain.ports import Clock, Health, Inbox, Outgoing, Webhook
from clawdbot.domain.text import LANGUAGES, say
from clawdbot.net.client import Client, NetFailed, Response

# Telegram takes bursts of three a chat; one is kept for messages that travel at unequal speed.
_PACE = Pace(per_s=30, burst=20, chat_per_s=1, chat_burst=2, group_per_s=20 / 60, group_burst=2)
_BATCH = 100
_POLL_S = 25
_ANSWER_S = 30.0
_COURTESY_S = 5.0
_PAUSE_MAX_S = 30.0
_HOOK_EVERY_S = 600.0
_HOOK_TROUBLE_S = 120.0
_NOTICE_MAX = 200
_SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - a name
_COMMANDS = {
    "new": "begin a new conversation",
    "stop": "stop the answer that is being written",
    "model": "show or choose the model",
    "usage": "what you used in the last seven days",
    "help": "this list",
}

T = TypeVar("T")


class Telegram:
    """One bot: Channel, Editable, Typing; its webhook is `verify`, `decode`, accept, `reply`."""

    def __init__(
        self,
        account: str,
        settings: Settings,
        client: Client,
        public_url: str,
        clock: Clock,
        bus: Bus,
    ) -> None:
        """Take what it works with; nothing is asked or opened yet."""
        self._account = account
        self._settings = settings
        self._client = client
        self._public_url = public_url
        self._clock = clock
        self._bus = bus
        self._bot = api.User(id=0)  # until Telegram tells
        self._trouble: Failure | None = None
        self._offset = 0
        self._limit = _BATCH
        self.caps = Caps(
            text_max=4096,
            unit=Unit.UTF16,
            stream=Streaming.EDIT,
            buttons=True,
            typing_every_s=4.5,
            edit_every_s=1.0,
            pace=_PACE if settings.pace == "platform" else None,
        )

    async def run(self, inbox: Inbox) -> None:
        """Receive until cancelled; raises AuthLost, or SettingsInvalid for an unguarded webhook."""
        hooked = self._settings.mode is Mode.WEBHOOK
        if hooked and not (self._settings.secret and self._public_url):
            self._trouble = SettingsInvalid(
                "A Telegram webhook needs `secret` and gateway.public_url."
            )
            raise self._trouble
        await self._insist(self._introduce)
        await self._insist(self._set_hook if hooked else self._drop_hook)
        if not hooked:
            await self._insist(lambda: self._poll(inbox, 0))  # what waits comes first
        await self._offer()
        while hooked:
            await asyncio.sleep(_HOOK_EVERY_S)
            await self._insist(self._set_hook)
        while True:
            await self._insist(lambda: self._poll(inbox, _POLL_S))

    async def send(self, to: Address, message: Outgoing, key: str) -> str:
        """Send a message; raises Retry, Refused, Moved, AuthLost or Unknown."""
        sent = await self._show("sendMessage", api.Sent, to, message)
        return str(sent.message_id)

    async def edit(self, to: Address, ref: str, message: Outgoing) -> None:
        """Replace a message; raises as `send`, and Gone where it is not there any more."""
        try:
            await self._show("editMessageText", Raw, to, message, ref)
        except Moved as refusal:
            raise Gone(str(refusal)) from refusal  # there it has no message of this id
        except Refused as refusal:
            if not wire.is_unmodified(refusal):
                raise

    async def typing(self, to: Address) -> None:
        """Show for five seconds that we write; failures are of no consequence."""
        action: dict[str, int | str] = {"chat_id": int(to.chat), "action": "typing"}
        if to.thread:
            action["message_thread_id"] = int(to.thread)
        with suppress(SendFailed):
            await self._call("sendChatAction", action, bool, _COURTESY_S)

    async def health(self) -> Health:
        """Tell whether we can send; beside `up`, a reason tells that nothing comes in."""
        try:
            await self._call("getMe", {}, api.User)
            if self._settings.mode is Mode.WEBHOOK:
                hook = await self._call("getWebhookInfo", {}, api.HookInfo)
                if hook.last_error_date > self._clock.now() - _HOOK_TROUBLE_S:
                    return _ill(Refused(hook.last_error_message), up=True)
        except SendFailed as failure:
            return _ill(failure, up=False)
        return _ill(self._trouble, up=True) if self._trouble else Health(up=True)

    async def webhook(self) -> Webhook:
        """Ask Telegram which address it calls, and what went wrong there last."""
        hook = await self._call("getWebhookInfo", {}, api.HookInfo)
        used = self._settings.mode is Mode.WEBHOOK
        return Webhook(used=used, registered=hook.url, problem=hook.last_error_message)

    def verify(self, request: HttpRequest) -> None:
        """Check that Telegram sent this; raises Forged, always where no secret is set."""
        given = request.headers.get(_SECRET_HEADER, "").encode(errors="surrogateescape")
        secret = self._settings.secret.reveal().encode()
        if not (secret and compare_digest(given, secret)):
            raise Forged

    def decode(self, request: HttpRequest) -> Inbound:
        """Translate a verified delivery; raises Retry until `run` has learned who we are."""
        if not self._bot.id:
            raise Retry("Telegram has not told the bot's name yet.")
        return wire.parse(request.body, self._bot, self._account)

    def reply(self, inbound: Inbound, receipt: Receipt) -> HttpReply:
        """Answer a delivery after its commit; a click's own answer rides along."""
        if not inbound.click:
            return HttpReply(status=200)
        call = {"method": "answerCallbackQuery", **_noticed(inbound, receipt)}
        headers = {"Content-Type": "application/json"}
        return HttpReply(status=200, body=msgspec.json.encode(call), headers=headers)

    async def _introduce(self) -> None:
        self._bot = await self._call("getMe", {}, api.User)

    async def _offer(self) -> None:
        """Offer our commands, a courtesy."""
        with suppress(SendFailed):
            for language in LANGUAGES:
                commands = [
                    {"command": name, "description": say(language, text)}
                    for name, text in _COMMANDS.items()
                ]
                tag = "" if language == "en" else language
                arguments = {"commands": commands, "language_code": tag}
                await self._call("setMyCommands", arguments, bool, _COURTESY_S)

    async def _set_hook(self) -> None:
        hook = {
            "url": f"{self._public_url.rstrip('/')}/hooks/telegram/{quote(self._account)}",
            "secret_token": self._settings.secret.reveal(),
            "allowed_updates": api.UPDATES,
        }
        await self._call("setWebhook", hook, bool)

    async def _drop_hook(self) -> None:
        await self._call("deleteWebhook", {}, bool)

    async def _poll(self, inbox: Inbox, wait_s: int) -> None:
        """Ask once; after a failure for one update only, so that a bad one is found."""
        limit, self._limit = self._limit, 1
        poll = {
            "offset": self._offset,
            "limit": limit,
            "timeout": wait_s,
            "allowed_updates": api.UPDATES,
        }
        response = await self._ask("getUpdates", poll, wait_s + _ANSWER_S)
        raws = wire.updates(response.status, response.body, limit)
        inbounds = [wire.parse(raw, self._bot, self._account) for raw in raws]
        async with asyncio.TaskGroup() as tasks:
            # Begun in order, they are committed in order, many in one commit.
            taken = [tasks.create_task(self._take(inbox, inbound)) for inbound in inbounds]
        for inbound, task in zip(inbounds, taken, strict=True):
            if failure := task.result():
                raise failure
            if inbound.event.isdecimal():
                self._offset = int(inbound.event) + 1
        if inbounds and self._offset == poll["offset"]:
            raise Unknown("Telegram sent an update without its number.")
        self._limit = _BATCH

    async def _take(self, inbox: Inbox, inbound: Inbound) -> StoreFailed | None:
        try:
            receipt = await inbox.accept(inbound)
        except StoreFailed as failure:
            return failure
        if inbound.click:
            with suppress(SendFailed):
                arguments = _noticed(inbound, receipt)
                await self._call("answerCallbackQuery", arguments, bool, _COURTESY_S)
        return None

    async def _insist(self, act: Callable[[], Awaitable[None]]) -> None:
        """Repeat an act until it is done, waiting longer and longer."""
        attempt = 0
        while True:
            try:
                await act()
            except (SendFailed, StoreFailed) as failure:
                self._trouble = failure
                kind = type(failure).__name__
                self._bus.tell("channel_failures", 1, wire.CHANNEL, self._account, kind)
                if isinstance(failure, AuthLost):
                    raise
                await asyncio.sleep(self._pause(attempt, failure.after))
                attempt += 1
            else:
                self._trouble = None
                return

    def _pause(self, attempt: int, after: float | None) -> float:
        ceiling = min(_PAUSE_MAX_S, 2.0 ** min(attempt, 10))
        jitter = crc32(self._clock.ulid().encode()) / 2**32
        return max(after or 0.0, ceiling * (1 + jitter) / 2)

    async def _show(
        self, method: str, kind: type[T], to: Address, message: Outgoing, ref: str = ""
    ) -> T:
        try:
            return await self._call(method, wire.render(to, message, ref=ref), kind)
        except Refused as refusal:
            if not wire.is_markup(refusal):
                raise
            return await self._call(method, wire.render(to, message, ref=ref, plain=True), kind)

    async def _call(
        self, method: str, arguments: object, kind: type[T], timeout_s: float = _ANSWER_S
    ) -> T:
        response = await self._ask(method, arguments, timeout_s)
        return wire.answer(response.status, response.body, kind)

    async def _ask(self, method: str, arguments: object, timeout_s: float) -> Response:
        base, token = self._settings.base_url.rstrip("/"), self._settings.token.reveal()
        try:
            return await self._client.request(
                "POST", f"{base}/bot{token}/{method}", json=arguments, timeout_s=timeout_s
            )
        except NetFailed as failure:
            raise (Unknown if failure.sent else Retry)(str(failure)) from failure


def _noticed(inbound: Inbound, receipt: Receipt) -> dict[str, str]:
    return {"callback_query_id": inbound.click, "text": receipt.notice[:_NOTICE_MAX]}


def _ill(failure: Failure, *, up: bool) -> Health:
    match failure:
        case AuthLost():
            remedy = "Set the token that BotFather shows for this bot."
        case StoreFailed():
            remedy = "Free some space on the disk."
        case Refused():
            remedy = "Let one program use the bot, at an address that Telegram reaches by https."
        case _:
            remedy = "Check the network and net.proxy."
    return Health(up=up, reason=str(failure), remedy=remedy)
