"""Signals, the holder of a lock, the browser; the background is tried in `test_cmd_start.py`."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import clawdbot
from clawdbot.domain.errors import Denied
from clawdbot.ops import process
from tests.patience import PATIENCE_S

ENDING = """
import asyncio
from clawdbot.ops import process

async def main():
    stop = asyncio.Event()
    with process.ending(stop.set):
        print("ready", flush=True)
        await stop.wait()
        print("ending", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
BROWSING = """
import sys, threading
from clawdbot.ops import process

from tests.patience import PATIENCE_S
process.browse(sys.argv[1])
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
"""


def python(code: str, *args: str, **more: str) -> subprocess.Popen[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(clawdbot.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdin=subprocess.PIPE,  # stays open: who reads it waits
        stdout=subprocess.PIPE,
        env=environ | more,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_the_second_ends_at_once(number: signal.Signals) -> None:
    with python(ENDING) as child:
        assert child.stdout is not None
        assert "ready\n" == child.stdout.readline()
        child.send_signal(number)
        assert "ending\n" == child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert -signal.SIGINT == child.wait(PATIENCE_S)


def test_a_lock_names_who_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert process.holder(lock) is None
    lock.write_text("123\n")
    assert process.holder(lock) is None
    with lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert 123 == process.holder(lock)
        file.truncate(0)
        assert 0 == process.holder(lock)


def test_only_the_holder_is_told_to_end(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    hold = (
        "import fcntl, sys\nf = open(sys.argv[1], 'w')\nfcntl.flock(f, 2)\nprint(1, flush=True)\n"
    )
    with python(f"{hold}sys.stdin.read()", str(lock)) as child, python("input()") as stranger:
        assert child.stdout is not None
        child.stdout.readline()
        for pid in (stranger.pid, 0, 2**22 + 1):
            with pytest.raises(Denied):
                process.end(pid, lock)
        process.end(child.pid, lock)
        assert -signal.SIGTERM == child.wait(PATIENCE_S)
        assert process.holder(lock) is None
        stranger.kill()


async def test_waiting_ends_with_the_condition_or_the_deadline() -> None:
    async def never() -> bool:
        return False

    async def at_once() -> bool:
        return True

    before = time.monotonic()
    assert await process.until(at_once, 0.0)
    assert not await process.until(never, 0.1)
    assert PATIENCE_S > time.monotonic() - before


def test_the_browser_gets_the_address_and_no_terminal(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / ("open" if sys.platform == "darwin" else "xdg-open")
    browser.write_text(f'#!/bin/sh\nread line; echo "$1 $line" > {seen}\n')
    browser.chmod(0o755)
    with python(BROWSING, "http://127.0.0.1:1/setup#a", PATH=f"{tmp_path}:/bin:/usr/bin") as child:
        assert 0 == child.wait(PATIENCE_S)
    assert "http://127.0.0.1:1/setup#a \n" == seen.read_text()
    with python(BROWSING, "http://127.0.0.1:1/", PATH="/nowhere") as child:
        assert 0 == child.wait(PATIENCE_S)
