"""Groups: whom the assistant answers there, when, in which language, and how much at most.

Covers clawdbot.panel.groups, clawdbot.gateway.groups and clawdbot.store.groups.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest

from clawdbot.panel.groups import GroupShown
from tests.fakes.faults import Fault
from tests.fakes.telegram import TOKEN, UNLIMITED, Shown, TelegramServer
from tests.fakes.telegram.world import Message
from tests.integration.gateway.conftest import JSON
from tests.integration.gateway.test_approvals import PAY, Bank
from tests.integration.gateway.test_reminders import LATER, REFUSED
from tests.integration.panel.conftest import (
    Browser,
    Running,
    add_user,
    browsing,
    running,
    write,
)
from tests.patience import PATIENCE_S

ANN, BOB, OWNER = 1001, 1002, 1009
GROUP, OTHER = -1001234567890, -1001234567891
BASIC = -77
US = "@clawdbot_test_bot"
WAITS = "This needs a yes. I have asked in private, and on the panel."


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(pace=UNLIMITED) as server:
        await server.add_group(GROUP, "Friends\u202e of Ann")
        yield server


@asynccontextmanager
async def opened(
    home: Path,
    telegram: TelegramServer,
    bank: Bank | None = None,
    access: str = "allowlist",
    **group: str,
) -> AsyncIterator[tuple[Running, Browser]]:
    """Run a service in a group; its owner is logged in, and known on Telegram."""
    session: JSON = {"access": access, "allow": [str(ANN)], "group": group}
    bot = {"token": TOKEN, "base_url": telegram.url, "pace": "off", "session": session}
    tools = bank.tools if bank is not None else ()
    channels = {"telegram": {"main": bot}}
    async with running(home, PAY + LATER, tools=tools, channels=channels) as service:
        if not (home / "settings.yaml").exists():
            await service.set_up("Olga")
            row = ("telegram", str(OWNER), "Olga", 1.0)
            sql = "INSERT INTO identities SELECT ?, ?, id, ?, ? FROM users WHERE role = 'owner'"
            write(service, sql, row)
        async with browsing(service) as browser:
            await browser.log_in("Olga")
            yield service, browser


async def groups(browser: Browser) -> list[GroupShown]:
    """List the groups."""
    page = await browser.call("GET", "/groups")
    assert 200 == page.status, page.text
    return msgspec.json.decode(page.text, type=list[GroupShown])


async def heard(browser: Browser) -> GroupShown:
    """Wait until the group is known."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await groups(browser)):
            await asyncio.sleep(0.01)
    return found[0]


async def change(browser: Browser, group: GroupShown, **wish: str) -> None:
    """Change a group's policy."""
    page = await browser.call("PATCH", f"/groups/{group.id}", wish)
    assert 200 == page.status, page.text


def said(*texts: str) -> Callable[[list[Shown]], bool]:
    return lambda chat: list(texts) == [shown.text for shown in chat if shown.from_bot]


