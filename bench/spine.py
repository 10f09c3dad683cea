"""The table of the spine: `python -m bench.spine [--quick]`.

The product and the floor answer the same questions by turns, in one run on one machine: ratios hold
where absolute figures move. Telegram and its users live in this process, the model server and each
system in a process of its own, all on loopback.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench import machine, seed
from bench.stage import FIRST_CHAT, Bot, Kind, Telegram
from bench.table import Figures, Row, markdown, milliseconds, speed, weight
from tests.fakes.models import RemoteModels, Timing
from tests.fakes.serving import spawned

CROWD = 16
DAWDLING = Timing(token_ms=5.0)
DATABASE = Path("data") / "clawdbot.db"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured; a block is a new conversation of `turns` turns, or CROWD of them."""

    starts: int = 7
    blocks: int = 10
    turns: int = 30
    crowd_blocks: int = 6
    crowd_turns: int = 25
    settle_s: float = 3.0
    idle_s: float = 20.0
    stored: int = 10_000
    depth: int = 100
    paced: int = 6
    paced_every_s: float = 3.0
    size: bool = True


QUICK = Plan(
    starts=2,
    blocks=2,
    turns=10,
    crowd_blocks=1,
    idle_s=5.0,
    stored=100,
    depth=10,
    paced=3,
    size=False,
)


