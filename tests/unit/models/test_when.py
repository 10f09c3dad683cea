"""Times of day, days and durations are read in both languages, and never guessed."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdbot.models.when import find, number, repeated

# A Sunday.
NOW = datetime.fromisoformat("2026-11-22 12:04")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("remind me in ten minutes to check the oven", 600),
        ("in 20 min about the laundry", 1200),
        ("in an hour", 3600),
        ("in half an hour remind me", 1800),
        ("in a quarter of an hour", 900),
        ("in three quarters of an hour", 2700),
        ("in an hour and a half", 5400),
        ("in two and a half hours", 9000),
        ("in 1.5 hours", 5400),
        ("in 1 hour and 30 minutes", 5400),
        ("in twenty-five minutes", 1500),
        ("in a couple of hours", 7200),
        ("10m later", 600),
        ("in 3 days", 259200),
        ("in a week", 604800),
        ("in 2 hours to run for 30 minutes", 7200),
        ("set a timer for 5 minutes", 300),
        ("start a 15 minute timer", 900),
        ("半小时后提醒我关火", 1800),
        ("半个小时以后", 1800),
        ("一个半小时后", 5400),
        ("两个半小时之后", 9000),
        ("十分钟后", 600),
        ("二十五分钟后", 1500),
        ("一百二十分钟后", 7200),
        ("過一刻鐘提醒我", 900),
        ("三小时二十分钟后", 12000),
        ("30秒后", 30),
        ("三天后", 259200),
        ("五分钟的计时器", 300),
    ],
)
def test_a_duration_counts_from_now(text: str, seconds: float) -> None:
    found = find(text, NOW)
    assert found is not None
    assert (seconds, "") == (found.in_seconds, found.at)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("at 17:30", "2026-11-22 17:30"),
        ("at 9:15", "2026-11-23 09:15"),
        ("at 8", "2026-11-22 20:00"),
        ("at five o'clock", "2026-11-22 17:00"),
        ("at 3 pm", "2026-11-22 15:00"),
        ("at 7 a.m.", "2026-11-23 07:00"),
        ("at 12am", "2026-11-23 00:00"),
        ("at half past four", "2026-11-22 16:30"),
        ("quarter to six", "2026-11-22 17:45"),
        ("ten past five", "2026-11-22 17:10"),
        ("at noon", "2026-11-23 12:00"),
        ("at midnight", "2026-11-23 00:00"),
        ("tonight at 8", "2026-11-22 20:00"),
        ("tonight at 12", "2026-11-23 00:00"),
        ("this evening", "2026-11-22 19:00"),
        ("tomorrow", "2026-11-23 09:00"),
        ("tomorrow at 9", "2026-11-23 09:00"),
        ("tomorrow morning", "2026-11-23 09:00"),
        ("tommorow at 3 in the afternoon", "2026-11-23 15:00"),
        ("the day after tomorrow at 10", "2026-11-24 10:00"),
        ("on friday at 10", "2026-11-27 10:00"),
        ("sunday evening", "2026-11-22 19:00"),
        ("sunday at 9:00", "2026-11-29 09:00"),
        ("next sunday at 18:00", "2026-11-29 18:00"),
        ("in 3 days at 9", "2026-11-25 09:00"),
        ("on december 24 at 9", "2026-12-24 09:00"),
        ("on the 3rd of March 10:00", "2027-03-03 10:00"),
        ("on the 5th at 10am", "2026-12-05 10:00"),
        ("2026-12-24 18:00", "2026-12-24 18:00"),
        ("wake me at 7", "2026-11-23 07:00"),
        ("明天早上八点", "2026-11-23 08:00"),
        ("下午五点半", "2026-11-22 17:30"),
        ("今晚八点", "2026-11-22 20:00"),
        ("晚上十二点", "2026-11-23 00:00"),
        ("中午", "2026-11-23 12:00"),
        ("八点三刻", "2026-11-22 20:45"),
        ("明早七点", "2026-11-23 07:00"),
        ("後天上午九點半", "2026-11-24 09:30"),
        ("大后天", "2026-11-25 09:00"),
        ("周五上午十点", "2026-11-27 10:00"),
        ("周日晚上", "2026-11-22 20:00"),
        ("下周二早上八点", "2026-11-24 08:00"),
        ("下下周一", "2026-11-30 09:00"),
        ("周末", "2026-11-28 09:00"),
        ("12月24日9点", "2026-12-24 09:00"),
        ("十二号上午九点", "2026-12-12 09:00"),
        ("七点的闹钟", "2026-11-23 07:00"),
    ],
)
def test_a_time_of_day_is_the_next_one(text: str, at: str) -> None:
    found = find(text, NOW)
    assert found is not None
    assert (at, 0.0) == (found.at, found.in_seconds)


@pytest.mark.parametrize(
    "text",
    ["", "remind me", "to have a day off", "at 25:00", "on february 30 at 9", "today", "十分重要",
     "早一点提醒我", "请一天假", "in 999999 weeks at 9", "2026-13-01 10:00"],
)  # fmt: skip
def test_what_is_no_clear_time_is_not_guessed(text: str) -> None:
    assert None is find(text, NOW)


@pytest.mark.parametrize("text", ["every day at 8", "each Monday", "weekly", "每天八点", "每周一"])
def test_a_repetition_is_noticed(text: str) -> None:
    assert repeated(text)


def test_the_words_of_a_time_are_told() -> None:
    text = "Remind me TOMORROW at 9 to call Ann"
    found = find(text, NOW)
    assert found is not None
    assert {"TOMORROW", "at 9"} == {text[start:end] for start, end in found.spans}


@pytest.mark.parametrize(
    ("words", "value"),
    [("7", 7), ("1.5", 1.5), ("twenty-five", 25), ("half an", 0.5), ("两", 2), ("十", 10),
     ("十二", 12), ("二十五", 25), ("一百二十", 120), ("半", 0.5)],
)  # fmt: skip
def test_numbers_are_read_in_words(words: str, value: float) -> None:
    assert value == number(words)


PIECES = st.sampled_from(
    re.findall(
        r"\S+",
        "in at on to next half quarter past an hour minutes twenty five 7 17:30 pm 99999 days of "
        "31 february the day after tomorrow monday noon 2026-02-31 . : - 零 十 百 两 半 点 分 钟 "
        "小时 后 明天 下 周 星期 三 月 日 号 早 晚 一刻",
    )
)


@given(st.lists(PIECES, max_size=12), st.sampled_from(["", " "]))
def test_any_words_are_borne(pieces: list[str], between: str) -> None:
    find(between.join(pieces), NOW)
