"""The browser's box (`clawdbot.sandbox.launch`): what it reaches, and that it dies with us."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from clawdbot.domain.errors import ToolFailed
from clawdbot.sandbox.chromium import Browsers
from clawdbot.sandbox.run import Sandbox
from clawdbot.sandbox.tab import Refused, Tab


def nowhere(way: socket.socket) -> AbstractContextManager[None]:
    return nullcontext()


def browsers(folder: Path, **more: float) -> Browsers:
    return Browsers(Sandbox(folder / "boxes"), folder / "browser", **more)  # type: ignore[arg-type] # numbers


async def test_no_browser_is_open_when_nobody_uses_one(tmp_path: Path) -> None:
    async with browsers(tmp_path, idle_s=0.2).opened() as made:
        assert 0 == made.pid
        async with made.task(nowhere):
            pid = made.pid
            ended = os.pidfd_open(pid)
        async with made.task(nowhere):
            assert pid == made.pid  # the same one, warm
        assert await asyncio.to_thread(lambda: select.select([ended], [], [], 10)[0])
        assert 0 == made.pid
        async with made.task(nowhere) as tab:
            assert "about:blank" == await tab.ask("GET", "url")
    os.close(ended)


async def test_the_box_has_nothing_but_what_chromium_needs(tmp_path: Path) -> None:
    async with browsers(tmp_path).opened() as made, made.task(nowhere):
        everyone = [Path("/proc") / str(pid) for pid in _below(made.pid)]
        assert 5 < len(everyone)
        for process in everyone:
            routes = (process / "net/route").read_text(encoding="ascii").splitlines()
            assert 1 == len(routes), "a heading and no route"
            devices = (process / "net/dev").read_text(encoding="ascii").splitlines()
            assert ["lo"] == [line.partition(":")[0].strip() for line in devices[2:]]
            status = (process / "status").read_text(encoding="ascii")
            assert "CapEff:\t0000000000000000" in status
            assert "NoNewPrivs:\t1" in status
        assert b"" == (everyone[0] / "environ").read_bytes()  # bubblewrap's own has none
        seen = _mounts(everyone[0])
        assert {"/tmp", "/work", "/dev/shm", "/dev/pts", "/proc"} >= {
            place for place, options in seen.items() if "rw" in options.split(",")
        } - {place for place in seen if place.startswith(("/dev/", "/proc/"))}
        assert "/etc/chromium/policies/managed" in seen
        binds = {"/root", str(Path(sys.base_prefix))}  # the interpreter of the launcher
        assert binds >= {each for each in seen if each.startswith(("/root", "/home"))}


async def test_pages_together_have_a_limit_of_memory(tmp_path: Path) -> None:
    async with browsers(tmp_path).opened() as made, made.task(nowhere):
        groups = Path("/sys/fs/cgroup").glob(f"**/clawdbot-{os.getpid()}-*")
        names = ("memory.limit_in_bytes", "memory.max")
        files = (each / name for each in groups for name in names)
        limits = {file.read_text(encoding="ascii").strip() for file in files if file.exists()}
        assert {str(3072 << 20)} == limits


def _mounts(process: Path) -> dict[str, str]:
    lines = (process / "mountinfo").read_text(encoding="utf-8").splitlines()
    return {line.split()[4]: line.split()[5] for line in lines}


async def test_the_browser_s_own_pages_and_the_host_s_files_are_closed(tmp_path: Path) -> None:
    async with browsers(tmp_path).opened() as made, made.task(nowhere) as tab:
        for url in ("file:///etc/passwd", "chrome://version", "view-source:about:blank"):
            try:
                await tab.ask("POST", "url", {"url": url})
            except Refused:
                continue
            source = str(await tab.ask("GET", "source"))
            assert "box:x:1000" not in source
            assert "Chromium" not in source or "blocked" in source.lower(), url


async def test_a_browser_that_died_is_replaced(tmp_path: Path) -> None:
    async with browsers(tmp_path).opened() as made:
        async with made.task(nowhere) as tab:
            os.kill(made.pid, signal.SIGKILL)
            await _until_ended(tab)
        async with made.task(nowhere) as tab:
            assert "" == await tab.ask("GET", "title")


async def _until_ended(tab: Tab) -> None:
    for _ in range(1000):
        try:
            await tab.tell("Browser.getVersion")
        except Refused:
            return
    raise AssertionError


async def test_tasks_wait_for_room(tmp_path: Path) -> None:
    async with browsers(tmp_path, most=1).opened() as made:
        async with made.task(nowhere):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3), made.task(nowhere):
                    raise AssertionError
        async with made.task(nowhere):
            pass


async def test_where_it_is_not_installed_the_line_that_mends_it_is_told(
    tmp_path: Path,
) -> None:
    missing = Browsers(
        Sandbox(tmp_path), tmp_path, programs=(tmp_path / "chromium", Path("/bin/sh"))
    )
    async with missing.opened() as made:
        with pytest.raises(ToolFailed, match="sudo apt install chromium chromium-driver"):
            async with made.task(nowhere):
                raise AssertionError


PARENT = """
import asyncio, sys
from contextlib import nullcontext
from pathlib import Path
from clawdbot.sandbox.chromium import Browsers
from clawdbot.sandbox.run import Sandbox

async def main():
    folder = Path(sys.argv[1])
    async with Browsers(Sandbox(folder), folder).opened() as browsers:
        async with browsers.task(lambda way: nullcontext()):
            print(browsers.pid, flush=True)
            await asyncio.sleep(60)

asyncio.run(main())
"""


def test_no_browser_outlives_a_killed_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        box = int(parent.stdout.readline())
        watched = [os.pidfd_open(pid) for pid in _below(box)]
        assert len(watched) > 4
        parent.send_signal(signal.SIGKILL)
        for each in watched:
            with os.fdopen(each):
                assert select.select([each], [], [], 10)[0]


def _below(pid: int) -> list[int]:
    """List a process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(deep for child in map(int, children) for deep in _below(child))]
