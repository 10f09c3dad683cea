"""What does not isolate is not used: a missing mechanism, a leaking one, none at all."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from msgspec.structs import replace as changed

from clawdbot.domain.errors import BadInput, SandboxRefused
from clawdbot.sandbox import probes
from clawdbot.sandbox.bubblewrap import _ARGUMENTS, _FILTER, Bubblewrap
from clawdbot.sandbox.cgroup import Cgroups
from clawdbot.sandbox.landlock import Landlock
from clawdbot.sandbox.process import Command
from clawdbot.sandbox.profile import Bind, Box, Limits, Profile
from clawdbot.sandbox.run import SEARCH, Sandbox
from clawdbot.sandbox.selftest import Maker
from tests.integration.sandbox.battery.cases import instruction
from tests.integration.sandbox.conftest import python

OPEN_FILTER = instruction(6, 0x7FFF0000)


class Leaky(Bubblewrap):
    """Bubblewrap without a filter and with the host's processes; only its self-test ever runs."""

    def command(self, box: Box) -> Command:
        command = super().command(box)
        given = command.files[_ARGUMENTS].replace(b"--unshare-net\0", b"")
        return replace(command, files={_ARGUMENTS: given, _FILTER: OPEN_FILTER})


async def test_both_mechanisms_work_on_this_host(sandbox: Sandbox) -> None:
    found = await sandbox.mechanisms()
    assert [("bubblewrap", True, []), ("landlock", True, [])] == [
        (one.name, one.usable, one.opened) for one in found
    ]
    assert all(set(one.probes) == set(probes.probes("", 0, 0)) for one in found)


async def test_a_mechanism_that_leaks_is_not_used(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, [Leaky(tmp_path, SEARCH), Bubblewrap(tmp_path, SEARCH)])
    leaky, whole = await sandbox.mechanisms()
    assert (False, True) == (leaky.usable, whole.usable)
    assert "" == leaky.reason
    assert {"io_uring", "keyctl", "netlink", "network", "unix sockets"} <= set(leaky.opened)
    refused = python("import socket\nsocket.socket(socket.AF_UNIX)")
    assert b"PermissionError" in (await sandbox.run(refused)).err


async def test_a_broken_mechanism_is_told_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    broken = tmp_path / "bin" / "bwrap"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    makers: list[Maker] = [Bubblewrap(tmp_path, str(broken.parent)), Landlock(tmp_path)]
    found = await Sandbox(tmp_path, makers).mechanisms()
    assert [False, True] == [each.usable for each in found]
    assert "exit status 3" in found[0].reason


class Crowded(Bubblewrap):
    """A host that limits no processes."""

    def command(self, box: Box) -> Command:
        words = list(box.argv)
        at = words.index("-c") + 1
        words[at] = words[at].replace("range(8)", "range(0)")
        return super().command(changed(box, argv=tuple(words)))


async def test_root_is_told_what_an_ordinary_user_would_have(tmp_path: Path) -> None:
    (crowded,) = await Sandbox(tmp_path, [Crowded(tmp_path, SEARCH)]).mechanisms()
    assert (False, ["processes"]) == (crowded.usable, crowded.opened)
    assert "ordinary user" in crowded.reason


class Absent(Landlock):
    """Landlock as an older kernel has it: not at all."""

    def command(self, box: Box) -> Command:
        raise SandboxRefused("This kernel has no Landlock, or one that is too old.")


async def test_without_bubblewrap_landlock_is_used(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, [Bubblewrap(tmp_path, "/nowhere"), Landlock(tmp_path)])
    missing, _ = await sandbox.mechanisms()
    assert (False, "bubblewrap is not installed.") == (missing.usable, missing.reason)
    assert "sudo apt-get install bubblewrap" == missing.remedy
    box = Box(argv=("pwd",), binds=(Bind(host=str(tmp_path), inside="/work", write=True),))
    assert f"{tmp_path}\n".encode() == (await sandbox.run(box)).out


async def test_without_any_mechanism_nothing_runs(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    makers: list[Maker] = [Bubblewrap(tmp_path, "/nowhere"), Absent(tmp_path)]
    sandbox = Sandbox(tmp_path, makers)
    box = Box(argv=("touch", "ran"), binds=(Bind(host=str(work), inside="/work", write=True),))
    with pytest.raises(SandboxRefused) as refusal:
        await sandbox.run(box)
    assert "clawdbot doctor" in str(refusal.value)
    with pytest.raises(SandboxRefused):
        async with sandbox.opened(box):
            pass
    assert [] == list(work.iterdir())


async def test_a_scratch_folder_goes_with_its_box(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, [Landlock(tmp_path)])
    write = Box(argv=("sh", "-c", "mkdir a; echo words >a/b; cat a/b; pwd; echo $HOME $TMPDIR"))
    words, place, variables = (await sandbox.run(write)).out.decode().splitlines()
    assert ("words", f"{place} {place}", tmp_path / "scratch") == (
        words,
        variables,
        Path(place).parent,
    )
    assert [] == list((tmp_path / "scratch").iterdir())


def test_landlock_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot move"):
        Landlock(tmp_path).command(
            Box(argv=("true",), binds=(Bind(host=str(tmp_path), inside="/data"),))
        )
    with pytest.raises(BadInput):
        Landlock(tmp_path).command(Box(argv=("true",), profile=Profile.BROWSER))


def test_a_control_group_limits_a_box_and_goes_with_it() -> None:
    with Cgroups().made(Limits(processes=7)) as files:
        folders = [file.parent for file in files]
        assert ["7\n"] == [
            (f / "pids.max").read_text(encoding="ascii")
            for f in folders
            if (f / "pids.max").exists()
        ]
    assert not any(folder.exists() for folder in folders)
