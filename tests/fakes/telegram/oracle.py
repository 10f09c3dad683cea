"""aiogram, the platform's own kind of client, as the judge of every byte of the stand-in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Update
from aiohttp import web
from pydantic import BaseModel

from tests.fakes.telegram.server import TOKEN


class Session(AiohttpSession):
    """aiogram's own, without its pause of a quarter second for TLS at the end."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


@asynccontextmanager
async def bot_at(url: str, token: str = TOKEN) -> AsyncIterator[Bot]:
    """Talk to the stand-in at `url` as the bot with `token`."""
    session = Session(api=TelegramAPIServer.from_base(url))
    async with Bot(token, session=session) as bot:
        yield bot


@asynccontextmanager
async def hook(*statuses: int) -> AsyncIterator[tuple[str, list[tuple[str, Update]]]]:
    """Listen for pushed updates; answer each with the next status, then always with 200."""
    seen: list[tuple[str, Update]] = []
    left = list(statuses)

    async def receive(request: web.Request) -> web.Response:
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        seen.append((secret, Update.model_validate_json(await request.read())))
        return web.Response(status=left.pop(0) if left else 200)

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", seen
    finally:
        await runner.cleanup()


def text_of(update: Update) -> str | None:
    """Return the text of a new message."""
    return update.message.text if update.message else None


def unknown_fields(model: BaseModel, path: str = "update") -> list[str]:
    """Return every field that the platform's client does not know, at any depth."""
    found = [f"{path}.{name}" for name in model.model_extra or {}]
    for name in type(model).model_fields:
        value = getattr(model, name)
        for index, each in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(each, BaseModel):
                found += unknown_fields(each, f"{path}.{name}[{index}]")
    return found
