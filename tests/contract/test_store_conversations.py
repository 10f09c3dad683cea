"""A conversation is forgotten whole, listed in stretches, and said anew, on each engine alike."""

from clawdbot.domain.messages import fixed, own
from clawdbot.domain.ports import Db, Tx
from clawdbot.store import conversations, search, turns
from clawdbot.store.conversations import Conversation, Entry, Summary
from clawdbot.store.words import phrases
from tests.contract.conftest import START, TO, add_conversation, add_user


def entry(position: int, conversation: str = "c") -> Entry:
    return Entry(
        conversation=conversation,
        position=position,
        session=f"s-{conversation}",
        turn=f"{conversation}{position}",
        user="u",
    )


def say(tx: Tx, position: int, conversation: str = "c") -> None:
    said = [(own(f"question {position}"), 3), (fixed(f"answer {position}"), 4)]
    new = turns.New(
        id=f"{conversation}{position}",
        conversation=conversation,
        session=f"s-{conversation}",
        position=position,
        user="u",
        to=TO,
        reply_to="",
        now=START,
    )
    turns.add(tx, new)
    conversations.append(tx, entry(position, conversation), said, START)


def texts(said: list[conversations.Said]) -> list[str]:
    return [row.message.text for row in said]


async def test_a_turn_that_was_said_anew_is_kept_and_read_by_nobody(db: Db) -> None:
    def work(tx: Tx) -> None:
        add_user(tx, "u")
        add_conversation(tx, "c")
        for position in range(1, 4):
            say(tx, position)
            summary = Summary(position, "in short", "model", 0, 1)
            conversations.add_summary(tx, "s-c", "u", summary, START)
        assert conversations.index(tx, 9)
        assert "c3" == getattr(turns.last(tx, "c"), "id", "")
        conversations.supersede(tx, "c", "s-c", 3, "c4")
        kept = ["answer 2", "question 2", "answer 1", "question 1"]
        assert kept == texts(conversations.page(tx, "c", 9, 99))
        assert kept == texts(conversations.recent(tx, entry(9), 0, 99))
        assert [] == conversations.at(tx, "c", 3)
        assert kept[:2] == texts(conversations.onwards(tx, "c", 1, 9, 99))[::-1]
        assert ["question 1"] == texts(conversations.onwards(tx, "c", 0, 2, 1))
        assert {"c4": "c3"} == conversations.superseded(tx, "c")
        assert 2 == getattr(conversations.last_summary(tx, "s-c"), "upto", 0)
        found = search.find(tx, "u", phrases("question"), 1 << 62, 9)
        assert [2, 1] == [hit.position for hit in found]

    await db.write(work)


async def test_a_conversation_is_forgotten_and_the_others_stay(db: Db) -> None:
    def work(tx: Tx) -> None:
        add_user(tx, "u")
        for name in ("c", "d"):
            add_conversation(tx, name)
            say(tx, 1, name)
            summary = Summary(1, "in short", "model", 0, 1)
            conversations.add_summary(tx, f"s-{name}", "u", summary, START)
        assert conversations.index(tx, 9)
        conversations.forget(tx, "c", START)
        assert (None, None) == (conversations.get(tx, "c"), turns.get(tx, "c1"))
        assert (None, []) == (
            conversations.last_summary(tx, "s-c"),
            conversations.page(tx, "c", 9, 99),
        )
        assert 2 == len(conversations.page(tx, "d", 9, 99))
        assert conversations.last_summary(tx, "s-d") is not None
        assert 1 == len(search.find(tx, "u", phrases("question"), 1 << 62, 9))
        add_conversation(tx, "c")

    await db.write(work)


async def test_conversations_are_listed_from_behind_one_of_them(db: Db) -> None:
    def work(tx: Tx) -> None:
        add_user(tx, "u")
        for number, name in enumerate("abcd"):
            add_conversation(tx, name)
            conversations.touch(tx, name, "s", START, START + number // 2)

        def listed(before: Conversation | None) -> list[str]:
            found = conversations.of_user(tx, "u", "telegram:1", 3, before)
            return [lane.id for lane in found]

        assert ["d", "c", "b"] == listed(None)
        assert ["c", "b", "a"] == listed(conversations.get(tx, "d"))
        assert ["a"] == listed(conversations.get(tx, "b"))

    await db.write(work)
