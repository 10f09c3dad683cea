"""Finding what was said, on each engine alike: by whole words, by their beginning, by phrases."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import asdict

from clawdbot.domain.errors import DiskLow
from clawdbot.domain.messages import Message, Role, Source, Text, fixed, own
from clawdbot.domain.ports import Db, Tx
from clawdbot.gateway.search import Found, Search
from clawdbot.store import conversations, search
from clawdbot.store.conversations import Entry
from clawdbot.store.words import phrases
from tests.contract.conftest import START, SqlitePlace, add_conversation, add_user


class OddError(Exception):
    """What a transaction of a test raises."""


def say(tx: Tx, position: int, *said: str, user: str = "u", conversation: str = "c") -> None:
    """Write a turn: the person's words, then the answer."""
    add_user(tx, user)
    add_conversation(tx, conversation, user)
    entry = Entry(
        conversation=conversation, position=position, session="s", turn=f"t{position}", user=user
    )
    words, *answers = said
    messages = [(own(words), 1), *((fixed(answer), 1) for answer in answers)]
    conversations.append(tx, entry, messages, START + position)


async def say_all(db: Db, *turns: tuple[str, ...]) -> None:
    def work(tx: Tx) -> None:
        for position, turn in enumerate(turns, 1):
            say(tx, position, *turn)

    await db.write(work)


async def find(db: Db, words: str, user: str = "u", **more: int) -> list[int]:
    return [found.event for found in await Search(db).find(user, words, **more)]


TURNS = (
    ("How full is the disk?", "The disk of the server is 90 % full."),
    ("我的数据库有备份吗", "数据库 昨天备份过。"),
    ("Ｃａｆé in Zürich?", "Straße 12, resume\u0301 attached."),
    ("サーバーの空き容量は", "디스크 공간이 부족합니다"),
    ("iPhone手机多少钱", "no idea"),
)


@pytest.mark.parametrize(
    ("words", "events"),
    [
        ("disk", [1]),
        ("DISK server", [1]),
        ("disk moon", []),
        ("serv", [1]),
        ("serv full", []),
        ('"the server is"', [1]),
        ('"server the"', []),
        ('"serv"', []),
        ("数据库", [2]),
        ("据库", [2]),
        ("数", [2]),
        ("吗", [2]),
        ("库备", []),
        ("备份 数据", [2]),
        ("机", [5]),
        ("iphone手", [5]),
        ("cafe zurich", [3]),
        ("strasse résumé", [3]),
        ("サーバー", [4]),
        ("バ", [4]),
        ("공간이", [4]),
        ("90 full", [1]),
    ],
)
async def test_words_are_found(db: Db, words: str, events: list[int]) -> None:
    await say_all(db, *TURNS)
    assert events == await find(db, words)


@pytest.mark.parametrize(
    "words",
    ["", "  ", '"', "* OR a", "user_id : v", "a') OR 1=1 --", "!&|:*<->", "\0\ud800", "x" * 9999],
)
async def test_no_query_breaks_out(db: Db, words: str) -> None:
    await db.write(lambda tx: say(tx, 1, "theirs: a or b", user="v"))
    assert [] == await find(db, words)


async def test_what_is_newest_comes_first_and_pages_follow(db: Db) -> None:
    await say_all(db, *((f"word number {n}",) for n in range(1, 8)))
    first = await Search(db).find("u", "number", most=3)
    assert [7, 6, 5] == [found.event for found in first]
    assert [4, 3, 2] == await find(db, "number", before=first[-1].id, most=3)


async def test_nobody_finds_what_others_said(db: Db) -> None:
    def work(tx: Tx) -> None:
        say(tx, 1, "the secret of ann", user="ann", conversation="group")
        say(tx, 2, "the secret of bob", user="bob", conversation="group")

    await db.write(work)
    assert [1] == await find(db, "secret", "ann")
    assert [2] == await find(db, "secret", "bob")
    assert [] == await find(db, "bob", "ann")
    assert [] == await find(db, "secret", "an")


async def test_a_hit_tells_where_who_and_what(db: Db) -> None:
    def work(tx: Tx) -> None:
        add_user(tx, "u")
        add_conversation(tx, "c")
        say(tx, 1, "Is the <disk> full?", "No.")
        say(tx, 2, "And tomorrow?", "The disk will be.")

    await db.write(work)
    answer, words = await Search(db).find("u", "disk")
    assert ("telegram", "", "A title", 2, START + 2, False) == told(answer)
    assert (1, True) == (words.event, words.own)
    assert ["Is the <", "disk", "> full?"] == [piece.text for piece in words.pieces]
    assert [False, True, False] == [piece.hit for piece in words.pieces]


def told(found: Found) -> tuple[object, ...]:
    return found.channel, found.name, found.title, found.event, found.at, found.own


async def test_only_what_people_see_is_found(db: Db) -> None:
    def work(tx: Tx) -> None:
        tool = Message(role=Role.TOOL, parts=(Text(text="hidden result", source=Source.TOOL),))
        entry = Entry(conversation="c", position=1, session="s", turn="t", user="u")
        add_conversation(tx, "c")
        said = [own("look"), fixed("hidden thought"), tool, fixed("the answer")]
        conversations.append(tx, entry, [(message, 1) for message in said], START)

    await db.write(work)
    assert [] == await find(db, "hidden")
    assert [1] == await find(db, "look answer")


