"""What an approval is worth later: people change, the process dies, the store is restored.

Covers clawdbot.gateway.approvals, clawdbot.agent.rights and clawdbot.agent.acting.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from clawdbot.agent.rights import Rights, Rows
from clawdbot.domain.approval import Plan
from clawdbot.domain.binding import Given
from clawdbot.domain.inbound import Address
from clawdbot.domain.messages import Call, Source
from clawdbot.domain.people import User
from clawdbot.domain.policy import Allow, Ask, Deny, Effect
from clawdbot.store.rights import Approval
from clawdbot.tools.registry import Grant, Ready, Registry
from tests.integration.gateway.conftest import until
from tests.integration.gateway.test_approvals import Bank, Talk, bank, rows

OWNER = User("u1", "Ann", "owner", "en", "UTC")


def change(home: Path, sql: str, *values: object) -> None:
    """Change a row behind the service's back."""
    with closing(sqlite3.connect(home / "data" / "clawdbot.db", timeout=5)) as db, db:
        db.execute(sql, values)


def ready(counter: Bank, id_: str = "0.0") -> Ready:
    to = Address(channel="web", account="main", chat="c")
    grant = Grant(
        user=OWNER,
        to=to,
        language="en",
        timezone="UTC",
        now=0.0,
        id=id_,
        source=Source.MODEL,
        tainted=False,
    )
    call = Call(id=id_, tool="pay", arguments='{"to": "a", "amount": 1}', source=Source.MODEL)
    return Registry(counter.tools).call(grant, call)


def granted(*calls: Ready) -> Approval:
    plan = Plan(calls=tuple(call.planned() for call in calls))
    body = msgspec.json.encode(plan)
    return Approval(
        "a1", "t1", "c1", "u1", "e", "0001", plan.hash, body, "granted", "once", "u1", 0, 9, 1
    )


def test_one_yes_is_for_one_of_two_equal_calls() -> None:
    counter = Bank()
    both = ready(counter, "0.0"), ready(counter, "0.1")
    rows_ = Rows(
        user=OWNER, custom={}, standing=(), refused=(), approvals=[granted(both[0])], recent={}
    )
    rights = Rights(rows=rows_, given=Given(), tainted=False, private=False, spent=())
    first, second = (rights.weigh(each) for each in both)
    assert isinstance(first, Allow)
    assert isinstance(second, Ask)


def test_an_hours_limit_holds_within_one_message_too() -> None:
    limited = replace(Bank().tools[0].manifest, per_hour=3, effect=Effect.WRITE)
    calls = [ready(Bank(), f"0.{number}") for number in range(4)]
    several = [replace(call, tool=replace(call.tool, manifest=limited)) for call in calls]
    rows_ = Rows(user=OWNER, custom={}, standing=(), refused=(), approvals=[], recent={"pay": 1})
    rights = Rights(rows=rows_, given=Given(), tainted=False, private=False, spent=())
    assert [Allow, Allow, Deny, Deny] == [type(rights.weigh(call)) for call in several]


async def held(talk: Talk, text: str = "pay the rent") -> dict[str, object]:
    """Ask, and say yes while another turn has the lane."""
    approval = await talk.asked(text)
    await talk.say("slow")
    await talk.next("delta")
    ack = await talk.answer(approval, "yes")
    assert "Allowed." == ack["notice"]
    return approval