async def test_a_group_is_listed_from_its_first_message_on_with_its_accounts_policy(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(short_home, telegram, ceiling="guest", language="zh") as (_, browser):
        await telegram.user_says(GROUP, BOB, "nobody speaks to it")
        group = await heard(browser)
        assert ("Friends of Ann", "telegram", "main") == (group.name, group.channel, group.account)
        policy = (group.answers, group.speaks, group.ceiling, group.language)
        assert ("paired", "mentioned", "guest", "zh") == policy
        page = (await browser.get("/channels")).text
        assert "Friends of Ann" in page
        assert "In a group it never asks for an approval" in page
        await telegram.user_says(GROUP, ANN, f"{US} /new")
        await telegram.wait_for(GROUP, said("新对话开始。"))
        await telegram.user_says(GROUP, ANN, f"{US} what is this about")
        await telegram.wait_for(GROUP, lambda chat: "echo" in chat[-1].text)
        assert group.seen_at < (await groups(browser))[0].seen_at
        # What the account says of new groups changes no group that is there.
        await change(browser, group, ceiling="admin")
    async with opened(short_home, telegram, ceiling="member") as (_, browser):
        assert "admin" == (await groups(browser))[0].ceiling


async def test_a_group_answers_whom_and_when_its_policy_says(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(short_home, telegram) as (_, browser):
        await telegram.user_says(GROUP, BOB, f"{US} a stranger asks")
        await telegram.user_says(GROUP, ANN, "not to it")
        await telegram.user_says(GROUP, ANN, f"{US} one")
        await telegram.wait_for(GROUP, said("echo: one"))
        group = await heard(browser)
        await change(browser, group, answers="everybody", speaks="always")
        await telegram.user_says(GROUP, BOB, "two")
        await telegram.wait_for(GROUP, said("echo: one", "echo: two"))
        await change(browser, group, answers="nobody")
        await telegram.user_says(GROUP, ANN, f"{US} three")
        await telegram.user_says(GROUP, OWNER, f"{US} /stop")
        # Another group has its own.
        await telegram.add_group(OTHER, "Others")
        await telegram.user_says(OTHER, ANN, f"{US} four")
        await telegram.wait_for(OTHER, said("echo: four"))
        assert said("echo: one", "echo: two")(await telegram.chat(GROUP))


async def test_a_guest_of_a_group_is_a_stranger_in_private_and_one_user_once_let_in(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(
        short_home, telegram, access="pairing", answers="everybody", speaks="always"
    ) as (_, browser):
        await telegram.user_says(GROUP, BOB, "hello")
        await telegram.wait_for(GROUP, said("echo: hello"))
        await telegram.user_says(BOB, BOB, "and in private?")
        await telegram.wait_for(BOB, lambda chat: "I do not know you yet." in chat[-1].text)
        [knock] = msgspec.json.decode((await browser.call("GET", "/knocks")).text)
        before = msgspec.json.decode((await browser.call("GET", "/people")).text)
        assert ["owner", "guest"] == [person["role"] for person in before]
        await browser.call("POST", f"/knocks/{knock['id']}", {"role": "member"})
        await telegram.wait_for(BOB, lambda chat: chat[-1].text == "echo: and in private?")
        after = msgspec.json.decode((await browser.call("GET", "/people")).text)
        assert ["owner", "member"] == [person["role"] for person in after]
        assert [p["id"] for p in before] == [p["id"] for p in after]


async def test_a_guest_of_a_group_is_erased_with_what_they_wrote_before(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(short_home, telegram) as (_, browser):
        await telegram.user_says(GROUP, BOB, f"{US} nobody hears this")
        await change(browser, await heard(browser), answers="everybody")
        await telegram.user_says(GROUP, BOB, f"{US} hello")
        await telegram.wait_for(GROUP, said("echo: hello"))
        people = msgspec.json.decode((await browser.call("GET", "/people")).text)
        assert 204 == (await browser.call("DELETE", f"/people/{people[1]['id']}")).status
        async with asyncio.timeout(PATIENCE_S):
            while rows_of(short_home, BOB):
                await asyncio.sleep(0.05)


def rows_of(home: Path, sender: int) -> int:
    """Count the deliveries that name a sender."""
    with closing(sqlite3.connect(home / "data/clawdbot.db", timeout=5)) as db:
        [(count,)] = db.execute("SELECT COUNT(*) FROM inbox WHERE external = ?", (str(sender),))
    return int(count)


async def test_nobody_has_more_done_in_a_group_than_it_allows(
    short_home: Path, telegram: TelegramServer
) -> None:
    bank = Bank()
    async with opened(short_home, telegram, bank) as (_, browser):
        await telegram.user_says(OWNER, OWNER, "hello")
        await telegram.wait_for(OWNER, said("echo: hello"))
        await telegram.user_says(GROUP, OWNER, f"{US} pay the rent")
        await telegram.wait_for(GROUP, lambda chat: WAITS in chat[-1].text)
        question = (await telegram.wait_for(OWNER, lambda chat: bool(chat[-1].buttons)))[-1]
        assert ["Yes, once", "No", "Never exactly this"] == [
            b.text for row in question.buttons for b in row
        ]
        # What is lowered while a question waits holds at the act, whoever said yes.
        await change(browser, await heard(browser), ceiling="guest")
        await telegram.user_clicks(OWNER, OWNER, question.id, "Yes, once")
        await telegram.wait_for(GROUP, lambda chat: WAITS not in chat[-1].text)
        assert [] == bank.paid
        trail = msgspec.json.decode((await browser.call("GET", "/audit?what=pay")).text)
        assert "this group: guest may not money" in str(trail)
        page = (await browser.get("/audit?what=pay")).text
        assert "What this group allows at most: The role guest may not spend money." in page


@pytest.mark.parametrize(
    ("ceilings", "due"),
    [(["guest"], REFUSED), (["guest", "member"], "Reminder: tea")],
)
async def test_a_reminder_is_told_in_a_group_as_it_allows_when_it_is_due(
    short_home: Path, telegram: TelegramServer, ceilings: list[str], due: str
) -> None:
    async with opened(short_home, telegram) as (service, browser):
        await telegram.user_says(GROUP, ANN, f"{US} remind me")
        await telegram.wait_for(GROUP, lambda chat: "I will remind you" in chat[-1].text)
        for ceiling in ceilings:
            await change(browser, await heard(browser), ceiling=ceiling)
        write(service, "UPDATE timers SET due_at = ?", (1.0,))
        await telegram.user_says(OWNER, OWNER, "soon")  # in private, due after hers
        await telegram.wait_for(OWNER, lambda chat: chat[-1].text == "Reminder: tea")
        await telegram.wait_for(GROUP, lambda chat: chat[-1].text == due)
        rows = msgspec.json.decode((await browser.call("GET", "/audit?decision=deny")).text)
        denied = [(row["what"], row["rule"]) for row in rows]
        rule = "this group: guest may not write"
        assert ([("reminder_add", rule)] if due == REFUSED else []) == denied


async def test_a_reminder_of_a_forgotten_group_is_bounded_as_a_new_group_is(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(short_home, telegram, ceiling="guest") as (service, browser):
        await telegram.user_says(GROUP, BOB, "nobody speaks to it")
        group = await heard(browser)
        await change(browser, group, ceiling="member")
        await telegram.user_says(GROUP, ANN, f"{US} remind me")
        await telegram.wait_for(GROUP, lambda chat: "I will remind you" in chat[-1].text)
        assert 204 == (await browser.call("DELETE", f"/groups/{group.id}")).status
        write(service, "UPDATE timers SET due_at = ?", (1.0,))
        await telegram.user_says(OWNER, OWNER, "soon")  # due after hers
        await telegram.wait_for(GROUP, lambda chat: chat[-1].text == REFUSED)


async def test_a_group_allows_no_more_than_whoever_sets_it_may_give(
    short_home: Path, telegram: TelegramServer
) -> None:
    async with opened(short_home, telegram, ceiling="owner") as (service, browser):
        await telegram.user_says(GROUP, BOB, "hello")
        group = await heard(browser)
        add_user(service, "Adam", role="admin")
        add_user(service, "Mia")
        async with browsing(service) as other:
            await other.log_in("Mia")
            assert 403 == (await other.call("GET", "/groups")).status
            assert 403 == (await other.call("PATCH", f"/groups/{group.id}", {})).status
            assert 403 == (await other.call("DELETE", f"/groups/{group.id}")).status
        async with browsing(service) as other:
            await other.log_in("Adam")
            await change(other, group, ceiling="owner", speaks="always")
            await change(other, group, ceiling="member")
            page = await other.call("PATCH", f"/groups/{group.id}", {"ceiling": "owner"})
            assert 403 == page.status
        page = await browser.call("PATCH", f"/groups/{group.id}", {"ceiling": "emperor"})
        assert 400 == page.status
        assert 404 == (await browser.call("PATCH", "/groups/none", {})).status
        assert 404 == (await browser.call("DELETE", "/groups/none")).status
        assert [group.id] == [each.id for each in await groups(browser)]
        trail = (await browser.call("GET", "/audit?what=group.alter")).text
        assert 2 == trail.count('"group.alter"')


async def decided(browser: Browser) -> list[str]:
    """Tell the rules by which payments were decided."""
    trail = (await browser.call("GET", "/audit?what=pay")).text
    return [row["rule"] for row in msgspec.json.decode(trail) if row["rule"]]


async def test_a_forgotten_group_begins_anew_with_its_accounts_policy(
    short_home: Path, telegram: TelegramServer
) -> None:
    bank = Bank()
    async with opened(short_home, telegram, bank, language="zh") as (_, browser):
        await telegram.user_says(OWNER, OWNER, "hello")
        await telegram.user_says(GROUP, OWNER, f"{US} hello")
        await telegram.wait_for(GROUP, said("echo: hello"))
        group = await heard(browser)
        await change(browser, group, ceiling="guest", language="en", answers="everybody")
        await telegram.user_says(GROUP, OWNER, f"{US} pay the rent")
        await telegram.wait_for(
            GROUP, lambda chat: "this group: guest may not money" in chat[-1].text
        )
        assert 'data-call="DELETE /api/v1/groups/' in (await browser.get("/channels")).text
        assert 204 == (await browser.call("DELETE", f"/groups/{group.id}")).status
        assert [] == await groups(browser)
        assert 404 == (await browser.call("DELETE", f"/groups/{group.id}")).status
        trail = msgspec.json.decode((await browser.call("GET", "/audit?what=group.forget")).text)
        assert [("Olga", f"{group.id} telegram/main {GROUP}")] == [
            (row["user"], row["outcome"]) for row in trail
        ]
        await telegram.user_says(GROUP, OWNER, f"{US} pay the rent")
        question = (await telegram.wait_for(OWNER, lambda chat: bool(chat[-1].buttons)))[-1]
        anew = await heard(browser)
        assert ("paired", "member", "zh") == (anew.answers, anew.ceiling, anew.language)
        assert anew.id != group.id
        await telegram.user_clicks(OWNER, OWNER, question.id, "Yes, once")
        await telegram.wait_for(GROUP, lambda chat: "900 to landlord" in chat[-1].text)
        rules = await decided(browser)
        assert ["this group: guest may not money", "needs an admin"] == rules[:2]
        assert "approved" == rules[-1]
        assert ["900 to landlord for Olga"] == bank.paid


async def test_a_group_is_not_forgotten_while_something_runs_there_and_what_waits_is_ended(
    short_home: Path, telegram: TelegramServer
) -> None:
    bank = Bank()
    async with opened(short_home, telegram, bank) as (_, browser):
        await telegram.user_says(OWNER, OWNER, "hello")
        await telegram.wait_for(OWNER, said("echo: hello"))
        await telegram.user_says(GROUP, OWNER, f"{US} hang")
        question = (await telegram.wait_for(OWNER, lambda chat: bool(chat[-1].buttons)))[-1]
        await telegram.user_clicks(OWNER, OWNER, question.id, "Yes, once")
        async with asyncio.timeout(PATIENCE_S):
            while not bank.tried:
                await asyncio.sleep(0.01)
        group = await heard(browser)
        refused = await browser.call("DELETE", f"/groups/{group.id}")
        assert (400, True) == (refused.status, "is being answered" in refused.text)
        assert [group] == await groups(browser)
        await telegram.user_says(GROUP, OWNER, f"{US} /stop")
        await telegram.wait_for(GROUP, lambda chat: "hang" not in chat[-1].text)
        await telegram.user_says(GROUP, OWNER, f"{US} pay the rent")
        await telegram.wait_for(OWNER, lambda chat: bool(chat[-1].buttons))
        # Another group's question stays.
        await telegram.add_group(OTHER, "Others")
        await telegram.user_says(OTHER, OWNER, f"{US} pay the rent")
        await telegram.wait_for(OWNER, lambda chat: 2 == sum(bool(m.buttons) for m in chat))
        async with asyncio.timeout(PATIENCE_S):
            while 204 != (await browser.call("DELETE", f"/groups/{group.id}")).status:
                await asyncio.sleep(0.01)
        left = await telegram.wait_for(OWNER, lambda chat: 1 == sum(bool(m.buttons) for m in chat))
        assert left[-1].buttons
        await telegram.user_clicks(OWNER, OWNER, left[-1].id, "Yes, once")
        await telegram.wait_for(OTHER, lambda chat: "900 to landlord" in chat[-1].text)
        assert ["Others"] == [each.name for each in await groups(browser)]
        assert ["900 to landlord for Olga"] == bank.paid


def lanes(home: Path) -> list[tuple[str, str]]:
    """Tell in which conversation each turn of a group ran, and where it answered."""
    sql = """SELECT t.conversation_id, t.address FROM turns t JOIN conversations c
             ON c.id = t.conversation_id WHERE c.scope LIKE 'group:%' ORDER BY t.id"""
    with closing(sqlite3.connect(home / "data/clawdbot.db", timeout=5)) as db:
        return [(lane, msgspec.json.decode(to)["chat"]) for lane, to in db.execute(sql)]


def _tells(message: Message) -> bool:
    return bool({"migrate_to_chat_id", "migrate_from_chat_id"} & message.body.keys())


@pytest.mark.parametrize("missing", ["neither", "the first", "the second", "both at first"])
async def test_a_group_that_becomes_a_supergroup_keeps_its_policy_and_its_conversation(
    short_home: Path, telegram: TelegramServer, missing: str
) -> None:
    bank = Bank()
    await telegram.add_group(BASIC, "Old friends", supergroup=False)
    async with opened(short_home, telegram, bank) as (_, browser):
        await telegram.user_says(OWNER, OWNER, "hello")
        await telegram.user_says(BASIC, OWNER, f"{US} one")
        await telegram.wait_for(BASIC, said("echo: one"))
        group = await heard(browser)
        await change(browser, group, ceiling="guest", speaks="always")
    # The service is down meanwhile: what tells of it may come late, or not at all.
    await telegram.upgrade(BASIC, OWNER, GROUP)
    left, come = telegram.world.queue
    queues = {
        "neither": [left, come],
        "the first": [come],
        "the second": [left],
        "both at first": [come, left],
    }
    telegram.world.queue[:] = queues[missing]
    async with opened(short_home, telegram, bank) as (_, browser):
        await telegram.user_says(GROUP, OWNER, "two")
        await telegram.wait_for(GROUP, said("echo: two"))
        [moved] = await groups(browser)
        assert (group.id, str(GROUP)) == (moved.id, moved.chat)
        assert ("guest", "always") == (moved.ceiling, moved.speaks)
        await telegram.user_says(GROUP, OWNER, "pay the rent")
        await telegram.wait_for(GROUP, lambda chat: "guest may not money" in chat[-1].text)
        # What tells of it once more changes nothing.
        await change(browser, moved, speaks="mentioned")
        for chat in (BASIC, GROUP):
            told = next(m.body for m in telegram.world.chats[chat].messages.values() if _tells(m))
            telegram.world.add_update("message", dict(told))
        await telegram.user_says(GROUP, OWNER, "not to it")
        await telegram.user_says(GROUP, OWNER, f"{US} three")
        await telegram.wait_for(GROUP, lambda chat: chat[-1].text == "echo: three")
        assert [moved.id] == [each.id for each in await groups(browser)]
        assert "mentioned" == (await groups(browser))[0].speaks
    conversations, places = zip(*lanes(short_home), strict=True)
    assert 1 == len(set(conversations))
    assert (str(BASIC), *[str(GROUP)] * 3) == places
    assert [] == bank.paid


async def test_what_runs_or_comes_late_in_a_group_that_moved_is_bounded_and_forgotten_as_one(
    short_home: Path, telegram: TelegramServer
) -> None:
    bank = Bank()
    await telegram.add_group(BASIC, "Old friends", supergroup=False)
    async with opened(short_home, telegram, bank) as (_, browser):
        await telegram.user_says(OWNER, OWNER, "hello")
        await telegram.user_says(BASIC, OWNER, f"{US} pay the rent")
        question = (await telegram.wait_for(OWNER, lambda chat: bool(chat[-1].buttons)))[-1]
        group = await heard(browser)
        await telegram.upgrade(BASIC, OWNER, GROUP)
        async with asyncio.timeout(PATIENCE_S):
            while (await groups(browser))[0].chat != str(GROUP):
                await asyncio.sleep(0.01)
        await change(browser, group, ceiling="guest")
        # Said before, delivered after.
        late = next(iter(telegram.world.chats[BASIC].messages.values())).body
        telegram.world.add_update("message", late | {"message_id": 900, "text": f"{US} late"})
        await telegram.user_says(BOB, BOB, "wakes it")
        await telegram.wait_for(GROUP, lambda chat: "echo: late" in chat[-1].text)
        await telegram.user_clicks(OWNER, OWNER, question.id, "Yes, once")
        await telegram.wait_for(GROUP, lambda chat: "guest may not money" in chat[-1].text)
        assert [] == bank.paid
        assert "this group: guest may not money" in await decided(browser)
        await change(browser, group, ceiling="member")
        await telegram.user_says(GROUP, OWNER, f"{US} pay the rent")
        await telegram.wait_for(OWNER, lambda chat: bool(chat[-1].buttons))
        assert 204 == (await browser.call("DELETE", f"/groups/{group.id}")).status
        await telegram.wait_for(OWNER, lambda chat: not any(m.buttons for m in chat))
        assert [] == await groups(browser)


async def waiting(browser: Browser) -> int:
    """Count what is to be delivered; nothing was given up."""
    status = msgspec.json.decode((await browser.call("GET", "/status")).text)
    assert [] == status["undelivered"]
    return int(status["outbox"])


async def test_what_waits_for_a_group_that_moved_is_delivered_there_once(
    short_home: Path, telegram: TelegramServer
) -> None:
    await telegram.add_group(BASIC, "Old friends", supergroup=False)
    async with opened(short_home, telegram) as (_, browser):
        await telegram.user_says(BASIC, ANN, f"{US} one")
        await telegram.wait_for(BASIC, said("echo: one"))
        limited = Fault(kind="status", method="sendMessage", status=429, retry_after=1, count=0)
        await telegram.fault(limited)
        for words, rows in (("two", 2), ("/new", 3)):
            await telegram.user_says(BASIC, ANN, f"{US} {words}")
            async with asyncio.timeout(PATIENCE_S):
                while rows > await waiting(browser):
                    await asyncio.sleep(0.01)
        await telegram.upgrade(BASIC, ANN, GROUP)
        await telegram.clear_faults()
        await telegram.wait_for(GROUP, said("echo: two", "A new conversation begins."))
        assert said("echo: one")(await telegram.chat(BASIC))
        assert all(shown.reply_to is None for shown in await telegram.chat(GROUP))
        async with asyncio.timeout(PATIENCE_S):
            while await waiting(browser):
                await asyncio.sleep(0.01)
