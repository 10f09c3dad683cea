"""What 200 open overviews cost the service. `python -m bench.viewers`."""

import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import aiohttp
import msgspec

from bench.stage import STOP_S, cpu_s, tree
from tests.fakes.serving import ROOT

VIEWERS = 200
GOAL = 40.0  # percent of one core
SECONDS = 20.0
KNOCK_EVERY_S = 10.0
_PATIENCE_S = 60.0
_PASSWORD = "correct horse battery"
_LOCAL = "http://clawdbot"


class Viewer:
    """One open page: as the panel's script, it asks for the page anew when the mark changes."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session
        self.heard = self.asked = 0
        self.here = asyncio.Event()

    async def watch(self) -> None:
        """Watch until cancelled."""
        mark: object = None
        async with self._session.ws_connect(f"{self._url}/socket", origin=self._url) as socket:
            await socket.send_json({"type": "hello", "version": 1, "agent": "panel"})
            await socket.send_json({"type": "watch", "boards": ["pulse", "overview"]})
            async for message in socket:
                frame = msgspec.json.decode(message.data, type=dict[str, object])
                if frame.get("board") != "overview":
                    continue
                data = msgspec.convert(frame["data"], dict[str, object])
                self.heard += 1
                if mark not in {None, data["mark"]}:
                    async with self._session.get(f"{self._url}/overview") as page:
                        await page.read()
                    self.asked += 1
                mark = data["mark"]
                self.here.set()


async def measure(viewers: int = VIEWERS, seconds: float = SECONDS) -> dict[str, float]:
    """Give percents of one core, and what the viewers heard and asked for."""
    with tempfile.TemporaryDirectory(prefix="vw") as folder:
        home = Path(folder) / "home"
        async with _service(home) as pid, _logged_in(home) as (url, session):
            watching = [Viewer(url, session) for _ in range(viewers)]
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(each.watch()) for each in watching]
                async with asyncio.timeout(_PATIENCE_S):
                    for each in watching:
                        await each.here.wait()
                calm = await _percent(pid, seconds)
                heard = sum(each.heard for each in watching)
                knocking = tasks.create_task(_knock(home))
                busy = await _percent(pid, seconds)
                for task in (knocking, *running):
                    task.cancel()
            asked = sum(each.asked for each in watching)
    return {
        "calm, percent of one core": calm,
        "with a knock every 10 s, percent of one core": busy,
        "frames a viewer, calm": heard / viewers,
        "pages a viewer, with knocks": asked / viewers,
    }


@asynccontextmanager
async def _service(home: Path) -> AsyncIterator[int]:
    home.mkdir(mode=0o700)
    (home / "clawdbot.yaml").write_text("environment: test\ngateway: {port: 0}\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clawdbot", "start", "--no-browser"),
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "CLAWDBOT_HOME": str(home)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        async with asyncio.timeout(STOP_S):
            await process.wait()


@asynccontextmanager
async def _logged_in(home: Path) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Make the owner and log in; gives the address and a client that holds the log-in."""
    socket = home / "clawdbot.sock"
    async with asyncio.timeout(_PATIENCE_S):
        while not socket.exists():
            await asyncio.sleep(0.05)
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as local:
        answers = {"name": "Ann", "password": _PASSWORD, "language": "en"}
        async with local.post(f"{_LOCAL}/set_up", json=[answers]) as done:
            done.raise_for_status()
        async with local.post(f"{_LOCAL}/status", json=[]) as told:
            url = str((await told.json())["address"])
    jar, most = aiohttp.CookieJar(unsafe=True), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(cookie_jar=jar, connector=most) as session:
        form = {"name": "Ann", "password": _PASSWORD}
        async with session.post(f"{url}/login", data=form, headers={"Origin": url}) as page:
            page.raise_for_status()
        yield url, session


async def _percent(pid: int, seconds: float) -> float:
    """Measure the processor time of a process tree while nothing but time passes here."""
    loop = asyncio.get_running_loop()
    before, began = sum(map(cpu_s, tree(pid))), loop.time()
    await asyncio.sleep(seconds)
    return 100 * (sum(map(cpu_s, tree(pid))) - before) / (loop.time() - began)


async def _knock(home: Path) -> None:
    """Let somebody knock, again and again: each time every page has something new to show."""
    number = 0
    while True:
        number += 1
        with closing(sqlite3.connect(home / "data/clawdbot.db", timeout=5)) as db, db:
            row = (f"code{number}", "telegram", "4711", "Eve", "en", "", "open", 1e9, 4e9)
            db.execute("INSERT INTO pairings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        await asyncio.sleep(KNOCK_EVERY_S)


def main() -> None:
    """Measure, and print."""
    for name, value in asyncio.run(measure()).items():
        missed = " (missed)" if "percent" in name and value > GOAL else ""
        print(f"{name:46} {value:6.1f}{missed}")


if __name__ == "__main__":
    main()
