"""What acting costs: a box from cold, a worker's start and its memory. `python -m bench.hands`."""

import asyncio
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from clawdbot.sandbox.profile import Box
from clawdbot.sandbox.python import PYTHON, PYTHON_BINDS
from clawdbot.sandbox.run import Sandbox

WORKER = "import json, socket\ns = socket.socket(fileno=3)\ns.send(b'r')\ns.recv(1)"
ROUNDS = 20


async def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Give the medians: milliseconds, and MB for what ends so."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder))
        began = time.perf_counter()
        await sandbox.mechanisms()
        found = {"self-test ms": (time.perf_counter() - began) * 1000}
        memory = []

        async def cold() -> None:
            await sandbox.run(Box(argv=("true",)))

        async def worker() -> None:
            box = Box(argv=(*PYTHON, "-c", WORKER), binds=PYTHON_BINDS)
            async with sandbox.opened(box) as process:
                process.sock.setblocking(False)
                await asyncio.get_running_loop().sock_recv(process.sock, 1)
                memory.append(proportional_mb(process.pid))

        found["cold box ms"] = await median(cold, rounds)
        found["worker start and end ms"] = await median(worker, rounds)
        return found | {"worker MB": statistics.median(memory)}


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
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    (kilobytes,) = re.findall(r"^Pss: +(\d+)", rollup, re.MULTILINE)
    beneath = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(kilobytes) / 1024 + sum(map(proportional_mb, map(int, beneath)))


if __name__ == "__main__":
    for name, value in asyncio.run(measure()).items():
        print(f"{name:<26}{value:8.1f}")
