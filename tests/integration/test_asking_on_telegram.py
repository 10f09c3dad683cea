"""Questions on Telegram: buttons in private, words that count, nothing of it in a group.

Covers clawdbot.conversation.asking and clawdbot.gateway.approvals.
"""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from clawdbot.app.assembly import doors
from clawdbot.app.sections import SECTIONS
from clawdbot.app.serving import serve
from clawdbot.config.load import load
from tests.fakes.telegram import UNLIMITED, Said, Shown, TelegramServer
from tests.integration.crash.stage import Rules, write
from tests.integration.gateway.test_approvals import PAY, Bank
from tests.integration.test_spine import ANN, GROUP, OWNER, make_owner
from tests.patience import PATIENCE_S

LONG = [f"line {number} of what will be written" for number in range(400)]
RULES: Rules = [
    *PAY,
    {
        "when": "novel",
        "calls": [{"tool": "pay", "arguments": {"to": "\n".join(LONG), "amount": 1}}],
    },
]
BUTTONS = [
    *("Yes, once", "Yes, in this conversation", "Always exactly this"),
    *("No", "Never exactly this"),
]
WAITS = "This needs a yes. I have asked in private, and on the panel."


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(pace=UNLIMITED) as server:
        yield server


@asynccontextmanager
async def running(folder: Path, telegram: TelegramServer, **turns: float) -> AsyncIterator[Bank]:
    """Run a service with a bank and an owner on Telegram."""
    home, counter = folder / "home", Bank()
    if not (home / "data").exists():
        await make_owner(home)
    write(home, telegram.url, RULES, {}, core={"turns": turns})
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        loaded, outside = load(home, {}, SECTIONS), replace(doors(), tools=counter.tools)
        tasks.create_task(serve(loaded, outside, stop=stop, started=lambda _: None))
        try:
            yield counter
        finally:
            stop.set()


def texts(chat: list[Shown]) -> list[str]:
    return [shown.text for shown in chat if shown.from_bot]


def labels(shown: Shown) -> list[str]:
    return [button.text for row in shown.buttons for button in row]


async def asked(telegram: TelegramServer, chat: int = OWNER) -> Shown:
    """Wait for a question with buttons."""
    found = await telegram.wait_for(chat, lambda chat: any(s.buttons for s in chat))
    return next(shown for shown in reversed(found) if shown.buttons)


async def ended(telegram: TelegramServer, question: Shown, chat: int = OWNER) -> Shown:
    """Wait until a question's buttons are gone."""

    def gone(chat: list[Shown]) -> bool:
        return any(s.id == question.id and not s.buttons for s in chat)

    found = await telegram.wait_for(chat, gone)
    return next(shown for shown in found if shown.id == question.id)


async def noticed(telegram: TelegramServer, click: Said) -> str | None:
    """Wait for what the app shows for a press."""
    async with asyncio.timeout(PATIENCE_S):
        while (said := (await telegram.state()).answers[click.query_id]) is None:
            await asyncio.sleep(0.01)
    return said


async def test_a_press_allows_once_and_the_buttons_go_away(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path, telegram) as counter:
        await telegram.user_says(OWNER, OWNER, "pay the rent")
        question = await asked(telegram)
        assert BUTTONS == labels(question)
        assert all(len((b.callback_data or "").encode()) <= 64 for r in question.buttons for b in r)
        assert '{"amount":900,"to":"landlord"}' in question.text
        # Twice, as an impatient person does, before the first press is answered.
        first = await telegram.user_clicks(OWNER, OWNER, question.id, "Yes, once")
        second = await telegram.user_clicks(OWNER, OWNER, question.id, "Yes, once")
        assert "Allowed." == await noticed(telegram, first)
        assert "This was answered already, or is too old." == await noticed(telegram, second)
        after = await ended(telegram, question)
        assert after.text.startswith(question.text)
        assert after.text.endswith("\n\nAllowed.")
        done = "paid 900 to landlord"
        chat = await telegram.wait_for(OWNER, lambda chat: done == chat[-1].text)
        assert [after.text, done] == texts(chat)
        assert 1 == len(counter.paid)


async def test_a_press_of_somebody_else_answers_nothing(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path, telegram) as counter:
        await telegram.user_says(OWNER, OWNER, "pay the rent")
        question = await asked(telegram)
        click = await telegram.user_clicks(OWNER, ANN, question.id, "Yes, once")
        assert "" == await noticed(telegram, click)
        await telegram.user_says(ANN, ANN, f"YES {code_in(question)}")
        await telegram.wait_for(ANN, lambda chat: "Nothing waits for this answer." in texts(chat))
        assert BUTTONS == labels(await asked(telegram))
        assert [] == counter.paid


async def test_in_a_group_only_that_something_waits(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path, telegram) as counter:
        await telegram.user_says(OWNER, OWNER, "hello")
        await telegram.add_group(GROUP, "Friends")
        await telegram.user_says(GROUP, OWNER, "@clawdbot_test_bot pay the rent")
        question = await asked(telegram)
        group = await telegram.wait_for(GROUP, lambda chat: WAITS in texts(chat))
        assert [WAITS] == texts(group)
        # What is said in front of others is no answer.
        await telegram.user_says(GROUP, OWNER, f"YES {code_in(question)}")
        await telegram.user_clicks(OWNER, OWNER, question.id, "No")
        assert (await ended(telegram, question)).text.endswith("Not done.")
        assert [] == counter.paid


