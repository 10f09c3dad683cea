"""The offline assistant knows what is asked of it, measured on phrases it never learned from.

The held-out phrases were written from the list of intents alone and are never edited.
"""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from clawdbot.models.intent import NONE, Intents, plain
from tests.learn import PHRASES, WEIGHTS, phrases, rows, words

HELD_OUT = Path(__file__).parents[2] / "data" / "heldout"
ACCURACY = 0.95
FALSE_ACCEPTS = 0.02


@cache
def intents() -> Intents:
    return Intents(words(), WEIGHTS.read_bytes())


def held_out(name: str) -> list[list[str]]:
    return list(rows(HELD_OUT / name))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_requests_are_told_apart(language: str) -> None:
    asked = held_out(f"{language}.tsv")
    right = Counter(intent for intent, phrase in asked if intent == intents().find(phrase))
    every = Counter(intent for intent, _ in asked)
    print(f"\n{language}: {sum(right.values())} of {len(asked)}", end=" ")
    print({intent: f"{right[intent]}/{count}" for intent, count in every.items()})
    assert 200 == len(asked)
    assert ACCURACY <= sum(right.values()) / len(asked)


def test_what_is_no_request_is_left_alone() -> None:
    asked = [*held_out("off_topic_en.tsv"), *held_out("off_topic_zh.tsv")]
    wrong = [phrase for _, phrase in asked if NONE != intents().find(phrase)]
    print(f"\nfalse accepts: {len(wrong)} of {len(asked)}")
    assert 200 == len(asked)
    assert len(wrong) / len(asked) <= FALSE_ACCEPTS


def test_nothing_was_learned_from_the_held_out_phrases() -> None:
    def bare(phrase: str) -> str:
        return "".join(filter(str.isalnum, plain(phrase)))

    tables = ("en.tsv", "zh.tsv", "off_topic_en.tsv", "off_topic_zh.tsv")
    kept = {bare(phrase) for name in tables for _, phrase in held_out(name)}
    assert [] == [phrase for _, phrase in phrases() if bare(phrase) in kept]


def test_every_intent_of_the_list_is_learned_and_measured() -> None:
    lines = (PHRASES / "en.tsv").read_text(encoding="utf-8").splitlines()
    listed = {line.split()[1] for line in lines if line.startswith("# ") and "  " in line}
    assert listed == {intent for intent, _ in phrases()}
    for language in ("en", "zh"):
        assert listed - {NONE} == {intent for intent, _ in held_out(f"{language}.tsv")}


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Hello World", "hello world"),
        ("現在幾點？", "现在几点?"),
        ("１０ＡＭ：", "10am:"),
        ("ẞİ", "ẞİ"),
    ],
)
def test_folding_keeps_every_character_s_place(text: str, folded: str) -> None:
    assert folded == plain(text)
    assert len(text) == len(plain(text))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("show my notes", ["show", "me", "note"]),
        ("Shwo my memmos!", ["show", "me", "note"]),
        ("time in new york", ["time", "after", "place"]),
        ("删除第12条筆記", ["del", "ord", "number", "ord", "note"]),
        ("frobnicate 7.5 x", ["unknown", "number", "unknown"]),
        ("", []),
    ],
)
def test_words_are_of_a_kind_in_both_languages(text: str, kinds: list[str]) -> None:
    assert kinds == [kind for _, kind in words().tokens(text)]


@pytest.mark.parametrize(
    "text", ["", " ", "!!!", "?", "\x00", "🙂", "word " * 10_000, "字" * 10_000]
)
def test_what_says_nothing_asks_nothing(text: str) -> None:
    assert NONE == intents().find(text)
