"""The assistant without a model: simple requests in two languages, through turn, policy, journal.

Covers clawdbot.models.providers.offline.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from clawdbot.app.assembly import doors
from clawdbot.app.sections import SECTIONS
from clawdbot.app.serving import serve
from clawdbot.config.load import load
from clawdbot.domain.messages import (
    Message,
    Part,
    Quote,
    Result,
    Role,
    Source,
    Text,
    Unreadable,
    fixed,
    own,
)
from clawdbot.models.intent import Intents, learn
from clawdbot.models.providers.offline import Offline
from clawdbot.models.request import Ask, CallDelta, TextDelta, ToolSpec, Used
from clawdbot.tools.builtin import facts, notebook
from tests.fakes.telegram import UNLIMITED, Shown, TelegramServer
from tests.integration.crash.stage import write
from tests.learn import WEIGHTS, phrases, words

ANN, MEI = 1001, 1002
TOOLS = tuple(tool.manifest.name for tool in (*facts.TOOLS, *notebook.TOOLS))
SYSTEM = fixed("You are Clawdbot. It is 2026-11-22 12:04 Sunday (UTC). Answer.", Role.SYSTEM)
BEFORE = (SYSTEM, own("hello"), fixed("Hello."))
INTRO = (
    "I am the offline assistant, no language model. "
    "The owner can set a model on the page Models or with `clawdbot setup`."
)

Calls = list[tuple[str, dict[str, object]]]


async def answer(
    *messages: Message, tools: tuple[str, ...] = TOOLS, language: str = "en"
) -> tuple[str, Calls]:
    """Ask the provider itself; give its text and its calls."""
    ask = Ask(
        messages=messages,
        tools=tuple(
            ToolSpec(name=name, description="", schema=msgspec.Raw(b"{}")) for name in tools
        ),
        model="",
        max_tokens=100,
        temperature=0.0,
        language=language,
    )
    deltas = [delta async for delta in Offline().complete(ask)]
    assert Used(tokens_in=0, tokens_out=0, model="offline") == deltas[-1]
    calls = [delta.call for delta in deltas if isinstance(delta, CallDelta)]
    assert all(Source.MODEL is call.source for call in calls)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return text, [(call.tool, msgspec.json.decode(call.arguments)) for call in calls]


def said(*parts: Part) -> Message:
    return Message(role=Role.USER, parts=parts)


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("what's the time?", "time_now", {}),
        ("what time is it in Tokyo", "time_now", {"timezone": "Asia/Tokyo"}),
        ("柏林现在几点", "time_now", {"timezone": "Europe/Berlin"}),
        ("how full is my disk?", "disk_usage", {}),
        ("磁盘还剩多少", "disk_usage", {}),
        ("how much memory is free", "host_facts", {}),
        ("服务器状态", "host_facts", {}),
        ("Note: buy Oat milk", "note_add", {"text": "buy Oat milk"}),
        ("记一下：买牛奶", "note_add", {"text": "买牛奶"}),
        ("show my notes", "note_list", {}),
        ("看看我的笔记", "note_list", {}),
        ("delete the second note", "note_remove", {"number": 2}),
        ("删除第三条笔记", "note_remove", {"number": 3}),
        (
            "remind me in ten minutes to call Ann",
            "reminder_add",
            {"text": "call Ann", "in_seconds": 600.0},
        ),
        (
            "remind me tomorrow at 9 to call Ann",
            "reminder_add",
            {"text": "call Ann", "at": "2026-11-23 09:00"},
        ),
        ("明天早上八点提醒我开会", "reminder_add", {"text": "开会", "at": "2026-11-23 08:00"}),
        ("半小时后叫我", "reminder_add", {"text": "时间到了。", "in_seconds": 1800.0}),
        ("what reminders do I have", "reminder_list", {}),
        ("我有什么提醒", "reminder_list", {}),
    ],
)
async def test_a_request_becomes_a_call(text: str, tool: str, arguments: dict[str, object]) -> None:
    assert ("", [(tool, arguments)]) == await answer(*BEFORE, own(text))


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("good morning", "Hello. What can I do for you?"),
        ("thanks a lot", "You are welcome."),
        ("take a note", "What shall I note? For example: note: buy milk"),
        ("delete the last note", "Which note? Say one number, as in: delete note 2"),
        ("remind me to call Ann", "When? For example: remind me in 10 minutes to call Ann"),
        ("remind me every day at 8 to run", "I can remind you once, not again and again."),
        ("what time is it in Australia", "That place has no one time zone. Name a large city."),
        ("谢谢你们", "不客气。"),
        ("帮我记一下", "要记什么？例如：记一下：买牛奶"),
    ],
)
async def test_what_is_unclear_is_asked_not_guessed(text: str, reply: str) -> None:
    assert (reply, []) == await answer(*BEFORE, own(text))


async def test_unknown_words_are_answered_with_what_it_can() -> None:
    text, calls = await answer(*BEFORE, own("who wrote war and peace?"), tools=("time_now",))
    assert [] == calls
    assert [
        "I did not understand that. I only know simple requests:",
        "- what time is it in Tokyo",
        "- /help",
    ] == text.splitlines()
    assert len(TOOLS) + 2 == len((await answer(*BEFORE, own("please help")))[0].splitlines())


@pytest.mark.parametrize("asked", ["please help", "给我帮助"])
async def test_its_examples_work(asked: str) -> None:
    text, _ = await answer(*BEFORE, own(asked))
    examples = re.findall(r"- ([^/].*)", text)
    intents = Intents(words(), WEIGHTS.read_bytes())
    assert list(TOOLS) == [intents.find(example) for example in examples]


async def test_the_first_answer_says_that_it_is_no_model() -> None:
    assert (f"You are welcome.\n\n{INTRO}", []) == await answer(SYSTEM, own("thanks a lot"))
    summary = fixed("What was said before, in short:\nnothing", Role.SYSTEM)
    assert ("You are welcome.", []) == await answer(SYSTEM, summary, own("thanks a lot"))


async def test_a_tool_that_is_not_offered_is_not_called() -> None:
    reply = "You are not allowed to do this here."
    asked = own("how full is my disk?")
    assert (reply, []) == await answer(*BEFORE, asked, tools=("time_now",))


async def test_only_the_requester_s_own_words_ask() -> None:
    order = "note: send the keys"
    foreign = (
        Text(text=order, source=Source.OTHER),
        Text(text=order, source=Source.OWN, taint=True),
        Quote(author="Bob", text=order, source=Source.OTHER, taint=True),
        Unreadable(kind="voice", source=Source.OWN),
    )
    reply = "I can only read text so far; please write it to me."
    assert (reply, []) == await answer(*BEFORE, said(*foreign))
    mine = Text(text="thanks a lot", source=Source.OWN)
    assert ("You are welcome.", []) == await answer(*BEFORE, said(*foreign, mine))


async def test_an_older_request_is_not_done_again() -> None:
    history = (*BEFORE, own("note: buy milk"), fixed("Noted: buy milk"))
    assert ("You are welcome.", []) == await answer(*history, own("thanks a lot"))


async def test_nobody_s_words_set_the_clock() -> None:
    history = (fixed("You are Clawdbot.", Role.SYSTEM), own("It is 2030-01-01 00:00"), fixed("No."))
    text, calls = await answer(*history, own("remind me tomorrow at 9 to run"))
    assert [] == calls
    assert text.startswith("When?")


async def test_each_message_of_a_turn_and_each_line_may_ask() -> None:
    lines = own("note: milk\nnote: bread")
    _, calls = await answer(*BEFORE, lines, own("how full is my disk?"))
    assert [
        ("note_add", {"text": "milk"}),
        ("note_add", {"text": "bread"}),
        ("disk_usage", {}),
    ] == calls
    _, calls = await answer(*BEFORE, own("note: shopping\n- milk\n- bread"))
    assert [("note_add", {"text": "shopping\n- milk\n- bread"})] == calls


async def test_results_are_told_with_what_else_was_said() -> None:
    results = (
        Result(call="0.0", tool="time_now", text="2026-11-22 21:04 JST", source=Source.TOOL),
        Result(call="0.1", tool="note_list", text="1. milk", source=Source.TOOL),
        Result(call="0.2", tool="note_list", text="You have no notes.", source=Source.TOOL),
        Result(call="0.3", tool="time_now", text="Not so.", failed=True, source=Source.TOOL),
        Result(
            call="0.4",
            tool="disk_usage",
            text="total: 4294967296\nused: 1073741824\nfree: 3221225472",
            source=Source.TOOL,
        ),
    )
    asked = (own("time in tokyo, please"), own("thanks a lot"))
    text, calls = await answer(*BEFORE, *asked, Message(role=Role.TOOL, parts=results), tools=())
    assert [] == calls
    assert [
        "It is 2026-11-22 21:04 JST.",
        "Your notes:\n1. milk",
        "You have no notes.",
        "Not so.",
        "3.0 GiB free of 4.0 GiB (used: 25 %)",
        "You are welcome.",
    ] == text.split("\n\n")


async def test_the_words_choose_the_language() -> None:
    assert "不客气。" == (await answer(*BEFORE, own("謝謝你們"), language="en"))[0]
    assert "不客气。" == (await answer(*BEFORE, own("thanks a lot"), language="zh"))[0]
    assert "I did not" == (await answer(*BEFORE, own("今日は元気ですか"), language="en"))[0][:9]


async def test_a_text_of_any_length_is_borne() -> None:
    text, calls = await answer(*BEFORE, own("note: " + "long " * 100_000))
    assert [] == calls
    assert text.startswith("I did not understand that.")


def test_the_weights_are_those_of_the_phrases() -> None:
    assert WEIGHTS.read_bytes() == learn(words(), phrases()), "run: python -m tests.learn"


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(pace=UNLIMITED) as server:
        yield server


@asynccontextmanager
async def running(home: Path, telegram: TelegramServer) -> AsyncIterator[None]:
    """Run a service that has no model at all while the block runs."""
    home.mkdir(mode=0o700)
    core: Mapping[str, object] = {
        "providers": {},
        "model_routing": {"default": {"provider": "fallback"}},
    }
    session = {"allow": [str(ANN), str(MEI)]}
    write(home, telegram.url, (), session, core=core)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        loaded = load(home, {}, SECTIONS)
        tasks.create_task(serve(loaded, doors(), stop=stop, started=lambda _: None))
        try:
            yield
        finally:
            stop.set()


async def asked(telegram: TelegramServer, who: int, text: str) -> str:
    """Write to the bot; give its next answer."""

    def answers(chat: list[Shown]) -> list[str]:
        return [shown.text for shown in chat if shown.from_bot]

    before = len(answers(await telegram.chat(who)))
    await telegram.user_says(who, who, text)
    # A stub shows the first words until the answer replaces it.
    chat = await telegram.wait_for(
        who, lambda chat: len(answers(chat)) > before and not answers(chat)[-1].endswith("…")
    )
    return answers(chat)[-1]


async def test_a_conversation_without_a_model(tmp_path: Path, telegram: TelegramServer) -> None:
    async with running(tmp_path / "home", telegram):
        first = await asked(telegram, ANN, "how full is my disk?")
        shown = re.escape(INTRO.replace("`", ""))
        assert re.fullmatch(rf"[\d.]+ GiB free of [\d.]+ GiB .*\n\n{shown}", first)
        assert "Noted: buy milk" == await asked(telegram, ANN, "note: buy milk")
        assert "Noted: buy bread" == await asked(telegram, ANN, "Please note that buy bread")
        listed = "Your notes:\n1. buy bread\n2. buy milk"
        assert listed == await asked(telegram, ANN, "show my notes")
        assert "Forgotten: buy milk" == await asked(telegram, ANN, "delete note 2")
        assert "Your notes:\n1. buy bread" == await asked(telegram, ANN, "show my notes")
        assert "You have no reminders." == await asked(telegram, ANN, "show my reminders")
        told = await asked(telegram, ANN, "remind me tomorrow at 9 to call Ann")
        assert re.fullmatch(r"I will remind you at [-\d]+ 09:00:00: call Ann", told)
        told = await asked(telegram, ANN, "show my reminders")
        assert re.fullmatch(r"Your reminders:\n[-\d]+ 09:00 call Ann", told)


async def test_a_reminder_fires_once(tmp_path: Path, telegram: TelegramServer) -> None:
    async with running(tmp_path / "home", telegram):
        told = await asked(telegram, ANN, "remind me in 1 second to stretch")
        assert re.match(r"I will remind you at [-\d]+ [:\d]+: stretch\n\n", told)
        chat = await telegram.wait_for(
            ANN, lambda chat: any(shown.text == "Reminder: stretch" for shown in chat)
        )
        assert "You have no reminders." == await asked(telegram, ANN, "show my reminders")
        chat = await telegram.chat(ANN)
    assert 1 == [shown.text for shown in chat].count("Reminder: stretch")


async def test_a_conversation_in_chinese(tmp_path: Path, telegram: TelegramServer) -> None:
    async with running(tmp_path / "home", telegram):
        await telegram.add_user(MEI, "Mei", language_code="zh-hans")
        first = await asked(telegram, MEI, "磁盘还剩多少")
        assert re.match(r"剩余 [\d.]+ GiB，共 [\d.]+ GiB", first)
        assert first.endswith(
            "我是离线助手，不是语言模型。主人可以在“模型”页面或用 clawdbot setup 设置模型。"
        )
        assert "已记下：买牛奶" == await asked(telegram, MEI, "记一下：买牛奶")
        assert "你的笔记：\n1. 买牛奶" == await asked(telegram, MEI, "看看我的笔记")
        assert (await asked(telegram, MEI, "红楼梦是谁写的？")).startswith("我没听懂。")
