"""The bot's methods against aiogram: what Telegram refuses is refused, in Telegram's words."""

import re
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.enums import MessageEntityType
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNotFound,
    TelegramUnauthorizedError,
)
from aiogram.types import BotCommand, InlineKeyboardButton, InlineKeyboardMarkup
from aiogram.types import ReplyParameters as ReplyTo
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.telegram import (
    UNLIMITED,
    TelegramServer,
)
from tests.fakes.telegram.markup import BadMarkup, parse, utf16
from tests.fakes.telegram.oracle import bot_at

MODES = ("HTML", "MarkdownV2", "Markdown")
GROUP = -1001234567890


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(pace=UNLIMITED) as server:
        yield server


@pytest.fixture
async def bot(telegram: TelegramServer) -> AsyncIterator[Bot]:
    async with bot_at(telegram.url) as client:
        yield client


@given(st.text(max_size=300))
def test_escaped_text_is_itself(text: str):
    html = text.replace("&", "&amp;").replace("<", "&lt;")
    assert (text, []) == parse(html, "HTML")
    marks = re.sub(r"([_*\[\]()~`>#+\-=|{}.!\\])", r"\\\1", text)
    assert (text, []) == parse(marks, "MarkdownV2")


@given(st.text("ab<>/&;=\"' \n_*[]()~`!|\\\U0001f600", max_size=60), st.sampled_from(MODES))
def test_any_markup_is_read_or_refused(text: str, mode: str):
    try:
        shown, entities = parse(text, mode)
    except BadMarkup:
        return
    assert all(0 <= e.offset < e.offset + e.length <= utf16(shown) for e in entities)


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("", None, "message text is empty"),
        (" \n ", None, "text must be non-empty"),
        ("x" * 4097, None, "message is too long"),
        ("\U0001f600" * 2049, None, "message is too long"),
        ("<b>bold", "HTML", 'Can\'t find end tag corresponding to start tag "b"'),
        ("a < b", "HTML", 'Unsupported start tag "" at byte offset 2'),
        ("\u00e9<think>", "HTML", 'Unsupported start tag "think" at byte offset 2'),
        ("<b>x</i>", "HTML", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "HTML", "Unexpected end tag at byte offset 1"),
        ("1. first", "MarkdownV2", "Character '.' is reserved and must be escaped"),
        ("*bold", "MarkdownV2", "Can't find end of Bold entity at byte offset 0"),
        ("[a](b", "MarkdownV2", "Can't find end of a URL at byte offset 4"),
        ("`code", "MarkdownV2", "Can't find end of Code entity at byte offset 0"),
        ("a_b", "Markdown", "Can't find end of the entity starting at byte offset 1"),
        ("x", "Rich", "unsupported parse_mode"),
    ],
)
async def test_a_text_telegram_refuses_is_refused(telegram, bot, text, mode, words):
    await telegram.user_says(5, 5, "hi")
    with pytest.raises(TelegramBadRequest) as refused:
        await bot.send_message(5, text, parse_mode=mode)
    assert words in refused.value.message
    assert 1 == len(await telegram.chat(5))


@pytest.mark.parametrize(
    ("text", "mode", "shown", "kinds"),
    [
        ("<b>a <i>b</i></b> &lt;&amp;", "HTML", "a b <&", ["bold", "italic"]),
        ('<a href="https://a.b">x</a>', "HTML", "x", ["text_link"]),
        ('<pre><code class="language-py">x</code></pre>', "HTML", "x", ["pre"]),
        ("<blockquote>q</blockquote>&nbsp;", "HTML", "q&nbsp;", ["blockquote"]),
        ("*a _b_* 1\\.", "MarkdownV2", "a b 1.", ["bold", "italic"]),
        ("__u__ ~s~ ||h||", "MarkdownV2", "u s h", ["underline", "strikethrough", "spoiler"]),
        ("```py\nx = [1]\n```", "MarkdownV2", "x = [1]", ["pre"]),
        ("`a.b`", "MarkdownV2", "a.b", ["code"]),
        (">q\\.\n>r\nx", "MarkdownV2", "q.\nr\nx", ["blockquote"]),
        ("[t\\_](https://a.b/\\))", "MarkdownV2", "t_", ["text_link"]),
        ("*a* _b_ `c` [d](https://e.f)", "Markdown", "a b c d", ["bold", "italic", "code"]),
        ("  \U0001f600 /start ", None, "\U0001f600 /start", ["bot_command"]),
    ],
)
async def test_markup_becomes_text_and_entities(telegram, bot, text, mode, shown, kinds):
    await telegram.user_says(5, 5, "hi")
    sent = await bot.send_message(5, text, parse_mode=mode)
    assert shown == sent.text
    assert kinds == [entity.type for entity in sent.entities][: len(kinds)]
    marked = [entity.extract_from(shown) for entity in sent.entities]
    assert all(part.strip() for part in marked)


