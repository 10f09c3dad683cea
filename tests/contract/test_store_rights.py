"""What was asked and allowed, on each engine: one code a question, a yes as good as its giver."""

import pytest
from msgspec.structs import replace

from clawdbot.domain.approval import Plan, Planned, State
from clawdbot.domain.people import User
from clawdbot.domain.ports import Db, Outgoing, Tx
from clawdbot.store import outbox, people, rights, turns
from clawdbot.store.rights import NewApproval, NewStanding
from tests.contract.conftest import START, TO, add_conversation, add_user

PLAN = Plan(calls=(Planned(tool="pay", effect="money", arguments="{}"),))


def asked(number: int, code: str = "4821", epoch: str = "e") -> NewApproval:
    return NewApproval(
        id=f"a{number:04}",
        turn_id="t",
        conversation_id="c",
        user_id="u",
        epoch=epoch,
        code=code,
        plan=PLAN,
        created_at=START + number,
        expires_at=START + 100,
    )


def prepare(tx: Tx) -> None:
    add_user(tx, "u")
    add_conversation(tx, "c", "u")
    new = turns.New(
        id="t", conversation="c", session="s", position=1, user="u", to=TO, reply_to="", now=START
    )
    turns.add(tx, new)


async def test_a_code_means_one_question_also_after_its_answer(db: Db) -> None:
    def work(tx: Tx) -> tuple[str, ...]:
        prepare(tx)
        unused = rights.free_code(tx, "4821")
        rights.ask(tx, asked(1))
        rights.ask(tx, asked(2, "4822"))
        beside = rights.free_code(tx, "4821")
        rights.close(tx, "t", State.EXPIRED, by="", now=START)
        rights.ask(tx, asked(3, "9999"))
        return unused, beside, rights.free_code(tx, "4821"), rights.free_code(tx, "9999")

    assert ("4821", "4823", "4823", "0000") == await db.write(work)


async def test_what_waits_is_counted_and_listed_by_epoch_and_user(db: Db) -> None:
    def work(tx: Tx) -> tuple[object, ...]:
        prepare(tx)
        for number, epoch in enumerate(("old", "e", "e")):
            rights.ask(tx, replace(asked(number), epoch=epoch))
        ids = [a.id for a in rights.waiting(tx, "e")]
        counted = (rights.depth(tx, "e"), rights.depth(tx, "e", "u"), rights.depth(tx, "e", "v"))
        rights.answer(tx, "a0001", State.GRANTED, "once", by="u", now=START)
        again = rights.answer(tx, "a0001", State.DENIED, "", by="u", now=START)
        past = [a.id for a in rights.decided(tx)], rights.decided(tx, "v")
        closed = rights.close(tx, "t", State.CANCELLED, by="u", now=START)
        return ids, counted, again, past, sorted(closed), rights.depth(tx, "e")

    ids, counted, again, past, closed, left = await db.write(work)
    assert ["a0001", "a0002"] == ids
    assert ((2, START + 1), (2, START + 1), (0, None)) == counted
    assert not again
    assert (["a0001"], []) == past
    assert ["a0000", "a0002"] == closed
    assert (0, None) == left


@pytest.mark.parametrize(
    ("granter", "stands"),
    [
        (User("boss", "Boss", "admin", "en", "UTC"), True),
        (User("boss", "Boss", "member", "en", "UTC"), False),
        (None, False),
    ],
)
async def test_what_another_allowed_stands_while_they_run_the_place(
    granter: User | None, *, stands: bool, db: Db
) -> None:
    def work(tx: Tx) -> list[str]:
        if granter is not None:
            people.add(tx, granter, START)
        for by in ("boss", "u"):
            new = NewStanding(
                id=by,
                user_id="u",
                tool="pay",
                pattern={},
                conversation_id="",
                granted_by=by,
                created_at=START,
            )
            rights.allow(tx, new)
        return [standing.id for standing in rights.standing(tx, "u", "c", START)]

    assert (["boss", "u"] if stands else ["u"]) == await db.write(work)


async def test_the_rows_of_a_question_are_found_and_no_others(db: Db) -> None:
    def work(tx: Tx) -> list[str]:
        message = Outgoing(text="x")
        for id_, stub in (("a1:ask:u:0", ""), ("a1:ask:u:0:over", "a1:ask:u:0"), ("a1:waits", "")):
            new = outbox.New(
                id=id_, to=TO, message=message, kind=outbox.RowKind.NOTICE, user="u", stub=stub
            )
            outbox.put(tx, new, START)
        return [row.id for row in outbox.asked(tx, "a1")]

    assert ["a1:ask:u:0"] == await db.write(work)
