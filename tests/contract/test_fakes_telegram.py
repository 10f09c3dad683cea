"""The Telegram stand-in against aiogram: the platform's own client must understand every byte."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import (
    RestartingTelegram,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, Update

from tests.fakes.serving import spawned
from tests.fakes.telegram import (
    UNLIMITED,
    Fault,
    Pace,
    RemoteTelegram,
    TelegramServer,
    TelegramUser,
)
from tests.fakes.telegram.oracle import bot_at, hook, text_of, unknown_fields
from tests.fakes.telegram.world import Kind

FILES: tuple[Kind, ...] = ("photo", "voice", "document", "sticker", "video", "audio")
WITHOUT_FILE: tuple[Kind, ...] = ("location", "contact", "dice")
GROUP = -1001234567890


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(pace=UNLIMITED) as server:
        yield server


@pytest.fixture
async def bot(telegram: TelegramServer) -> AsyncIterator[Bot]:
    async with bot_at(telegram.url) as client:
        yield client


async def everything(telegram: TelegramUser, bot: Bot) -> None:
    """Have a user do everything the stand-in knows."""
    await telegram.add_user(5, "小明", "zh-hans")
    await telegram.add_group(GROUP, "Desk")
    first = await telegram.user_says(
        5, 5, "/start 你好 @clawdbot_test_bot \U0001f600 https://a.b/c"
    )
    await telegram.user_edits(5, first.message_id, "/help instead")
    await telegram.user_says(5, 5, "a reply", reply_to=first.message_id, quote="/help")
    await telegram.user_says(5, 5, "forwarded", forward_from=6)
    await telegram.user_says(5, 5, "forwarded", forward_from="Hidden Name")
    await telegram.user_says(GROUP, 5, "in a topic", thread_id=7)
    for kind in FILES:
        await telegram.user_sends(5, 5, kind, b"content", "see https://a.b", album="12")
    for kind in WITHOUT_FILE:
        await telegram.user_sends(5, 5, kind)
    keyboard = [[InlineKeyboardButton(text="Yes", callback_data="yes:1")]]
    asked = await bot.send_message(
        5, "Sure?", reply_markup=InlineKeyboardMarkup(inline_keyboard=keyboard)
    )
    await telegram.user_says(5, 5, "to the bot", reply_to=asked.message_id)
    await telegram.user_clicks(5, 5, asked.message_id, "Yes")
    await bot.send_message_draft(5, draft_id=3, text="thinking", can_stop=True)
    await telegram.user_stops(5)
    await telegram.user_blocks(5)
    await telegram.user_blocks(5, blocked=False)


async def test_every_update_is_one_that_aiogram_knows_to_the_last_field(telegram, bot):
    await everything(telegram, bot)
    emitted = telegram.world.queue
    parsed = [Update.model_validate(update) for update in emitted]
    assert [] == [field for update in parsed for field in unknown_fields(update)]
    dumped = [
        update.model_dump(mode="json", by_alias=True, exclude_unset=True) for update in parsed
    ]
    assert emitted == dumped
    kinds = {"message", "edited_message", "callback_query", "my_chat_member"}
    assert kinds | {"stopped_message_generation"} == {update.event_type for update in parsed}


async def test_everything_happens_the_same_in_its_own_process():
    async with (
        spawned("tests.fakes.telegram", "--pace", "off") as process,
        RemoteTelegram(process.url) as telegram,
        bot_at(process.url) as bot,
    ):
        await everything(telegram, bot)
        received = len(await bot.get_updates(timeout=1))
        assert 20 == received
        assert "Sure?" in [message.text for message in await telegram.chat(5) if message.from_bot]
        assert "sendMessageDraft" in [entry.method for entry in await telegram.log()]
        with pytest.raises(ValueError, match="no group -5"):
            await telegram.user_says(-5, 5, "hi")


async def test_an_update_stays_until_it_is_confirmed(telegram, bot):
    for text in ("one", "two", "three"):
        await telegram.user_says(5, 5, text)
    seen = await bot.get_updates()
    again = await bot.get_updates(limit=2)
    assert ["one", "two"] == [update.message.text for update in again]
    rest = await bot.get_updates(offset=seen[1].update_id + 1)
    assert ["three"] == [update.message.text for update in rest]
    assert [] == await bot.get_updates(offset=seen[2].update_id + 1)


async def test_a_negative_offset_keeps_the_last_updates(telegram, bot):
    for text in ("one", "two", "three"):
        await telegram.user_says(5, 5, text)
    kept = await bot.get_updates(offset=-1)
    assert ["three"] == [update.message.text for update in kept]


async def test_a_long_poll_ends_with_the_next_update(telegram, bot):
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(bot.get_updates(timeout=30))
        await telegram.wait_log(bool)
        await telegram.user_says(5, 5, "now")
    assert ["now"] == [update.message.text for update in poll.result()]


async def test_a_second_poll_ends_the_first_with_a_conflict(telegram, bot):
    async with asyncio.TaskGroup() as group:
        first = group.create_task(_failure(bot.get_updates(timeout=30)))
        await telegram.wait_log(lambda log: 1 == len(log))
        second = group.create_task(bot.get_updates(timeout=30))
        conflict = await first
        await telegram.user_says(5, 5, "for the second")
    assert isinstance(conflict, TelegramConflictError)
    assert "terminated by other getUpdates request" in conflict.message
    assert 1 == len(second.result())


async def test_polling_conflicts_with_a_webhook(telegram, bot):
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(_failure(bot.get_updates(timeout=30)))
        await telegram.wait_log(lambda log: 1 == len(log))
        await bot.set_webhook("http://127.0.0.1:9/hook")
    assert "terminated by setWebhook request" in str(poll.result())
    with pytest.raises(TelegramConflictError, match="while webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert [] == await bot.get_updates()


async def test_unwanted_updates_are_not_queued(telegram, bot):
    await bot.get_updates(allowed_updates=["message"])
    said = await telegram.user_says(5, 5, "hi")
    edited = await telegram.user_edits(5, said.message_id, "ho")
    assert 0 == edited.update_id
    assert [said.update_id] == [update.update_id for update in await bot.get_updates()]


async def test_privacy_mode_hides_what_is_not_for_the_bot():
    async with (
        TelegramServer(pace=UNLIMITED, privacy=True) as telegram,
        bot_at(telegram.url) as bot,
    ):
        await telegram.add_group(GROUP, "Desk")
        sent = await bot.send_message(GROUP, "hello all")
        told = [
            await telegram.user_says(GROUP, 5, "among us"),
            await telegram.user_says(GROUP, 5, "@clawdbot_test_bot you"),
            await telegram.user_says(GROUP, 5, "/help"),
            await telegram.user_says(GROUP, 5, "why?", reply_to=sent.message_id),
        ]
        assert [False, True, True, True] == [bool(said.update_id) for said in told]
        assert not (await bot.get_me()).can_read_all_group_messages


async def test_sending_too_fast_is_refused_with_the_time_to_wait():
    pace = Pace(chat_per_second=1, chat_burst=2, group_per_minute=3)
    async with TelegramServer(pace=pace) as telegram, bot_at(telegram.url) as bot:
        await telegram.user_says(5, 5, "hi")
        await bot.send_message(5, "1")
        await bot.send_message(5, "2")
        with pytest.raises(TelegramRetryAfter) as refused:
            await bot.send_message(5, "3")
        assert 1 == refused.value.retry_after
        await telegram.user_says(6, 6, "another chat")
        await bot.send_message(6, "1")
        await telegram.set_pace(Pace(chat_per_second=0, group_per_minute=3))
        await telegram.add_group(GROUP, "Desk")
        for text in ("1", "2", "3"):
            await bot.send_message(GROUP, text)
        with pytest.raises(TelegramRetryAfter) as refused:
            await bot.send_message(GROUP, "4")
        assert 20 == refused.value.retry_after
        await telegram.set_pace(Pace(per_second=1, chat_per_second=0))
        await bot.send_message(5, "one in all")
        with pytest.raises(TelegramRetryAfter):
            await bot.send_message(6, "two in all")
        await telegram.set_pace(UNLIMITED)
        for number in range(40):
            await bot.send_message(5, str(number))


async def test_a_webhook_gets_every_update_once_in_order(telegram, bot):
    async with hook(503, 500, 200, 404) as (url, seen):
        await telegram.user_says(5, 5, "before")
        await bot.set_webhook(url, secret_token="S3cret_-")
        for text in ("one", "two"):
            await telegram.user_says(5, 5, text)
        await telegram.wait_for(5, lambda _: 0 == len(telegram.world.queue))
        texts = [text_of(update) for _, update in seen]
        assert ["before", "before", "before", "one", "one", "two"] == texts
        assert {"S3cret_-"} == {secret for secret, _ in seen}
        info = await bot.get_webhook_info()
        assert (url, 0) == (info.url, info.pending_update_count)
        assert "Wrong response from the webhook: 404 Not Found" == info.last_error_message
        assert [503, 500, 200, 404, 200, 200] == [status for _, status in telegram.push.attempts]
        again = seen[-1][1].update_id
        await telegram.redeliver(again)
        await telegram.wait_for(5, lambda _: 7 == len(telegram.push.attempts))
        assert again == seen[-1][1].update_id


async def test_an_update_waits_for_a_webhook_that_is_down(telegram, bot, unused_tcp_port):
    await bot.set_webhook(f"http://127.0.0.1:{unused_tcp_port}/hook")
    await telegram.user_says(5, 5, "hello?")
    await telegram.wait_for(5, lambda _: 2 <= len(telegram.push.attempts))
    info = await bot.get_webhook_info()
    assert (1, "Connection refused") == (info.pending_update_count, info.last_error_message)
    async with hook() as (url, seen):
        await bot.set_webhook(url)
        await telegram.wait_for(5, lambda _: 0 == len(telegram.world.queue))
        assert ["hello?"] == [text_of(update) for _, update in seen]


async def test_deleting_a_webhook_can_drop_what_waits(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    await bot.delete_webhook(drop_pending_updates=True)
    assert [] == await bot.get_updates()


@pytest.mark.parametrize(
    ("url", "secret", "words"),
    [
        ("http://example.org/hook", "", "An HTTPS URL must be provided"),
        ("https://example.org:8080/hook", "", "only on ports 80, 88, 443 or 8443"),
        ("hook", "", "invalid webhook URL specified"),
        ("https://example.org/hook", "a b", "secret token contains unallowed characters"),
        ("https://example.org/hook", "a" * 257, "secret token is too long"),
    ],
)
async def test_a_webhook_telegram_refuses_is_refused(telegram, bot, url, secret, words):
    with pytest.raises(TelegramBadRequest, match=words):
        await bot.set_webhook(url, secret_token=secret)


async def test_faults_of_the_line_are_what_the_client_sees(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    await telegram.fault(Fault(kind="drop", method="sendMessage", skip=1, when="after"))
    await bot.send_message(5, "passes")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(5, "arrives, but nobody says so")
    await telegram.fault(Fault(kind="drop", contains="lost"))
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(5, "lost")
    await bot.send_message(5, "last")
    texts = [message.text for message in await telegram.chat(5)]
    assert ["hi", "passes", "arrives, but nobody says so", "last"] == texts
    assert [200, 0, 0, 200] == [entry.status for entry in await telegram.log("sendMessage")]


async def test_faults_of_the_server_are_what_the_client_sees(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    await telegram.fault(Fault(kind="status", status=502, method="sendMessage"))
    await telegram.fault(Fault(kind="status", status=429, retry_after=7, count=2))
    with pytest.raises(TelegramServerError):
        await bot.send_message(5, "x")
    for _ in range(2):
        with pytest.raises(TelegramRetryAfter) as refused:
            await bot.send_message(5, "x")
        assert 7 == refused.value.retry_after
    await telegram.fault(Fault(kind="status", status=500, count=0, when="after"))
    with pytest.raises((TelegramServerError, RestartingTelegram)):
        await bot.send_message(5, "arrives")
    await telegram.clear_faults()
    await bot.send_message(5, "x")
    assert ["hi", "arrives", "x"] == [message.text for message in await telegram.chat(5)]


async def test_a_method_is_held_until_it_is_released(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    await telegram.fault(Fault(kind="hold", method="sendMessage", when="after"))
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(bot.send_message(5, "held"))
        await telegram.wait_for(5, lambda chat: "held" == chat[-1].text)
        await telegram.wait_held("sendMessage")
        assert not sending.done()
        assert None is (await telegram.log())[-1].status
        await telegram.release()


async def test_a_held_request_can_be_lost_before_it_is_carried_out(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    await telegram.fault(Fault(kind="hold", method="sendMessage"))
    await telegram.fault(Fault(kind="drop", method="sendMessage"))
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(_failure(bot.send_message(5, "lost")))
        await telegram.wait_held("sendMessage")
        await telegram.release()
    assert isinstance(sending.result(), TelegramNetworkError)
    assert ["hi"] == [message.text for message in await telegram.chat(5)]


async def test_a_server_that_is_down_answers_nobody(telegram, bot):
    await telegram.fault(Fault(kind="down", seconds=60))
    with pytest.raises(TelegramNetworkError):
        await bot.get_me()
    await telegram.clear_faults()
    await bot.get_me()


async def test_what_telegram_knows_survives_its_own_death(tmp_path: Path):
    state = str(tmp_path / "state.json")
    async with (
        spawned("tests.fakes.telegram", "--state", state) as process,
        RemoteTelegram(process.url) as telegram,
        bot_at(process.url) as bot,
    ):
        await telegram.user_says(5, 5, "remember")
        await telegram.user_sends(5, 5, "voice", b"OggS")
        await bot.send_message(5, "I do")
    port = str(process.port)
    async with (
        spawned("tests.fakes.telegram", "--state", state, "--port", port) as process,
        RemoteTelegram(process.url) as telegram,
        bot_at(process.url) as bot,
    ):
        assert ["remember", "", "I do"] == [message.text for message in await telegram.chat(5)]
        pending = await bot.get_updates()
        assert ["remember", None] == [text_of(update) for update in pending]
        assert 4 == (await bot.send_message(5, "still")).message_id


async def test_the_chat_and_the_log_can_be_read_with_any_client(telegram, bot):
    await telegram.user_says(5, 5, "hi")
    await bot.get_me()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{telegram.url}/_control/chat/5") as response:
            assert "hi" == (await response.json())[0]["text"]
        async with session.get(f"{telegram.url}/_control/log") as response:
            assert ["getMe"] == [entry["method"] for entry in await response.json()]


async def _failure(call) -> Exception:
    try:
        await call
    except TelegramAPIError as error:
        return error
    raise AssertionError("it did not fail")
