"""Groups on each engine: one that moved is one group, whichever id names it.

Covers clawdbot.store.groups, and what of conversations and outbox moves with a group.
"""

from msgspec.structs import asdict, replace

from clawdbot.domain.inbound import Address
from clawdbot.domain.ports import Db, Outgoing, Tx
from clawdbot.domain.settings import Group
from clawdbot.store import conversations, groups, outbox, turns
from clawdbot.store.groups import Kept
from clawdbot.store.outbox import Mark, New, RowKind, RowState
from tests.contract.conftest import START, add_conversation

OLD = Address(channel="telegram", account="main", chat="-5", group=True)
NEW = replace(OLD, chat="-100")
THIRD = replace(OLD, chat="-6")


def group(id_: str, to: Address, **policy: str) -> Kept:
    kept = asdict(Group(**policy))  # type: ignore[arg-type]
    place = {"channel": to.channel, "account": to.account, "chat": to.chat}
    return Kept(
        id=id_, receiver="telegram:1", name=id_, created_at=START, seen_at=START, **place, **kept
    )


def add_turn(tx: Tx, id_: str, conversation: str, to: Address) -> None:
    new = turns.New(id=id_, conversation=conversation, session="s", position=1, user="u", to=to,
                    reply_to="", now=START)  # fmt: skip
    turns.add(tx, new)


async def test_a_group_that_moved_is_bounded_by_its_policy_under_either_id(db: Db) -> None:
    def work(tx: Tx) -> None:
        groups.heard(tx, group("g", OLD, ceiling="guest"))
        groups.heard(tx, group("early", NEW))  # something of the new chat came first
        groups.heard(tx, group("other", THIRD))
        for name, to in (("lane", OLD), ("apart", THIRD)):
            add_conversation(tx, name)
            add_turn(tx, f"turn of {name}", name, to)
        assert [True, False] == [
            groups.move(tx, "telegram:1", "-5", "-100", row) for row in ("left", "again")
        ]
        assert not groups.move(tx, "telegram:1", "-7", "-100", "nobody's")
        assert not groups.move(tx, "telegram:2", "-6", "-100", "another's")

    await db.write(work)
    found = {each.id: each for each in await db.read(groups.listed)}
    assert {"g", "other"} == found.keys()
    assert ("-100", "guest") == (found["g"].chat, found["g"].ceiling)
    for at in (OLD, NEW):
        assert "guest" == await db.read(lambda tx: groups.ceiling(tx, "lane", at))  # noqa: B023
        assert "guest" == await db.read(lambda tx: groups.ceiling_at(tx, at, Group()))  # noqa: B023
    left = await db.write(lambda tx: groups.heard(tx, group("late", OLD)))
    assert ("-5", "-100") == (left.chat, left.moved_to)
    assert await db.read(lambda tx: groups.get(tx, left.id)) is None
    waiting = await db.read(lambda tx: groups.unfinished(tx, found["g"]))
    assert ["turn of lane"] == [turn.id for turn in waiting]


async def test_a_conversation_takes_the_place_of_one_that_began_meanwhile(db: Db) -> None:
    def work(tx: Tx) -> None:
        add_conversation(tx, "of a person")
        for name in ("meanwhile", "old"):
            add_conversation(tx, name)
            lane = conversations.get(tx, name)
            assert lane is not None
            conversations.move(tx, lane, "group:-100", NEW)

    await db.write(work)
    found = await db.read(lambda tx: conversations.find(tx, "telegram:1", "group:-100"))
    assert found is not None
    assert ("old", NEW) == (found.id, found.to)
    listed = await db.read(lambda tx: conversations.of_groups(tx, "telegram:1"))
    assert {"old", "meanwhile"} == {each.id for each in listed}


async def test_what_is_to_be_sent_moves_in_order_and_edits_stay(db: Db) -> None:
    def row(id_: str, to: Address, kind: RowKind = RowKind.CHUNK, stub: str = "") -> New:
        said = Outgoing(text=id_, reply_to="7")
        return New(id=id_, to=to, message=said, kind=kind, user="u", turn="t", stub=stub)

    def work(tx: Tx) -> None:
        outbox.put(tx, row("first", NEW), START)
        for each in (
            row("shown", OLD, RowKind.STUB),
            row("edit", OLD, stub="shown"),
            row("stub", OLD, RowKind.STUB),
            row("chunk", OLD, stub="stub"),
            row("notice", OLD, RowKind.NOTICE),
        ):
            outbox.put(tx, each, START)
        outbox.mark(tx, "shown", Mark(state=RowState.SENT, ref="41"))
        outbox.mark(tx, "notice", Mark(state=RowState.SENDING, attempts=2))
        outbox.mark(tx, "stub", Mark(state=RowState.SENDING))
        unsent = outbox.get(tx, "stub")
        assert unsent is not None
        outbox.move(tx, unsent, NEW)

    await db.write(work)
    assert ["edit"] == [r.id for r in await db.read(lambda tx: outbox.open_rows(tx, OLD.key))]
    moved = await db.read(lambda tx: outbox.open_rows(tx, NEW.key))
    assert ["first", "stub", "chunk", "notice"] == [r.id for r in moved]
    assert {NEW} == {r.to for r in moved}
    assert ["7", "", "", ""] == [r.message.reply_to for r in moved]
    assert RowState.PENDING == moved[1].state
    # Of what was under way when we died nobody knows: that stays so.
    assert (RowState.SENDING, 2) == (moved[-1].state, moved[-1].attempts)
