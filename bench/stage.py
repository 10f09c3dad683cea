"""The processes that are measured: the product and the floor, each with a Telegram of its own.

Sees them from outside only: their chats, and what the kernel tells of their process trees.
"""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from bench.seed import TEMPLATE_CHAT
from tests.fakes.models import MODEL
from tests.fakes.serving import ROOT
from tests.fakes.telegram import TOKEN, UNLIMITED, Pace, TelegramServer

FIRST_CHAT, CHATS = 1001, 260
_UPDATES = itertools.count(10_000_000, 10_000_000)
STOP_S = 20.0
PATIENCE_S = 60.0
# What the stand-in model says where nobody taught it anything else.
ANSWER = " ".join(f"word{number}" for number in range(1, 43)) + "."

Kind = Literal["floor", "clawdbot"]


class Telegram(TelegramServer):
    """The stand-in, in this process: what users do and see is timed where it happens."""

    def __init__(self, *, paced: bool = False) -> None:
        super().__init__(pace=Pace() if paced else UNLIMITED)
        self.world.next_update = next(_UPDATES)  # a copied store must not know them
        self.paced = paced
        self._asked: dict[int, tuple[int, asyncio.Future[float]]] = {}

    async def ask(self, chat: int, words: str) -> float:
        """Say something, wait for the whole answer; tell how many seconds it took."""
        shown: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        said = await self.user_says(chat, chat, words)
        self._asked[chat] = (said.message_id, shown)
        return await shown - began

    def _changed(self) -> None:
        super()._changed()
        for chat, (said, shown) in list(self._asked.items()):
            last = next(reversed(self.world.chats[chat].messages.values()))
            if last.id > said and last.history[-1] == ANSWER:
                del self._asked[chat]
                shown.set_result(time.perf_counter())


@dataclass(kw_only=True)
class Bot:
    """One system under measurement, with a folder, a Telegram and a model server."""

    kind: Kind
    home: Path
    telegram: Telegram
    models: str
    process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Tell the process id; 0 while it does not run."""
        return self.process.pid if self.process is not None else 0

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Run the system's process while the block runs."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Start the process; it is up when it answers."""
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._command(),
                cwd=ROOT,
                env=_environment() | {"CLAWDBOT_HOME": str(self.home)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def stop(self) -> None:
        """End the process in order, or kill it where it does not end."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        self.process = None

    async def ask(self, chat: int, words: str = "How are things today?") -> float:
        """Say something, wait for the whole answer; tell how long it took."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.telegram.ask(chat, words)
        except TimeoutError as error:
            raise RuntimeError(f"{self.kind} gave no answer:\n{self._log.read_text()}") from error

    @contextmanager
    def spent(self) -> Iterator[list[float]]:
        """Add the processor time of the block, in seconds, to the list that it is given."""
        spent: list[float] = []
        before = self.cpu_s()
        yield spent
        spent.append(self.cpu_s() - before)

    def cpu_s(self) -> float:
        """Sum the processor time of the process tree, with its dead children."""
        return sum(cpu_s(pid) for pid in tree(self.pid))

    def pss_mib(self) -> float:
        """Sum the proportional memory of the process tree."""
        return sum(pss_kib(pid) for pid in tree(self.pid)) / 1024

    @property
    def _log(self) -> Path:
        return self.home.with_suffix(".log")

    def _command(self) -> list[str]:
        if self.kind == "floor":
            self.home.mkdir(exist_ok=True)
            database = str(self.home / "floor.db")
            arguments = (self.telegram.url, TOKEN, self.models, MODEL, database)
            return [sys.executable, "-m", "bench.floor", *arguments]
        settle(self.home, self.telegram, self.models)
        return [sys.executable, "-m", "clawdbot", "start", "--no-browser"]


def _environment() -> dict[str, str]:
    """Give our own, in which byte code is kept as an installed program's is."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def settle(home: Path, telegram: Telegram, models: str) -> None:
    """Write the product's settings."""
    home.mkdir(mode=0o700, exist_ok=True)
    allowed = [str(chat) for chat in (*range(FIRST_CHAT, FIRST_CHAT + CHATS), TEMPLATE_CHAT)]
    bot = {
        "token": TOKEN,
        "base_url": telegram.url,
        "pace": "platform" if telegram.paced else "off",
        "session": {"access": "allowlist", "allow": allowed},
    }
    provider = {"protocol": "openai", "url": models, "auth": "sk-bench", "model": MODEL}
    settings = {
        "environment": "test",
        "gateway": {"port": 0},
        "limits": {"messages_per_minute": 1_000_000},
        "providers": {"external": provider},
        "model_routing": {"default": {"provider": "external"}},
        "channels": {"telegram": {"main": bot}},
    }
    (home / "clawdbot.yaml").write_bytes(msgspec.yaml.encode(settings))


def tree(pid: int) -> list[int]:
    """List a process and its descendants that are alive."""
    found = [pid]
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu_s(pid: int) -> float:
    """Read the processor time of a process: its own in nanoseconds, its ended children's in ticks.

    The clock of a process counts its threads, ended ones too (clock_getcpuclockid(3), whose number
    for a process is made as here); the ticks stand in proc(5), stat.
    """
    own = time.clock_gettime(~pid << 3 | 2)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return own + sum(int(ticks) for ticks in fields[13:15]) / os.sysconf("SC_CLK_TCK")


def pss_kib(pid: int) -> int:
    """Read a process's memory, what it shares counted in proportion (proc(5), smaps)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