def code_in(question: Shown) -> str:
    [code] = re.findall(r"Answer YES (\d{4})", question.text)
    return str(code)


async def test_words_answer_and_what_is_forwarded_does_not(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path, telegram) as counter:
        await telegram.user_says(OWNER, OWNER, "pay the rent")
        question = await asked(telegram)
        code = code_in(question)
        await telegram.user_says(OWNER, OWNER, f"yes {code}", forward_from=ANN)
        await telegram.wait_for(OWNER, lambda chat: chat[-1].text.startswith("echo:"))
        assert [] == counter.paid
        # An answer to the question's own message counts, though it quotes it.
        await telegram.user_says(OWNER, OWNER, f"同意 {code}", reply_to=question.id)
        await ended(telegram, question)
        await telegram.wait_for(OWNER, lambda chat: "paid 900 to landlord" == chat[-1].text)
        assert "Allowed." in texts(await telegram.chat(OWNER))


async def test_a_long_plan_is_shown_whole_with_buttons_on_its_last_part(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path, telegram) as counter:
        await telegram.user_says(OWNER, OWNER, "novel")
        question = await asked(telegram)
        shown = [each for each in await telegram.chat(OWNER) if each.from_bot]
        assert len(shown) > 3
        assert [question.id] == [each.id for each in shown if each.buttons]
        assert shown[-1].id == question.id
        whole = "".join("".join(each.text for each in shown).split())
        assert ("\\n".join(LONG)).replace(" ", "") in whole
        await telegram.user_clicks(OWNER, OWNER, question.id, "Yes, once")
        await ended(telegram, question)
        assert await until_paid(counter)


async def until_paid(counter: Bank) -> bool:
    async with asyncio.timeout(PATIENCE_S):
        while not counter.paid:
            await asyncio.sleep(0.01)
    return len(counter.paid) == 1


async def test_what_is_late_or_taken_back_loses_its_buttons(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path, telegram, approval_s=0.3) as counter:
        await telegram.user_says(OWNER, OWNER, "pay the rent")
        question = await asked(telegram)
        assert (await ended(telegram, question)).text.endswith("Nobody answered in time; not done.")
        assert [] == counter.paid
    async with running(tmp_path, telegram) as counter:
        await telegram.user_says(OWNER, OWNER, "pay the rent")
        question = await asked(telegram)
        await telegram.user_says(OWNER, OWNER, "/stop")
        assert (await ended(telegram, question)).text.endswith("Taken back; not done.")
        assert [] == counter.paid


async def test_a_restored_store_knows_no_older_button(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path, telegram):
        await telegram.user_says(OWNER, OWNER, "pay the rent")
        question = await asked(telegram)
    with closing(sqlite3.connect(tmp_path / "home/data/clawdbot.db")) as db, db:
        db.execute("UPDATE meta SET value = '01K0000000NEWEPOCH00000000' WHERE key = 'epoch'")
    async with running(tmp_path, telegram) as counter:
        click = await telegram.user_clicks(OWNER, OWNER, question.id, "Yes, once")
        assert "This button no longer works." == await noticed(telegram, click)
        assert [] == counter.paid


async def test_what_a_member_may_not_is_asked_of_the_owner(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path, telegram) as counter:
        await telegram.user_says(OWNER, OWNER, "hello")
        await telegram.add_user(ANN, "Ann")
        await telegram.user_says(ANN, ANN, "pay the rent")
        question = await asked(telegram)
        assert ["Yes, once", "No", "Never exactly this"] == labels(question)
        assert question.text.startswith("Asked by Ann: may I do this?")
        await telegram.wait_for(ANN, lambda chat: WAITS in texts(chat))
        click = await telegram.user_clicks(OWNER, OWNER, question.id, "Yes, once")
        assert "Allowed." == await noticed(telegram, click)
        await telegram.wait_for(ANN, lambda chat: "paid 900 to landlord" == chat[-1].text)
        assert ["900 to landlord for Ann"] == counter.paid


async def test_what_is_refused_for_good_is_not_asked_again(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path, telegram) as counter:
        await telegram.user_says(OWNER, OWNER, "pay the rent")
        question = await asked(telegram)
        await telegram.user_clicks(OWNER, OWNER, question.id, "Never exactly this")
        assert (await ended(telegram, question)).text.endswith("Not done, and refused from now on.")
        # Asked for anew, nobody is asked; what is not exactly this still is.
        await telegram.user_says(OWNER, OWNER, "pay the rent")
        await telegram.wait_for(OWNER, lambda chat: "never" in chat[-1].text)
        await telegram.user_says(OWNER, OWNER, "pay both")
        other = await asked(telegram)
        assert other.id != question.id
        # In words it is the same, to all that the question shows.
        await telegram.user_says(OWNER, OWNER, f"never {code_in(other)}")
        await ended(telegram, other)
        await telegram.user_says(OWNER, OWNER, "pay both")
        await telegram.wait_for(OWNER, lambda chat: "never" in chat[-1].text)
        assert [] == counter.paid
    with closing(sqlite3.connect(tmp_path / "home/data/clawdbot.db")) as db:
        [(user, first), *others] = db.execute(
            "SELECT user_id, CAST(pattern AS TEXT) FROM refusals ORDER BY id"
        ).fetchall()
        scopes = db.execute("SELECT state, scope FROM approvals ORDER BY id").fetchall()
    assert ("owner", 2) == (user, len(others))
    assert "landlord" in first
    assert [("denied", "never")] * 2 == scopes
