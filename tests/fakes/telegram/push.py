"""Telegram's webhook side: updates are pushed until the bot accepts them.

One chat's updates stay in order, different chats go side by side; a refused update stays queued.
"""

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec

from tests.fakes.faults import JsonObject, now
from tests.fakes.telegram.world import World, update_id

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
PAUSES_MAX = 32


class Push:
    """Pushes the world's queue to its webhook while the `async with` block runs."""

    def __init__(self, world: World, changed: Callable[[], None], *, retry_s: float) -> None:
        """Wait `retry_s` after the first failure and up to PAUSES_MAX times as long after more."""
        self._world = world
        self._changed = changed
        self._retry_s = retry_s
        self._busy: set[int] = set()
        self._again: list[JsonObject] = []
        self._wake = asyncio.Event()
        self.attempts: list[tuple[int, int]] = []

    def wake(self) -> None:
        """Look at the queue again."""
        self._wake.set()

    def redeliver(self, update: JsonObject) -> None:
        """Push an update once more, whatever the queue holds."""
        self._again.append(update)
        self.wake()

    async def run(self) -> None:
        """Push until cancelled."""
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if not self._world.webhook.url:
                    continue
                for update in self._ready():
                    tasks.create_task(self._deliver(session, update))
                while self._again:
                    tasks.create_task(self._insist(session, self._again.pop()))

    def _ready(self) -> list[JsonObject]:
        """Return the head of each idle chat's line, as many as there are connections."""
        found: list[JsonObject] = []
        for update in self._world.queue:
            if len(self._busy) >= self._world.webhook.max_connections:
                break
            if _line(update) not in self._busy:
                self._busy.add(_line(update))
                found.append(update)
        return found

    async def _deliver(self, session: aiohttp.ClientSession, update: JsonObject) -> None:
        await self._insist(session, update)
        self._busy.discard(_line(update))
        self._changed()
        self.wake()

    async def _insist(self, session: aiohttp.ClientSession, update: JsonObject) -> None:
        """Post until it is accepted or the webhook has changed."""
        pause = self._retry_s
        url = self._world.webhook.url
        while self._world.webhook.url == url:
            error, retry_after = await self._post(session, update)
            if not error:
                self._world.queue = [each for each in self._world.queue if each is not update]
                return
            self._world.webhook.last_error_date = int(now())
            self._world.webhook.last_error_message = error
            await asyncio.sleep(retry_after or pause)
            pause = min(pause * 2, self._retry_s * PAUSES_MAX)

    async def _post(self, session: aiohttp.ClientSession, update: JsonObject) -> tuple[str, float]:
        webhook = self._world.webhook
        headers = {"Content-Type": "application/json"}
        if webhook.secret_token:
            headers[SECRET_HEADER] = webhook.secret_token
        body = msgspec.json.encode(update)
        status, error, after = 0, "", "0"
        try:
            async with session.post(webhook.url, data=body, headers=headers) as response:
                status, after = response.status, response.headers.get("Retry-After", "0")
                if not 200 <= status <= 299:
                    error = f"Wrong response from the webhook: {status} {response.reason}"
        except TimeoutError:
            error = "Read timeout expired"
        except aiohttp.ClientConnectorError:
            error = "Connection refused"
        except aiohttp.ClientError:
            error = "Webhook connection closed"
        self.attempts.append((update_id(update), status))
        self._changed()
        return error, float(after) if after.isdigit() else 0.0


class _Chat(msgspec.Struct):
    id: int


class _Message(msgspec.Struct):
    chat: _Chat


class _Query(msgspec.Struct):
    message: _Message


class _Lined(msgspec.Struct):
    message: _Message | None = None
    edited_message: _Message | None = None
    my_chat_member: _Message | None = None
    callback_query: _Query | None = None


def _line(update: JsonObject) -> int:
    """Return the chat whose order the update keeps."""
    lined = msgspec.convert(update, _Lined)
    if lined.callback_query is not None:
        return lined.callback_query.message.chat.id
    message = lined.message or lined.edited_message or lined.my_chat_member
    return message.chat.id if message is not None else 0
