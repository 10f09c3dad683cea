"""What the words of a text are, and where somebody's words are found again."""

import pytest

from clawdbot.store.words import Phrase, Piece, excerpt, indexed, phrases


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The DISK is full, 3.14!", "the disk is full 3 14"),
        ("foo_bar foo-bar", "foo bar foo bar"),
        ("Café re\u0301sume\u0301 ＡＢＣ Straße", "cafe resume abc strasse"),
        ("数据库", "数据 据库 库 库 据 数"),
        ("iPhone手机", "iphone 手机 机 手 机"),
        ("テスト・ｶﾞｷﾞ", "テス スト ト ガギ ギ ガ ギ ス テ ト"),
        ("검색어", "검색 색어 어 검 색 어"),
        ("½ ﷺ", "12 صلىاللهعليهوسلم"),
        ("\u202e\u200b\0 — …", ""),
    ],
)
def test_a_text_has_its_words(text: str, words: str) -> None:
    assert words == indexed([text])


def test_of_a_long_word_and_a_long_text_only_so_much_is_kept() -> None:
    for letter in "eé":
        assert 64 == len(indexed([letter * 5000]))
        assert 6001 == len(indexed([f"{letter} " * 100_000, "end"]).split())


def test_every_letter_that_is_paired_is_one_letter() -> None:
    for number in range(0x3000, 0x10000):
        lengths = [len(word) for word in indexed([chr(number) * 3]).split()]
        assert lengths[:1] != [2] or lengths == [2, 2, 1, 1], hex(number)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("disk spa", (Phrase(("disk",)), Phrase(("spa",), open=True))),
        ('"disk space"', (Phrase(("disk", "space")),)),
        ("foo-bar", (Phrase(("foo", "bar"), open=True),)),
        ("to", (Phrase(("to",)),)),
        ("数据库", (Phrase(("数据", "据库")),)),
        ("数", (Phrase(("数",), open=True),)),
        ("手 disk", (Phrase(("手",), open=True), Phrase(("disk",), open=True))),
        ("“数据 库”", (Phrase(("数据", "据", "库"), open=True),)),
        ('AND "x* OR (NEAR', (Phrase(("and",)), Phrase(("x", "or", "near")))),
        ('" * "" ^ -', ()),
    ],
)
def test_a_query_is_read(query: str, found: tuple[Phrase, ...]) -> None:
    assert found == phrases(query)


def test_a_query_without_end_is_cut() -> None:
    assert 16 == len(phrases("a1 " * 500))
    assert (Phrase(("x" * 64,), open=True),) == phrases("x" * 5000)


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        ("The disk is full.", "DISK", "The [disk] is full."),
        ("The disks are full.", "disk", "The [disk]s are full."),
        ("A full disk, a full house", '"full house"', "A full disk, a [full house]"),
        ("我的数据库在机房", "数据库", "我的[数据库]在机房"),
        ("我的数据库在机房", "机", "我的数据库在[机]房"),
        ("Café\n\n  au lait", "cafe au", "[Café] [au] lait"),
        ("Café au lait", "tea", ""),
        ("x " * 100 + "here", "here", "…" + "x " * 20 + "[here]"),
        ("here" + " x" * 200, "here", "[here]" + " x" * 98 + "…"),
        ("<b>disk</b>", "disk", "<b>[disk]</b>"),
    ],
)
def test_an_excerpt_shows_what_was_looked_for(text: str, query: str, shown: str) -> None:
    assert shown == marked(excerpt(text, phrases(query)))


def marked(pieces: tuple[Piece, ...]) -> str:
    return "".join(f"[{piece.text}]" if piece.hit else piece.text for piece in pieces)
