"""Sentences in the user's language."""

import pytest

from clawdbot.domain.text import language_of, say, spoken, told


def test_english_is_the_key() -> None:
    assert "Noted: milk" == say("en", "Noted: {text}", text="milk")


def test_chinese_comes_from_the_catalogue() -> None:
    assert "已停止。" == say("zh", "Stopped.")


def test_an_unknown_sentence_stays_english() -> None:
    assert "never translated" == say("zh", "never translated")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("zh", "zh"), ("zh-Hans-CN", "zh"), ("zh_CN.UTF-8", "zh"), ("en-GB", "en"), ("", "en")],
)
def test_language_tags_map_to_ours(tag: str, expected: str) -> None:
    assert expected == language_of(tag)


@pytest.mark.parametrize(
    ("words", "default", "expected"),
    [
        ("磁盘还剩多少", "en", "zh"),
        ("what is 磁盘", "en", "zh"),
        ("how full is my disk?", "zh", "en"),
        ("/help me with this please", "zh", "zh"),
        ("ok", "zh", "zh"),
        ("", "en", "en"),
    ],
)
def test_an_answer_is_in_the_language_of_the_words(words: str, default: str, expected: str) -> None:
    assert expected == spoken(words, default)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Stopped.", "已停止。"),
        ("127.0.0.1: Stopped.", "127.0.0.1: 已停止。"),
        ("127.0.0.1: something else", "127.0.0.1: something else"),
        ("net.ca_file: /a: Permission denied", "net.ca_file: /a: 没有权限"),
    ],
)
def test_a_sentence_behind_a_place_is_translated_too(text: str, expected: str) -> None:
    assert expected == told("zh", text)