async def test_a_yes_falls_with_whoever_gave_it(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        first = await held(talk)
        change(short_home, "UPDATE users SET role = 'member'")
        await talk.next("final")
        again = await talk.next("approval")
        assert first["id"] != again["id"]
        # Now only an admin may, and there is none: this screen shows it without buttons.
        assert ("open", []) == (again["state"], again["choices"])
        assert [] == counter.paid


async def test_a_yes_falls_with_another_who_gave_it(short_home: Path) -> None:
    boss = "INSERT INTO users VALUES ('boss', 'Boss', 'owner', 'en', 'UTC', '', 1, 1)"
    async with bank(short_home) as (_, talk, counter):
        first = await held(talk)
        change(short_home, boss)
        change(short_home, "UPDATE approvals SET decided_by = 'boss'")
        await talk.next("final")
        again = await talk.next("approval")
        assert first["id"] != again["id"]
        assert [] == counter.paid
        await talk.answer(again, "yes")
        await talk.until_said("paid 900 to landlord")


@pytest.mark.parametrize(
    "sql", ["UPDATE users SET disabled_at = 1", "UPDATE users SET role = 'guest'"]
)
async def test_a_requester_who_may_no_more_gets_nothing_done(short_home: Path, sql: str) -> None:
    async with bank(short_home) as (_, talk, counter):
        await held(talk)
        change(short_home, sql)
        await talk.next("final")
        await talk.next("final")
        assert [] == counter.paid
    assert {("done",), ("stopped",)} >= set(rows(short_home, "SELECT state FROM turns"))


async def test_a_disabled_user_answers_nothing(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        approval = await talk.asked("pay the rent")
        change(short_home, "UPDATE users SET disabled_at = 1")
        assert "refused" == (await talk.answer(approval, "yes"))["outcome"]
        assert [] == counter.paid
    assert [("open",)] == rows(short_home, "SELECT state FROM approvals")


async def test_a_restored_store_knows_no_older_answer(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, _counter):
        old = await talk.asked("pay the rent")
        code = str(old["text"]).rpartition("YES ")[2][:4]
    change(short_home, "UPDATE meta SET value = '01K0000000NEWEPOCH00000000' WHERE key = 'epoch'")
    async with bank(short_home) as (_, talk, counter):
        shown = await talk.next("approval")
        assert [] == shown["choices"]
        assert "This button no longer works." == (await talk.answer(old, "yes"))["notice"]
        await talk.say(f"YES {code}")
        assert "Nothing waits for this answer." == (await talk.next("ack"))["notice"]
        assert [] == counter.paid


async def test_of_what_may_have_happened_the_user_is_asked_and_told(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        await talk.answer(await talk.asked("crash"), "always")
        again = await talk.next("approval")
        while again["state"] != "open":
            again = await talk.next("approval")
        assert "It is not known whether this happened already." in str(again["text"])
        choices = again["choices"]
        assert isinstance(choices, list)
        assert ["yes", "no"] == [choice["verb"] for choice in choices]
        assert [] == counter.paid
        # Words cannot say more than the buttons offer.
        await talk.say(f"YES {again['code']} conversation")
        await talk.until_said("paid 7 to chance")
        assert ["7 to chance for Ann"] == counter.paid
        assert 2 == counter.tried
    assert [("once",)] == rows(short_home, "SELECT scope FROM approvals ORDER BY id")[1:]
    assert [("",)] == rows(short_home, "SELECT conversation_id FROM standings")


async def test_what_may_have_happened_is_not_repeated_after_a_no(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        await talk.answer(await talk.asked("crash"), "yes")
        again = await talk.next("approval")
        while again["state"] != "open":
            again = await talk.next("approval")
        await talk.answer(again, "no")
        await talk.until_said("It is not known whether this happened; it was not repeated.")
        assert 1 == counter.tried


async def test_a_refusal_does_not_hide_what_may_have_happened(short_home: Path) -> None:
    async with bank(short_home, turns={"approval_s": 1.0}) as (_, talk, counter):
        await talk.answer(await talk.asked("crash"), "yes")
        again = await talk.next("approval")
        while again["state"] != "open":
            again = await talk.next("approval")
        change(short_home, "UPDATE users SET role = 'guest'")
        await talk.until_said("It is not known whether this happened; it was not repeated.")
        assert 1 == counter.tried


async def test_who_stops_in_mid_effect_is_told_what_is_unknown(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, counter):
        await talk.answer(await talk.asked("hang"), "yes")
        await until(lambda: bool(counter.tried))
        await talk.say("/stop")
        final = await talk.until_said("(stopped)")
        assert "It is not known whether this was done: pay" in str(final["text"])


async def test_always_is_for_exactly_this_and_here_for_its_targets(short_home: Path) -> None:
    async with bank(short_home) as (_, talk, _counter):
        await talk.answer(await talk.asked("pay the rent"), "always")
        await talk.until_said("paid 900")
        await talk.answer(await talk.asked("broken"), "conversation")
        await talk.until_said("refuses")
    kept = rows(short_home, "SELECT pattern, conversation_id <> '' FROM standings ORDER BY id")
    assert [
        (b'{"=":"{\\"amount\\":900,\\"to\\":\\"landlord\\"}"}', 0),
        (b'{"to":"nobody","amount":"0"}', 1),
    ] == kept