async def test_offsets_count_utf16_units(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    sent = await bot.send_message(5, "\U0001f600<b>x</b>", parse_mode="HTML")
    assert [(MessageEntityType.BOLD, 2, 1)] == [(e.type, e.offset, e.length) for e in sent.entities]


async def test_exactly_4096_units_are_sent(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    sent = await bot.send_message(5, "\U0001f600" * 2048)
    assert 2048 == len(sent.text)


async def test_edits_are_as_strict_as_telegrams(telegram, bot):
    said = await telegram.user_says(5, 5, "hi")
    sent = await bot.send_message(5, "one")
    with pytest.raises(TelegramBadRequest, match="message is not modified: specified new"):
        await sent.edit_text("one ")
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await bot.edit_message_text("x", chat_id=5, message_id=99)
    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await bot.edit_message_text("x", chat_id=5, message_id=said.message_id)
    with pytest.raises(TelegramBadRequest, match="MESSAGE_TOO_LONG"):
        await sent.edit_text("x" * 4097)
    edited = await sent.edit_text("<b>one</b>", parse_mode="HTML")
    assert edited.edit_date
    shown = (await telegram.chat(5))[-1]
    assert (["one", "one"], 1, True) == (shown.history, shown.edits, shown.from_bot)
    await sent.delete()
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await sent.edit_text("gone")


async def test_replies_name_the_message_they_answer(telegram, bot):
    said = await telegram.user_says(5, 5, "hi")
    sent = await bot.send_message(5, "yes?", reply_parameters=ReplyTo(message_id=said.message_id))
    assert "hi" == sent.reply_to_message.text
    assert said.message_id == (await telegram.chat(5))[-1].reply_to
    with pytest.raises(TelegramBadRequest, match="message to be replied not found"):
        await bot.send_message(5, "x", reply_parameters=ReplyTo(message_id=77))


async def test_who_the_bot_may_not_write_to(telegram, bot):
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(5, "never met")
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message("@nobody", "x")
    await telegram.user_says(5, 5, "hi")
    await telegram.user_blocks(5)
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(5, "x")


async def test_a_wrong_token_is_refused(telegram):
    async with bot_at(telegram.url, "1:wrong") as stranger:
        with pytest.raises(TelegramUnauthorizedError):
            await stranger.get_me()


async def test_an_unknown_method_is_not_found(telegram, bot):
    with pytest.raises(TelegramNotFound, match="method not found"):
        await bot.get_my_star_balance()
    assert ["getMyStarBalance"] == [entry.method for entry in await telegram.log()]


async def test_buttons_are_checked_clicked_and_answered(telegram, bot):
    await telegram.user_says(5, 5, "hi")

    def keyboard(data: str) -> InlineKeyboardMarkup:
        button = InlineKeyboardButton(text="Yes", callback_data=data)
        return InlineKeyboardMarkup(inline_keyboard=[[button]])

    with pytest.raises(TelegramBadRequest, match="BUTTON_DATA_INVALID"):
        await bot.send_message(5, "?", reply_markup=keyboard("\u6211" * 22))
    sent = await bot.send_message(5, "?", reply_markup=keyboard("y" * 64))
    clicked = await telegram.user_clicks(5, 5, sent.message_id, "Yes")
    query = (await bot.get_updates(offset=clicked.update_id))[0].callback_query
    assert "y" * 64 == query.data
    await bot.answer_callback_query(query.id, text="done")
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query(query.id)
    assert {query.id: "done"} == (await telegram.state()).answers
    await sent.edit_text("?!")
    with pytest.raises(LookupError, match="no button"):
        await telegram.user_clicks(5, 5, sent.message_id, "Yes")


async def test_a_draft_is_shown_until_the_message(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    await telegram.add_group(GROUP, "Desk")
    await bot.send_message_draft(5, draft_id=1, text="thin")
    await bot.send_message_draft(5, draft_id=1, text="thinking")
    view = await telegram.wait_view(5, lambda seen: 2 == seen.drafts)
    assert ("thinking", 1) == (view.draft, len(view.messages))
    await bot.send_message(5, "thought")
    assert None is (await telegram.wait_view(5, lambda seen: 2 == len(seen.messages))).draft
    with pytest.raises(TelegramBadRequest, match="TEXTDRAFT_PEER_INVALID"):
        await bot.send_message_draft(GROUP, draft_id=1, text="x")


async def test_a_group_that_moved_takes_no_message_and_what_it_has_can_be_edited(telegram, bot):
    await telegram.add_group(-77, "Desk", supergroup=False)
    sent = await bot.send_message(-77, "one")
    await telegram.upgrade(-77, 5, GROUP)
    left, come = [update.message for update in await bot.get_updates()]
    assert (-77, "group", GROUP) == (left.chat.id, left.chat.type, left.migrate_to_chat_id)
    assert (GROUP, "supergroup", -77) == (come.chat.id, come.chat.type, come.migrate_from_chat_id)
    assert "Desk" == come.sender_chat.title
    for refused in (bot.send_message(-77, "two"), bot.send_chat_action(-77, "typing")):
        with pytest.raises(TelegramMigrateToChat) as caught:
            await refused
        assert GROUP == caught.value.migrate_to_chat_id
    await sent.edit_text("one, changed")
    await bot.send_message(GROUP, "two")
    assert ["one, changed"] == await telegram.answers(-77)
    assert ["two"] == await telegram.answers(GROUP)


async def test_small_methods(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    me = await bot.get_me()
    assert ("clawdbot_test_bot", True) == (me.username, me.can_read_all_group_messages)
    await bot.send_chat_action(5, "typing")
    assert "typing" == (await telegram.wait_view(5, lambda _: True)).action
    with pytest.raises(TelegramBadRequest, match="wrong parameter action"):
        await bot.send_chat_action(5, "dancing")
    await bot.set_my_commands([BotCommand(command="new", description="Begin anew")])
    named = (await telegram.state()).commands
    assert {"": [{"command": "new", "description": "Begin anew"}]} == named
    with pytest.raises(TelegramBadRequest, match="BOT_COMMAND_INVALID"):
        await bot.set_my_commands([BotCommand(command="New", description="x")])


async def test_a_file_can_be_fetched(telegram, bot):
    await telegram.user_sends(5, 5, "voice", b"OggS")
    voice = (await bot.get_updates())[0].message.voice
    file = await bot.get_file(voice.file_id)
    content = await bot.download_file(file.file_path)
    assert (b"OggS", 4) == (content.read(), file.file_size)
    with pytest.raises(TelegramBadRequest, match="wrong file_id"):
        await bot.get_file("nothing")