async def test_it_is_indexed_once_a_search_asks_or_before(db: Db) -> None:
    await say_all(db, *(("a word", "an answer"),) * 50)

    def left(tx: Tx) -> int:
        found = [hit.id for hit in search.find(tx, "u", phrases("word"), 1 << 62, 99)]
        assert sorted({*found}, reverse=True) == found
        return 50 - len(found)

    assert (50, True) == (await db.read(left), await db.read(search.behind))
    assert await db.write(lambda tx: conversations.index(tx, 20))
    assert 30 == await db.read(left)
    await Search(db).catch_up()
    assert (0, False) == (await db.read(left), await db.read(search.behind))
    assert not await db.write(lambda tx: conversations.index(tx, 20))
    assert [50, 49] == (await find(db, "word"))[:2]


async def test_what_cannot_be_read_keeps_nothing_else_from_being_found(db: Db) -> None:
    def work(tx: Tx) -> None:
        odd = Entry(conversation="c", position=1, session="s", turn="t1", user="u")
        more = {"seq": 0, "body": b'{"newer":1}', "taint": 0, "tokens": 1, "at": START}
        tx.run("transcript.add", **more, **asdict(odd))
        search.later(tx, "u", "c", 1, START)
        say(tx, 2, "a word", "an answer")

    await db.write(work)
    assert [2] == await find(db, "answer")
    assert not await db.read(search.behind)


async def test_a_full_disk_keeps_nobody_from_searching(db: Db) -> None:
    await say_all(db, ("a word", "an answer"))
    assert [1] == await find(db, "word")
    await db.write(lambda tx: say(tx, 2, "another word", "an answer"))

    class Full:
        read = db.read

        async def write(self, _: object) -> None:
            raise DiskLow

    assert [1] == [each.event for each in await Search(Full()).find("u", "word")]  # type: ignore[arg-type]


async def test_what_is_forgotten_before_it_is_indexed_is_never_found(db: Db) -> None:
    def work(tx: Tx) -> None:
        say(tx, 1, "one word")
        say(tx, 2, "two words")
        say(tx, 1, "one word", user="v", conversation="d")
        conversations.supersede(tx, "c", "s", 1, "t3")
        conversations.forget(tx, "d", START)

    await db.write(work)
    assert ([2], []) == (await find(db, "wor"), await find(db, "wor", "v"))
    await db.write(lambda tx: say(tx, 3, "three words"))
    await db.write(lambda tx: search.forget(tx, "u"))
    assert not await db.read(search.behind)
    await db.write(lambda tx: say(tx, 4, "four words"))
    await db.write(lambda tx: search.forget_some(tx, "u", 99))
    assert not await db.read(search.behind)
    assert [] == await find(db, "wor")


async def test_it_is_noted_with_the_transcript_or_not_at_all(db: Db) -> None:
    def work(tx: Tx) -> None:
        say(tx, 1, "never said")
        raise OddError

    with pytest.raises(OddError):
        await db.write(work)
    assert [] == await find(db, "never")


async def test_what_is_forgotten_is_not_found(db: Db) -> None:
    def work(tx: Tx) -> None:
        say(tx, 1, "one word", conversation="c")
        say(tx, 1, "one word", conversation="d")
        say(tx, 1, "one word", user="v", conversation="e")

    await db.write(work)
    await Search(db).catch_up()
    await db.write(lambda tx: search.forget_conversation(tx, "c"))
    assert 1 == len(await find(db, "word"))
    await db.write(lambda tx: search.forget(tx, "u"))
    assert [] == await find(db, "word")
    assert [1] == await find(db, "word", "v")


async def test_a_text_of_any_kind_can_be_said(db: Db) -> None:
    odd = (
        "'quoted' \\back\\ :1 %s",
        "x" * 100_000,
        "数" * 100_000,
        "a " * 50_000,
        "\0\u202e",
        "½ﷺ",
    )
    await say_all(db, *((text, "end") for text in odd))
    assert [6, 5, 4, 3, 2, 1] == await find(db, "end")
    assert [1] == await find(db, "back quoted")
    assert [3] == await find(db, "数数数")


async def test_no_part_of_sqlites_index_keeps_a_forgotten_persons_words(tmp_path: Path) -> None:
    path = tmp_path / "clawdbot.db"

    def kept() -> int:
        query = "SELECT COUNT(*) FROM search_data WHERE instr(block, CAST('zanzibar' AS BLOB))"
        with closing(sqlite3.connect(path)) as db:
            return int(db.execute(query).fetchone()[0])

    async with SqlitePlace(path).opened() as db:
        await say_all(db, ("zanzibar",), ("other words",))
        await Search(db).catch_up()
        assert 1 == kept()
        await db.write(lambda tx: search.forget_conversation(tx, "c"))
        await db.write(lambda tx: say(tx, 3, "zanzibar"))
        await db.write(lambda tx: say(tx, 4, "more words", user="v", conversation="d"))
        await Search(db).catch_up()
        await db.write(lambda tx: search.forget(tx, "u"))
        assert 0 == kept()
        assert [4] == await find(db, "words", "v")
