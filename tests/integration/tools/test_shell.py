"""Commands in a box, for real: what they print, what they may touch, how they are ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.settings import Shell as Settings
from clawdbot.sandbox.run import Sandbox
from clawdbot.tools.builtin import files
from clawdbot.tools.builtin.shell import Shell
from clawdbot.tools.folders import Folders
from tests.integration.tools.conftest import ANN, Hand


@asynccontextmanager
async def shell(home: Path, **settings: object) -> AsyncIterator[Hand]:
    """Run a shell's life, beside the file tools of the same folders."""
    folders = Folders(home, {})
    made = Shell(cache(partial(Sandbox, home / "sandbox")), folders, replace_settings(**settings))
    async with asyncio.TaskGroup() as tasks:
        life = tasks.create_task(made.run())
        await asyncio.sleep(0)
        yield Hand((*made.tools, *files.tools(folders)))
        life.cancel()


def replace_settings(**settings: object) -> Settings:
    return Settings(**settings)  # type: ignore[arg-type] # values of a test


async def test_a_command_and_a_script_run_and_tell_their_end(tmp_path: Path) -> None:
    async with shell(tmp_path) as hand:
        assert "hello\n(run t1.1.0: exit code 0)" == await hand("shell", command=["echo", "hello"])
        told = await hand("shell", script="echo one; echo two >&2; exit 3")
        assert {"one", "two", "(run t1.2.0: exit code 3)"} == set(told.splitlines())


async def test_commands_share_the_folder_of_their_conversation_alone(tmp_path: Path) -> None:
    async with shell(tmp_path) as hand:
        await hand("shell", script="echo 你好 > note.txt")
        assert "你好" == await hand("files_read", path="note.txt")
        other = await replace(hand, conversation="c2")("shell", command=["ls", "/work"])
        assert "note.txt" not in other


async def test_nothing_of_the_host_is_within_reach(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary-5f3a")
    script = f"""
    cat {tmp_path}/secret; cat /etc/shadow; cat /proc/1/environ; ls /root /home
    python3 -c 'import socket; socket.create_connection(("127.0.0.1", 22), 1)'
    touch /usr/bin/x; echo over
    """
    async with shell(tmp_path) as hand:
        told = await hand("shell", script="set +e\n" + script)
    assert "over" in told
    assert "canary" not in told
    assert "\nroot:" not in f"\n{told}"


async def test_a_long_run_goes_on_is_read_by_pages_and_stopped(tmp_path: Path) -> None:
    script = "seq 1 5000; echo waiting; sleep 600"
    async with shell(tmp_path) as hand:
        first = await hand("shell", script=script, wait_s=1.0)
        assert first.startswith("1\n2\n3\n")
        assert "running; " in first
        assert "bytes more from 8000" in first
        second = await hand("shell_output", run="t1.1.0", start=8000, wait_s=0.1)
        assert "running" in second
        ended = await hand("shell_stop", run="t1.1.0")
        assert "waiting" in ended
        assert "exit code" in ended
        with pytest.raises(ToolFailed, match="no run"):
            await replace(hand, user=replace(ANN, id="u2"))("shell_output", run="t1.1.0")
        with pytest.raises(ToolFailed, match="no run"):
            await replace(hand, conversation="c2")("shell_stop", run="t1.1.0")


async def test_time_and_output_are_bounded(tmp_path: Path) -> None:
    async with shell(tmp_path, wall_s=1.0) as hand:
        assert "ended after 1 s" in await hand("shell", script="sleep 600", wait_s=5)
    async with shell(tmp_path, leave_mb=10**9) as hand:
        assert "the disk is almost full" in await hand("shell", command=["sleep", "600"], wait_s=10)
    async with shell(tmp_path, output_bytes=10_000) as hand:
        assert "ended: too much output" in await hand("shell", script="yes", wait_s=10)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"command": ["ls"], "script": "ls"}, {"command": ["-c", "ls"]}, {"script": "  "}],
)
async def test_neither_nor_both_is_refused(tmp_path: Path, arguments: dict[str, object]) -> None:
    async with shell(tmp_path) as hand:
        with pytest.raises(ToolFailed):
            await hand("shell", **arguments)


async def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    async with shell(tmp_path) as hand:
        assert "127" in await hand("shell", command=["no-such-program"])


async def test_without_a_service_nothing_starts(tmp_path: Path) -> None:
    made = Shell(partial(Sandbox, tmp_path / "s"), Folders(tmp_path, {}), Settings())
    with pytest.raises(ToolFailed, match="while the service does"):
        await Hand(made.tools)("shell", command=["ls"])