@dataclass(kw_only=True)
class Bench:
    """One run of a plan in one folder."""

    plan: Plan
    folder: Path
    models: RemoteModels
    found: dict[Kind, Figures] = field(default_factory=dict)
    chats: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_CHAT))
    homes: Iterator[int] = field(default_factory=itertools.count)

    async def run(self) -> list[Row]:
        """Measure everything; the rows stand in the table's order."""
        async with Telegram() as one, Telegram() as two:
            bots = self._bot("floor", one), self._bot("clawdbot", two)
            self.found = {bot.kind: Figures() for bot in bots}
            for number in range(self.plan.starts + 1):
                for bot in bots:
                    await self._start(bot, counts=number > 0)  # the first finds no byte code
            for bot in bots:
                await self._idle(bot)
            await self._work(bots)
        floor, ours = self.found["floor"], self.found["clawdbot"]
        size = [machine.size_row()] if self.plan.size else []
        stored, paced = await self._stored(), await self._paced()
        return [*speed(floor, ours, CROWD), *weight(floor, ours), *size, *stored, paced]

    async def _start(self, like: Bot, *, counts: bool) -> None:
        """Start a system with an empty folder while a question waits for it."""
        bot, figures = self._bot(like.kind, like.telegram), self.found[like.kind]
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(bot.ask(next(self.chats)))
            await bot.start()
        if counts:
            figures.starts.append(asked.result())
            figures.start_cpu.append(bot.cpu_s())
        await bot.stop()

    async def _idle(self, bot: Bot) -> None:
        """Leave a system alone after one answer, without the other one beside it."""
        figures = self.found[bot.kind]
        async with bot.alive():
            await self._talk(bot, 1)
            await asyncio.sleep(self.plan.settle_s)
            with bot.spent() as cpu:
                await asyncio.sleep(self.plan.idle_s)
            figures.idle_share = cpu[0] / self.plan.idle_s
            figures.idle_mib = bot.pss_mib()

    async def _work(self, bots: tuple[Bot, Bot]) -> None:
        """Let both answer by turns: one conversation, many, and a model that dawdles."""
        async with bots[0].alive(), bots[1].alive():
            pids = ", ".join(f"{bot.kind} {bot.pid}" for bot in bots)
            print(f"Processes: Telegram and its users {os.getpid()}, {pids}")
            for bot in bots:
                await self._talk(bot, self.plan.turns)  # warm
            for _ in range(self.plan.blocks):
                for bot in bots:
                    with bot.spent() as cpu:
                        turns = await self._talk(bot, self.plan.turns)
                    self.found[bot.kind].one.add(turns, sum(turns), cpu[0])
            for _ in range(self.plan.crowd_blocks):
                for bot in bots:
                    await self._crowd(bot)
            await self.models.set_timing(DAWDLING)
            for bot in bots:
                with bot.spent() as cpu:
                    turns = await self._talk(bot, self.plan.turns)
                self.found[bot.kind].dawdled.add(turns, sum(turns), cpu[0])
            await self.models.set_timing(Timing())
            for bot in bots:
                self.found[bot.kind].worked_mib = bot.pss_mib()

    async def _crowd(self, bot: Bot) -> None:
        began = time.perf_counter()
        with bot.spent() as cpu:
            async with asyncio.TaskGroup() as tasks:
                talks = [
                    tasks.create_task(self._talk(bot, self.plan.crowd_turns)) for _ in range(CROWD)
                ]
        turns = [turn for talk in talks for turn in talk.result()]
        self.found[bot.kind].many.add(turns, time.perf_counter() - began, cpu[0])

    async def _stored(self) -> list[Row]:
        """Compare a full store with small ones: in new, in old and in long conversations."""
        plan, chat = self.plan, seed.TEMPLATE_CHAT
        async with Telegram() as one, Telegram() as two, Telegram() as three:
            empty, small, full = (self._bot("clawdbot", each) for each in (one, two, three))
            async with small.alive():
                for _ in range(plan.depth):
                    await small.ask(chat)
                await seed.indexed(small.home / DATABASE)
            shutil.copytree(small.home / DATABASE.parent, full.home / DATABASE.parent)
            seed.multiply(small.home / DATABASE, 2 * plan.turns)
            began = time.perf_counter()
            seed.multiply(full.home / DATABASE, plan.stored - 1)
            took, size = time.perf_counter() - began, (full.home / DATABASE).stat().st_size
            told = f"{plan.stored} conversations of {plan.depth} turns"
            print(f"Store: {told}, {size / 1e9:.2f} GB, made in {took:.0f} s")
            async with empty.alive(), small.alive(), full.alive():
                fresh = [await self._talk(bot, plan.turns) for bot in (empty, full) * 3]
                aged = [await full.ask(chat + 2 * n + 1) for n in range(plan.turns)]
                long = [
                    [await bot.ask(chat + 2 * n + 2) for n in range(plan.turns)]
                    for bot in (small, full)
                ]
        new, name = [milliseconds(fresh[n] + fresh[n + 2]) for n in (2, 3)], f"turn p50, {told}"
        return [
            Row.against(f"{name}: a new one / empty store", *new),
            Row.against(f"{name}: a day later / empty store", new[0], milliseconds(aged)),
            Row.against(f"{name}: going on / small store", *(milliseconds(each) for each in long)),
        ]

    async def _paced(self) -> Row:
        """Answer one person who writes now and then, at Telegram's real pace."""
        turns: list[float] = []
        async with Telegram(paced=True) as telegram:
            bot = self._bot("clawdbot", telegram)
            async with bot.alive():
                for _ in range(self.plan.paced):
                    turns.append(await bot.ask(FIRST_CHAT))
                    await asyncio.sleep(self.plan.paced_every_s)
        name = f"turn p50 at Telegram's pace, {self.plan.paced_every_s:g} s between messages"
        return Row(name=name, unit="ms", ours=milliseconds(turns[1:]))

    def _bot(self, kind: Kind, telegram: Telegram) -> Bot:
        home = self.folder / f"{kind}-{next(self.homes)}"
        return Bot(kind=kind, home=home, telegram=telegram, models=f"{self.models.url}/v1")

    async def _talk(self, bot: Bot, turns: int) -> list[float]:
        """Hold a new conversation; tell the seconds of each turn."""
        chat = next(self.chats)
        return [await bot.ask(chat) for _ in range(turns)]


async def measured(plan: Plan) -> list[Row]:
    """Measure by a plan, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="clawdbot-bench-") as name:
        folder = Path(name)
        print(f"Machine: {machine.described()}")
        print(f"Folder: {machine.filesystem(folder)}, fdatasync {machine.sync_ms(folder):.2f} ms")
        print("Commits: SQLite, WAL, synchronous=FULL, in both systems")
        async with spawned("tests.fakes.models") as server, RemoteModels(server.url) as models:
            print(f"Model server: {server.process.pid}, first token after 50 ms, 42 tokens")
            return await Bench(plan=plan, folder=folder, models=models).run()


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute instead of six")
    plan = QUICK if parser.parse_args().quick else Plan()
    print(f"\n{markdown(asyncio.run(measured(plan)))}")


if __name__ == "__main__":
    main()
