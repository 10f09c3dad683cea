"""Bubblewrap's boxes: a root of mount points only, and no way to tell whose host it is."""

import os
from pathlib import Path

import pytest

from clawdbot.domain.errors import SandboxRefused
from clawdbot.sandbox.bubblewrap import Bubblewrap
from clawdbot.sandbox.process import GATE, GO, STATUS, _spawn, memory_file
from clawdbot.sandbox.profile import Bind, Box
from clawdbot.sandbox.run import SEARCH, Sandbox
from tests.integration.sandbox.conftest import marked, python, still_there


def test_no_word_of_a_box_stands_on_the_command_line(tmp_path: Path) -> None:
    box = Box(argv=("true",), env={"KEY": "a-secret"})
    command = Bubblewrap(tmp_path / "ours", SEARCH).command(box)
    assert not any("a-secret" in word for word in command.argv)
    given = b"\n".join(command.files.values())
    for word in (b"KEY\0a-secret", b"--json-status-fd\0%d" % STATUS, b"--block-fd\0%d" % GO):
        assert word in given


def test_without_bubblewrap_there_is_no_box(tmp_path: Path) -> None:
    with pytest.raises(SandboxRefused):
        Bubblewrap(tmp_path / "ours", str(tmp_path)).command(Box(argv=("true",)))


def test_a_skeleton_that_somebody_else_laid_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").symlink_to(tmp_path / "theirs")
    with pytest.raises(SandboxRefused):
        Bubblewrap(tmp_path / "ours", SEARCH).command(Box(argv=("true",)))


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        (
            "kernel/unprivileged_userns_clone",
            "0",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "/etc/apparmor.d/clawdbot-bwrap"),
        ("kernel/apparmor_restrict_unprivileged_userns", "0", ""),
    ],
)
def test_a_host_that_withholds_namespaces_is_mended_by_a_line(
    tmp_path: Path, name: str, value: str, mend: str
) -> None:
    setting = tmp_path / name
    setting.parent.mkdir()
    setting.write_text(f"{value}\n", encoding="ascii")
    remedy = Bubblewrap(tmp_path / "ours", SEARCH, tmp_path).remedy()
    assert mend in remedy
    assert bool(mend) == bool(remedy)


async def test_the_root_holds_mount_points_only(sandbox: Sandbox) -> None:
    listed = "import os\nfor at, _, names in os.walk('/'):\n    if at[1:4] in ('', 'etc'):\n"
    said = (await sandbox.run(python(f"{listed}        print(at, *names)"))).out.decode()
    there = {line.split()[0]: line.split()[1:] for line in said.splitlines()}
    assert [] == there["/"]
    assert {"group", "passwd"} <= set(there["/etc"])
    assert {"group", "passwd", "ld.so.cache", "localtime"} >= set(there["/etc"])


async def test_the_way_to_a_bind_is_read_only(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    tries = Box(
        argv=("sh", "-c", "cat /srv/deep/a/f; touch /srv/x /srv/deep/x /srv/deep/a/x /x /dev/x"),
        binds=(Bind(host=str(tmp_path / "a"), inside="/srv/deep/a"),),
    )
    (tmp_path / "a" / "f").write_text("words", encoding="utf-8")
    outcome = await sandbox.run(tries)
    assert b"words" == outcome.out
    assert 5 == outcome.err.count(b"Read-only file system")


def test_what_was_left_half_made_is_ended_at_the_next_start(tmp_path: Path) -> None:
    mark = f"601.{os.getpid()}"
    command = Bubblewrap(tmp_path / "ours", SEARCH).command(Box(argv=("sleep", mark)))
    closed, status = os.pipe()
    wait, go = os.pipe()
    os.close(closed)  # bubblewrap gives up at this, and leaves its child waiting for it
    passed = {STATUS: status, GO: wait, GATE: wait}
    passed |= {number: memory_file(content) for number, content in command.files.items()}
    os.waitpid(_spawn(command.argv, passed), 0)
    for descriptor in {*passed.values(), go}:
        os.close(descriptor)
    assert 1 == len(marked(mark))
    Bubblewrap(tmp_path / "again", SEARCH).command(Box(argv=("true",)))
    assert [] == still_there(mark)
