"""What acting costs: a box, a plugin's worker, a call, the browser. `python -m bench.hands`."""

import asyncio
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path

from clawdbot.sandbox.chromium import Browsers
from clawdbot.sandbox.profile import Box
from clawdbot.sandbox.run import Sandbox
from clawdbot.sandbox.worker import Order, Pool, Program

PLUGIN = """\
from clawdbot.plugins import system_command

@system_command.register
def nothing(params):
    pass
"""
CALL = Order(name="nothing", arguments={})
ROUNDS = 20
CALLS = 20  # a round
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
        return found | {"worker MB": statistics.median(memory)}


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


if __name__ == "__main__":
    for name, value in asyncio.run(measure()).items():
        print(f"{name:<26}{value:8.2f}")
