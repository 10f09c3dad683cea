"""Who has which file, on each engine alike; and the bytes on the disk, whole or not at all."""

import hashlib
import stat
from pathlib import Path

import pytest

from clawdbot.domain.ports import Db, Tx
from clawdbot.store import conversations, media
from clawdbot.store.media import Files, Row
from tests.contract.conftest import START, add_conversation


def row(id_: str, user: str = "u", content: bytes = b"a", at: float = START) -> Row:
    hashed = hashlib.sha256(content).hexdigest()
    return Row(id_, user, hashed, f"{id_}.txt", "text/plain", len(content), at)


async def add(db: Db, *rows: Row) -> None:
    def work(tx: Tx) -> None:
        for each in rows:
            media.add(tx, each)

    await db.write(work)


async def test_a_file_is_there_for_its_user_alone(db: Db) -> None:
    await add(db, row("1"), row("2", "v"))
    assert row("1") == await db.read(lambda tx: media.get(tx, "u", "1"))
    assert None is await db.read(lambda tx: media.get(tx, "v", "1"))
    assert None is await db.read(lambda tx: media.get(tx, "u", "3"))


async def test_what_a_user_has_is_summed_up(db: Db) -> None:
    await add(db, row("1", content=b"aaa"), row("2", content=b"aaa"), row("3", "v", b"bb"))
    assert [6, 2, 0] == await db.read(lambda tx: [media.used(tx, user) for user in "uvw"])


async def test_what_is_old_and_what_was_never_sent_is_forgotten(db: Db) -> None:
    await add(db, *(row(str(n), at=START + n) for n in range(1, 6)))

    def work(tx: Tx) -> list[bool]:
        for each in "123":
            media.said(tx, each, "c", START)
        media.expire(tx, START + 1, START + 4)
        return [media.get(tx, "u", each) is not None for each in "12345"]

    assert [False, True, True, False, True] == await db.write(work)


async def test_a_forgotten_users_file_that_somebody_else_has_is_known_on(db: Db) -> None:
    both, mine = row("1", content=b"both"), row("2", content=b"mine")
    await add(db, both, mine, row("3", "v", b"both"))
    pieces = [await db.write(lambda tx: media.forget(tx, "u", 1)) for _ in range(3)]
    assert [1, 1, 0] == [len(each) for each in pieces]
    assert {both.hash, mine.hash} == {hashed for each in pieces for hashed in each}
    assert set() == await db.read(lambda tx: media.known(tx, mine.hash))
    assert {both.hash} == await db.read(lambda tx: media.known(tx, both.hash[:2]))
    assert None is await db.read(lambda tx: media.get(tx, "u", "1"))


async def test_with_its_first_conversation_a_file_is_forgotten(db: Db) -> None:
    await add(db, row("1"), row("2"), row("3"))

    def work(tx: Tx) -> list[bool]:
        add_conversation(tx, "c")
        for file, conversation in (("1", "c"), ("1", "d"), ("2", "d"), ("2", "c")):
            media.said(tx, file, conversation, START)
        conversations.forget(tx, "c", START)
        return [media.get(tx, "u", each) is not None for each in "123"]

    assert [False, True, True] == await db.write(work)


def kept(files: Files, content: bytes) -> str:
    with files.draft() as draft:
        draft.write(content)
        files.keep(draft)
        return draft.hash


def test_a_file_is_kept_by_its_hash_and_closed_to_others(tmp_path: Path) -> None:
    files = Files(tmp_path / "data" / "media")
    hashed = kept(files, b"content")
    assert hashlib.sha256(b"content").hexdigest() == hashed
    assert b"cont" == files.read(hashed, 4)
    assert b"content" == files.path(hashed).read_bytes()
    assert hashed == kept(files, b"content")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data" / "media").rglob("*")}
    assert {0o700, 0o600} == modes
    assert [] == files.drafts()


def test_what_is_not_kept_is_gone(tmp_path: Path) -> None:
    files = Files(tmp_path)
    with files.draft() as draft:
        draft.write(b"half")
        assert [draft.name] == files.drafts()
    assert [] == list(tmp_path.iterdir())


def test_what_nobody_has_is_swept_out(tmp_path: Path) -> None:
    files = Files(tmp_path)
    stays, goes = kept(files, b"stays"), kept(files, b"goes")
    (tmp_path / ".half").write_bytes(b"x")
    files.discard(files.drafts())
    sizes = [files.sweep(prefix, {stays}) for prefix in files.prefixes()]
    assert 5 == sum(sizes)
    assert b"stays" == files.read(stays, 9)
    with pytest.raises(FileNotFoundError):
        files.read(goes, 9)
    assert not (tmp_path / ".half").exists()
    files.remove(stays)
    files.remove(stays)


def test_no_link_leads_out(tmp_path: Path) -> None:
    files, outside = Files(tmp_path / "media"), tmp_path / "outside"
    outside.mkdir()
    hashed = kept(files, b"content")
    folder = tmp_path / "media" / hashed[:2]
    folder.rename(tmp_path / "moved")
    folder.symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        kept(files, b"content")
    with pytest.raises(NotADirectoryError):
        files.read(hashed, 9)
    assert [] == list(outside.iterdir())
