"""What a request is about is cut out word for word; what is not clear is left to be asked."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdbot.models.slots import note, note_number, reminder, zone
from clawdbot.models.when import find
from tests.learn import places

NOW = datetime.fromisoformat("2026-11-22 12:04")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("note: buy milk", "buy milk"),
        ("Please note that the key is under the mat", "the key is under the mat"),
        ("Could you make a quick note? Ben's number is 555 0199", "Ben's number is 555 0199"),
        ("make a note to buy batteries", "buy batteries"),
        ("note to self: less sugar", "less sugar"),
        ("remember my passport number is C01X", "my passport number is C01X"),
        ("write that down: 12 Baker Street", "12 Baker Street"),
        ("log this as a note: 48 km", "48 km"),
        ("add butter to my notes", "butter"),
        ("put in my notes that the printer needs toner", "the printer needs toner"),
        ("keep in mind that Bob is away", "Bob is away"),
        ("note: list\n- eggs\n- milk", "list\n- eggs\n- milk"),
        ("take a note", ""),
        ("记一下：买牛奶", "买牛奶"),
        ("帮我记一下我的车牌是京A12345", "我的车牌是京A12345"),
        ("帮我记录一下里程", "里程"),
        ("笔记：做蛋糕", "做蛋糕"),
        ("记个笔记，水表读数18822", "水表读数18822"),
        ("备忘录里加一条：问小王", "问小王"),
        ("把这个存下来 https://example.org/A", "https://example.org/A"),
        ("加条笔记说会议改了", "会议改了"),
        ("記一下，明天交作業", "明天交作業"),
        ("帮我记一下", ""),
        ("frobnicate the Widget", "frobnicate the Widget"),
    ],
)
def test_a_note_keeps_its_words(text: str, kept: str) -> None:
    assert kept == note(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("delete note 2", 2),
        ("remove note #7", 7),
        ("delete the 3rd note", 3),
        ("forget the second note", 2),
        ("clear note five", 5),
        ("删除笔记3", 3),
        ("删掉第十二条笔记", 12),
        ("把2号笔记删了", 2),
        ("笔记二不要了", 2),
        ("delete a note", None),
        ("delete the last note", None),
        ("delete notes 2 and 3", None),
        ("删一条笔记", None),
        ("删除最后一条笔记", None),
    ],
)
def test_a_note_s_number_is_named_not_guessed(text: str, expected: int | None) -> None:
    assert expected == note_number(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("remind me in ten minutes to check the Oven", "check the Oven"),
        ("in half an hour remind me to move the car", "move the car"),
        ("Mum's birthday tomorrow, remind me", "Mum's birthday"),
        ("I need a reminder in 45 minutes: take the bread out", "take the bread out"),
        ("would you mind reminding me in 90 minutes that the film starts", "the film starts"),
        ("set a reminder for 3 pm to take my pills", "take my pills"),
        ("don't let me forget the meeting at 2pm", "the meeting"),
        ("tonight at nine remind me to charge the phone", "charge the phone"),
        ("set an alarm for 6:45", ""),
        ("start a 15 minute timer", ""),
        ("半小时后叫我挪车", "挪车"),
        ("明早七点叫我起床", "起床"),
        ("提醒我买牛奶，明天17:00", "买牛奶"),
        ("麻烦你在17:30的时候提醒我下班", "下班"),
        ("下午五点半提醒我给妈妈打电话", "给妈妈打电话"),
        ("设个六点四十五的闹钟", ""),
        ("十分鐘後提醒我關火", "關火"),
    ],
)
def test_a_reminder_repeats_what_is_left(text: str, words: str) -> None:
    found = find(text, NOW)
    assert found is not None
    assert words == reminder(text, found.spans)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("what time is it", ""),
        ("could you check the time for me", ""),
        ("time in Tokyo", "Asia/Tokyo"),
        ("what time is it in New York right now?", "America/New_York"),
        ("UTC time", "UTC"),
        ("time now in Asia/Kolkata please", "Asia/Kolkata"),
        ("纽约那边几点了", "America/New_York"),
        ("東京現在幾點", "Asia/Tokyo"),
        ("现在几点", ""),
        ("请问现在几点", ""),
        ("time in Atlantis", None),
        ("what time is it in Australia", None),
        ("亚特兰蒂斯现在几点", None),
    ],
)
def test_a_place_has_one_time_zone_or_none(text: str, name: str | None) -> None:
    assert name == zone(text, places())


@given(st.text(max_size=60))
def test_any_text_is_borne(text: str) -> None:
    note(text)
    note_number(text)
    reminder(text, [(0, 1)])
    zone(text, {"rome": "Europe/Rome"})


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", ["!", "1", " ", "in a ", "一", "半个", "的", "twenty-"])
def test_a_long_row_of_the_same_is_borne(piece: str) -> None:
    text = piece * (5000 // len(piece)) + "x"
    find(text, NOW)
    cuts = (note, note_number, lambda text: reminder(text, ()), lambda text: zone(text, {}))
    for cut in cuts:
        cut(text)
