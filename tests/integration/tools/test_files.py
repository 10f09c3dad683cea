"""Files beneath granted folders and nowhere else, whatever a path, a link or a race tries.

Covers clawdbot.tools.builtin.files, clawdbot.tools.folders, clawdbot.tools.beneath.
"""

import os
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from clawdbot.domain.errors import Denied, ToolFailed
from clawdbot.domain.settings import FileRoot
from clawdbot.sandbox.profile import WORK
from clawdbot.tools.beneath import READ_MOST, Beneath
from clawdbot.tools.builtin import files
from clawdbot.tools.folders import Folders
from tests.integration.tools.conftest import ANN, Hand, tree

SECRET = "not for the assistant"


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    """Give a hand with a root to read, one to write, and a secret beside them."""
    for name in ("docs", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "docs" / "plan.txt").write_text("one\ntwo\nthree\n")
    roots = {
        "docs": FileRoot(path=str(tmp_path / "docs")),
        "notes": FileRoot(path=str(tmp_path / "notes"), write=True),
    }
    return Hand(files.tools(Folders(tmp_path / "home", roots)))


async def test_a_file_is_written_read_patched_listed_and_found(hand: Hand) -> None:
    await hand("files_write", path="a/b.txt", text="eins\nzwei\n你好\n")
    assert "zwei\n你好" == await hand("files_read", path="a/b.txt", first_line=2)
    await hand("files_patch", path="a/b.txt", old="zwei", new="drei")
    assert "eins\ndrei\n你好" == await hand("files_read", path=f"{WORK}/a/b.txt")
    assert "a/\na/b.txt  17" in await hand("files_list")
    assert "a/b.txt:3: 你好" == await hand("files_search", text="你好")


async def test_a_long_file_is_read_page_by_page(hand: Hand) -> None:
    await hand("files_write", path="long", text="\n".join(str(n) for n in range(1, 1001)))
    page = await hand("files_read", path="long", lines=100)
    assert page.endswith("100\n(1000 lines in all; go on at 101)")
    assert (await hand("files_read", path="long", first_line=1000)) == "1000"


async def test_a_root_is_read_or_written_as_granted(hand: Hand, tmp_path: Path) -> None:
    assert "one\ntwo\nthree" == await hand("files_read", path="/docs/plan.txt")
    with pytest.raises(Denied, match="may only be read"):
        await hand("files_write", path="/docs/plan.txt", text="")
    await hand("files_write", path="/notes/x", text="y")
    assert "y" == (tmp_path / "notes" / "x").read_text()


async def test_conversations_and_users_do_not_share(hand: Hand) -> None:
    await hand("files_write", path="mine", text="x")
    with pytest.raises(ToolFailed):
        await replace(hand, conversation="c2")("files_read", path="mine")
    member = replace(hand, user=replace(ANN, role="member"))
    with pytest.raises(ToolFailed, match="no root /docs; there are: /work"):
        await member("files_read", path="/docs/plan.txt")


LEXICAL = ["../secret.txt", "/docs/../secret.txt", "/docs/./../secret.txt", "a/../../secret.txt"]
STRANGE = ["/etc/passwd", "/docs/plan.txt\0", "/docs", "", "/docs//../x"]
PLANTED = ["/docs/link", "/docs/folder/secret.txt", "/docs/pipe"]


@pytest.mark.parametrize("path", [*LEXICAL, *STRANGE, *PLANTED])
async def test_no_path_leads_out(hand: Hand, tmp_path: Path, path: str) -> None:
    (tmp_path / "docs" / "link").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "docs" / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "docs" / "pipe")
    before = tree(tmp_path / "docs")
    with pytest.raises((ToolFailed, Denied)):
        await hand("files_read", path=path)
    if path not in PLANTED:
        with pytest.raises((ToolFailed, Denied)):
            await hand("files_write", path=path.replace("/docs", "/notes"), text="x")
    assert SECRET == (tmp_path / "secret.txt").read_text()
    assert before == tree(tmp_path / "docs")


@pytest.mark.parametrize("name", ["link", "pipe", "folder"])
async def test_what_is_no_ordinary_file_is_not_replaced(
    hand: Hand, tmp_path: Path, name: str
) -> None:
    notes = tmp_path / "notes"
    (notes / "link").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(notes / "pipe")
    (notes / "folder").mkdir()
    with pytest.raises(ToolFailed, match="no ordinary file"):
        await hand("files_write", path=f"/notes/{name}", text="x")
    assert SECRET == (tmp_path / "secret.txt").read_text()
    assert {"link", "pipe", "folder"} == {path.name for path in notes.iterdir()}


async def test_a_patch_that_does_not_fit_changes_nothing(hand: Hand) -> None:
    await hand("files_write", path="a", text="xx yy xx")
    for old in ("xx", "zz", ""):
        with pytest.raises(ToolFailed, match="not once"):
            await hand("files_patch", path="a", old=old, new="-")
    assert "xx yy xx" == await hand("files_read", path="a")


async def test_what_is_no_text_or_too_large_is_said(hand: Hand, tmp_path: Path) -> None:
    (tmp_path / "docs" / "bytes").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "docs" / "large").write_bytes(b"a" * (READ_MOST + 1))
    with pytest.raises(ToolFailed, match="is no text"):
        await hand("files_read", path="/docs/bytes")
    with pytest.raises(ToolFailed, match="larger than 4 MiB"):
        await hand("files_read", path="/docs/large")


def test_a_folder_that_is_swapped_for_a_link_while_we_look_shows_nothing_of_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").write_text(SECRET)
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "real" / "f").write_text("harmless")
    (root / "fake").symlink_to(tmp_path / "outside")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (root / "real").rename(root / "spare")
            (root / "fake").rename(root / "real")
            (root / "real").rename(root / "fake")
            (root / "spare").rename(root / "real")

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        for _ in range(3000):
            try:
                seen.add(Beneath(root).read("real/f"))
            except ToolFailed:
                seen.add(b"refused")
    finally:
        stop.set()
        swapper.join()
    assert {b"harmless", b"refused"} >= seen
