"""A box runs to its end or to its limits, and nothing of it stays (`clawdbot.sandbox.process`)."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clawdbot.domain.errors import ToolFailed
from clawdbot.sandbox.bubblewrap import Bubblewrap
from clawdbot.sandbox.profile import Bind, Box, Limits
from clawdbot.sandbox.run import SEARCH, Sandbox
from tests.integration.sandbox.conftest import python, still_there

NOT_FOUND = 127
LOOK = """
import os
def is_open(number):
    try:
        return os.fstat(number) is not None
    except OSError:
        return False
print(list(filter(is_open, range(256))))
"""


async def test_a_program_runs_and_tells_how_it_ended(each: Sandbox) -> None:
    outcome = await each.run(Box(argv=("sh", "-c", "cat; echo oops >&2; exit 3")), b"words")
    assert (3, b"words", b"oops\n") == (outcome.code, outcome.out, outcome.err)
    assert not outcome.timed_out
    assert not outcome.truncated


async def test_standard_input_may_be_larger_than_a_pipe(each: Sandbox) -> None:
    given = bytes(range(256)) * 4000
    assert given == (await each.run(Box(argv=("cat",)), given)).out


async def test_the_wall_clock_ends_a_box_and_keeps_what_it_said(each: Sandbox) -> None:
    box = Box(argv=("sh", "-c", "echo early; sleep 60"), limits=Limits(wall_s=0.3))
    outcome = await each.run(box)
    assert (True, b"early\n") == (outcome.timed_out, outcome.out)


async def test_a_flood_is_cut_and_its_box_ended(each: Sandbox) -> None:
    outcome = await each.run(Box(argv=("yes",), limits=Limits(output_bytes=10_000)))
    assert (True, 10_000) == (outcome.truncated, len(outcome.out))


async def test_a_daemon_does_not_outlive_its_box(each: Sandbox) -> None:
    alive = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(50)"
    outcome = await asyncio.wait_for(each.run(python(alive)), 40)
    assert 0 == outcome.code


async def test_what_is_not_there_is_a_fault_of_the_tool(each: Sandbox) -> None:
    assert NOT_FOUND == (await each.run(Box(argv=("no-such-program",)))).code
    with pytest.raises(ToolFailed, match="/no/such/path"):
        await each.run(Box(argv=("true",), binds=(Bind(host="/no/such/path"),)))


async def test_the_disk_of_the_host_is_told_from_inside(each: Sandbox) -> None:
    figures = "import shutil\nprint(*shutil.disk_usage('/'))"
    total, used, free = map(int, (await each.run(python(figures))).out.split())
    told = subprocess.run(
        ["df", "--output=size,used,avail", "-B1", "/"], check=True, capture_output=True
    ).stdout.splitlines()[1]
    there = list(map(int, told.split()))
    assert there[0] == total
    assert abs(there[1] - used) < 64_000_000  # others write meanwhile
    assert abs(there[2] - free) < 64_000_000


async def test_the_working_folder_stays(each: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    work = Bind(host=str(folder), inside="/work", write=True)
    outcome = await each.run(Box(argv=("sh", "-c", "echo x >made"), binds=(work,)))
    assert 0 == outcome.code
    assert "x\n" == (folder / "made").read_text(encoding="utf-8")


async def test_a_box_sees_nothing_of_our_environment(
    each: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "a-secret")
    look = Box(argv=("sh", "-c", "env; cat /proc/*/environ /proc/*/cmdline || true"))
    said = (await each.run(look)).out
    assert b"PATH=" in said
    assert b"CANARY" not in said
    assert b"skeleton" not in said  # the host's paths stand on no command line either


async def test_a_descriptor_that_was_left_open_is_not_inherited(
    each: Sandbox, tmp_path: Path
) -> None:
    left = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(left, True)
    try:
        said = (await each.run(python(LOOK))).out
    finally:
        os.close(left)
    assert b"[0, 1, 2]\n" == said


async def test_an_open_box_answers_over_its_socket(each: Sandbox) -> None:
    echo = (
        "import socket\ns = socket.socket(fileno=3)\nprint('ready', flush=True)\ns.send(s.recv(9))"
    )
    async with each.opened(python(echo)) as process:
        process.sock.send(b"hello")
        assert b"ready\n" == await process.output.readline()
        assert 0 == await process.wait()
        assert b"hello" == process.sock.recv(9)


async def test_an_open_box_may_speak_on_its_standard_streams(each: Sandbox) -> None:
    async with each.opened(Box(argv=("cat",)), stdio=True) as process:
        process.sock.send(b"hello")
        loop = asyncio.get_running_loop()
        process.sock.setblocking(False)
        assert b"hello" == await asyncio.wait_for(loop.sock_recv(process.sock, 9), 10)


async def test_further_sockets_follow_the_channel(each: Sandbox) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        say = "import socket\nsocket.socket(fileno=4).send(b'out')"
        assert 0 == (await each.run(python(say), sockets=[theirs])).code
        assert b"out" == ours.recv(9)


async def test_an_open_box_ends_with_its_context(each: Sandbox) -> None:
    async with each.opened(Box(argv=("sleep", "60"))) as process:
        os.kill(process.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    assert 0 != await process.wait()


async def test_a_cancelled_run_leaves_nothing(each: Sandbox, tmp_path: Path) -> None:
    work = Bind(host=str(tmp_path), inside="/work", write=True)
    box = Box(argv=("sh", "-c", "echo >begun; sleep 60"), binds=(work,))
    before = set(children())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(each.run(box))
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0)
        task.cancel()
    assert before == set(children())


def test_a_box_starts_from_the_main_thread_only(each: Sandbox) -> None:
    caught = []

    def elsewhere() -> None:
        try:
            asyncio.run(each.run(Box(argv=("true",))))
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert [True] == ["use the main thread" in text for text in caught]


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


PARENT = """
import asyncio, sys
from pathlib import Path
from clawdbot.sandbox.bubblewrap import Bubblewrap
from clawdbot.sandbox.landlock import Landlock
from clawdbot.sandbox.profile import Box
from clawdbot.sandbox.run import SEARCH, Sandbox

async def main(folder, mechanism, mark):
    ours = Path(folder)
    maker = Landlock(ours) if mechanism == "landlock" else Bubblewrap(ours, SEARCH)
    sandbox = Sandbox(ours, [maker])
    await sandbox.mechanisms()
    print("ready", flush=True)
    async with sandbox.opened(Box(argv=("sh", "-c", f"sleep {mark} & sleep {mark}"))) as process:
        await process.wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("mechanism", ["bubblewrap", "landlock"])
@pytest.mark.parametrize("after_ms", [0, 4, 6, 8, 12, 16, 24, 48, 400])
def test_no_box_outlives_a_parent_killed_at_any_instant(
    tmp_path: Path, mechanism: str, after_ms: int
) -> None:
    mark = f"{600 + after_ms}.{os.getpid()}"  # how long it would sleep, and by what it is found
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), mechanism, mark], stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout
        assert b"ready\n" == parent.stdout.readline()
        select.select([], [], [], after_ms / 1000)
        parent.send_signal(signal.SIGKILL)
    if still_there(mark):  # at most a box that was half-made, which the next start ends
        Bubblewrap(tmp_path / "again", SEARCH).command(Box(argv=("true",)))
    assert [] == still_there(mark)
