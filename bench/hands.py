"""What acting costs: its record, a box, a plugin's worker, a call, the browser.

`python -m bench.hands`
"""

import asyncio
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path

from bench.stage import FIRST_CHAT, Bot, Telegram, settle
from clawdbot.config.key import MasterKey
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Store
from clawdbot.sandbox.chromium import Browsers
from clawdbot.sandbox.profile import Box
from clawdbot.sandbox.run import Sandbox
from clawdbot.sandbox.worker import Order, Pool, Program
from clawdbot.store import sqlite
from clawdbot.store.audit import Audit, Entry, Kind
from clawdbot.store.vault import Vault
from tests.fakes.models import Call, RemoteModels, Reply, Rule
from tests.fakes.serving import ROOT, spawned

PLUGIN = """\
from clawdbot.plugins import system_command

@system_command.register
def nothing(params):
    pass
"""
CALL = Order(name="nothing", arguments={})
# The mission's.
DISK = """\
from clawdbot.plugins import system_command

@system_command.register
def disk_usage(params):
    import shutil
    return shutil.disk_usage("/")
"""
CHATS = 6
TURNS = 10  # of each kind, a chat
ROUNDS = 20
CALLS = 20  # a round
ROWS = 1000  # a round
PAGE = "data:text/html,<h1>A page</h1><form><input type=password></form>"


async def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Give the medians: milliseconds, and MB for what ends so."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder))
        began = time.perf_counter()
        await sandbox.mechanisms()
        found = {"self-test ms": (time.perf_counter() - began) * 1000}
        Path(folder, "it.py").write_text(PLUGIN)
        program = Program(main="it.py", folder=folder)
        memory = []

        async def cold() -> None:
            await sandbox.run(Box(argv=("true",)))

        async def started() -> None:
            async with sandbox.opened(program.box()) as process:
                process.sock.setblocking(False)
                await asyncio.get_running_loop().sock_recv(process.sock, 1)
                memory.append(proportional_mb(process.pid))

        found["cold box ms"] = await median(cold, rounds)
        found["worker start and end ms"] = await median(started, rounds)
        async with Pool(sandbox).opened() as pool:

            async def warm() -> None:
                await pool.call(("bench",), program, CALL, lambda _: None)

            await warm()
            found["warm call ms"] = await median(warm, rounds * CALLS)
        found |= await browser(sandbox, Path(folder), rounds)
        found["audit row us"] = await audited(Path(folder), rounds)
        return found | {"worker MB": statistics.median(memory)}


async def turns(folder: Path, chats: int = CHATS, each: int = TURNS) -> dict[str, float]:
    """Give the CPU of a turn in the service's process tree, and what a call adds to it.

    The call is of the mission's plugin, its worker warm; the model is asked again after it.
    """
    home, without, calling = folder / "home", list[float](), list[float]()
    wants = Rule(contains="disk", last="user", reply=Reply(calls=[Call("disk_usage")]))
    async with (
        spawned("tests.fakes.models") as server,
        RemoteModels(server.url) as models,
        Telegram() as telegram,
    ):
        await models.script(wants)
        bot = Bot(kind="clawdbot", home=home, telegram=telegram, models=f"{server.url}/v1")
        settle(home, telegram, bot.models)
        (home / "plugins").mkdir(mode=0o700)
        (home / "plugins" / "disk.py").write_text(DISK)
        trusting = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clawdbot", "plugin", "trust", "disk"),
            cwd=ROOT,
            env={**os.environ, "CLAWDBOT_HOME": str(home)},
            stdout=asyncio.subprocess.DEVNULL,
        )
        if await trusting.wait():
            raise RuntimeError("The plugin was not trusted.")
        async with bot.alive():
            for chat in range(FIRST_CHAT, FIRST_CHAT + chats):
                await bot.ask(chat, "disk")  # its user's worker is warm from here on
                for words, took in (("time", without), ("disk", calling)):
                    for _ in range(each):
                        with bot.spent() as cpu:
                            await bot.ask(chat, words)
                        took.extend(cpu)
        if "total: " not in str((await models.log())[-1].body):
            raise RuntimeError("The plugin was not called.")
    turn, more = (statistics.mean(took) * 1000 for took in (without, calling))
    return {"turn CPU ms": turn, "a call in a turn CPU ms": more - turn}


async def browser(sandbox: Sandbox, folder: Path, rounds: int) -> dict[str, float]:
    """Give what the browser costs: its start, a task in the running one, memory of each."""
    async with Browsers(sandbox, folder / "browser").opened() as browsers:

        async def task() -> None:
            async with browsers.task(lambda _: nullcontext()) as tab:
                await tab.ask("POST", "url", {"url": PAGE})

        began = time.perf_counter()
        await task()
        found = {"browser start ms": (time.perf_counter() - began) * 1000}
        found["browser task ms"] = await median(task, rounds)
        async with AsyncExitStack() as stack:
            used = []
            for _ in range(4):
                tab = await stack.enter_async_context(browsers.task(lambda _: nullcontext()))
                await tab.ask("POST", "url", {"url": PAGE})
                used.append(proportional_mb(browsers.pid))
        return found | {"browser MB": used[0], "a further context MB": (used[3] - used[0]) / 3}


async def audited(home: Path, rounds: int) -> float:
    """Give the CPU of a row of the audit trail inside its transaction, in microseconds."""
    trail = Audit(Vault(MasterKey(home, {})), "bench:1")
    entry = Entry(at=0.0, kind=Kind.EFFECT, what="shell", user_id="u", turn_id="t", step="act:1",
                  decision="allow", rule="grant", arguments="ab" * 32)  # fmt: skip

    def work(tx: Tx) -> float:
        began = time.thread_time()
        for _ in range(ROWS):
            trail.append(tx, entry)
        return (time.thread_time() - began) / ROWS * 1e6

    async with sqlite.opened(home / "audit.db", Store()) as db:
        return statistics.median([await db.write(work) for _ in range(rounds)])


async def median(act: Callable[[], Awaitable[None]], rounds: int) -> float:
    """Time an act several times."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        await act()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def proportional_mb(pid: int) -> float:
    """Sum what a process and all beneath it hold, shared pages by their share."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        beneath = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it has ended
    (kilobytes,) = re.findall(r"^Pss: +(\d+)", rollup, re.MULTILINE)
    return int(kilobytes) / 1024 + sum(map(proportional_mb, map(int, beneath)))


async def main() -> None:
    """Measure, and print."""
    found = await measure()
    with tempfile.TemporaryDirectory() as folder:
        found |= await turns(Path(folder))
    for name, value in found.items():
        print(f"{name:<26}{value:8.2f}")


if __name__ == "__main__":
    asyncio.run(main())
