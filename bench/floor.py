"""The bare river: poll, commit, stream, commit, send, commit, and nothing else.

No rule of the product is kept. Arguments: Telegram, token, models, model, database.
"""

import asyncio
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import msgspec

TABLE = "CREATE TABLE IF NOT EXISTS said (id INTEGER PRIMARY KEY, chat, words, answer, sent)"


class Chat(msgspec.Struct):
    id: int


class Message(msgspec.Struct):
    chat: Chat
    text: str


class Update(msgspec.Struct):
    update_id: int
    message: Message


class Updates(msgspec.Struct):
    result: list[Update]


class Delta(msgspec.Struct):
    content: str = ""


class Choice(msgspec.Struct):
    delta: Delta


class Chunk(msgspec.Struct):
    choices: list[Choice] = []


class River:
    def __init__(self, bot: str, model: tuple[str, str], db: sqlite3.Connection) -> None:
        self.bot, (self.models, self.model) = bot, model
        self.db, self.writer = db, ThreadPoolExecutor(1)
        self.updates = msgspec.json.Decoder(Updates)
        self.chunk = msgspec.json.Decoder(Chunk)

    async def run(self) -> None:
        offset = 0
        async with aiohttp.ClientSession() as self.http, asyncio.TaskGroup() as tasks:
            while True:
                poll = {"offset": offset, "timeout": 25}
                async with self.http.post(f"{self.bot}/getUpdates", json=poll) as answer:
                    updates = self.updates.decode(await answer.read()).result
                rows = [(u.update_id, u.message.chat.id, u.message.text) for u in updates]
                await self.commit("INSERT INTO said VALUES (?, ?, ?, '', '')", *rows)
                for row in rows:
                    offset = row[0] + 1
                    tasks.create_task(self.answer(*row))

    async def answer(self, update: int, chat: int, words: str) -> None:
        text = await self.think(words)
        await self.commit("UPDATE said SET answer = ? WHERE id = ?", (text, update))
        message = {"chat_id": chat, "text": text}
        async with self.http.post(f"{self.bot}/sendMessage", json=message) as answer:
            sent = await answer.read()
        await self.commit("UPDATE said SET sent = ? WHERE id = ?", (sent, update))

    async def think(self, words: str) -> str:
        messages = [{"role": "user", "content": words}]
        ask = {"model": self.model, "messages": messages, "stream": True}
        text = ""
        async with self.http.post(f"{self.models}/chat/completions", json=ask) as answer:
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    for choice in self.chunk.decode(line[6:]).choices:
                        text += choice.delta.content
        return text

    async def commit(self, statement: str, *rows: tuple[object, ...]) -> None:
        await asyncio.get_running_loop().run_in_executor(self.writer, self.write, statement, rows)

    def write(self, statement: str, rows: tuple[tuple[object, ...], ...]) -> None:
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany(statement, rows)
        self.db.execute("COMMIT")


if __name__ == "__main__":
    telegram, token, models, model, path = sys.argv[1:]
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + TABLE)
    asyncio.run(River(f"{telegram}/bot{token}", (models, model), database).run())
