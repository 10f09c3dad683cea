"""The search index: a row a turn, by the words of what was said in it.

What was said is noted with the transcript, in its transaction, and indexed soon after, many turns
in one (`conversations.index`); a search sees to that first. It is read only for the user who spoke.
"""

from collections.abc import Sequence
from operator import attrgetter

from msgspec import Struct

from clawdbot.domain.messages import Message, Role, told
from clawdbot.domain.ports import Tx
from clawdbot.store.words import Phrase, indexed


class Hit(Struct, frozen=True):
    """A turn that was found; of two the later has the higher `id`."""

    id: int
    conversation_id: str
    position: int
    at: float


class Unindexed(Hit, frozen=True):
    """A turn that is to be indexed."""

    user_id: str


def shown(messages: Sequence[Message]) -> list[Message]:
    """Give what people see of a turn's messages: their words, and the last answer."""
    answers = [m for m in messages if m.role is Role.ASSISTANT and m.text]
    return [*(m for m in messages if m.role is Role.USER and told(m.parts)), *answers[-1:]]


def later(tx: Tx, user: str, conversation: str, position: int, now: float) -> None:
    """Note that a turn is to be indexed."""
    tx.run("search.later", user=user, conversation=conversation, position=position, at=now)


def behind(tx: Tx) -> bool:
    """Tell whether anything is to be indexed."""
    return bool(tx.one(int, "search.behind"))


def take(tx: Tx, most: int) -> list[Unindexed]:
    """Take the oldest turns that are to be indexed: whoever takes them indexes them."""
    return sorted(tx.all(Unindexed, "search.next", most=most), key=attrgetter("id"))


def add(tx: Tx, turn: Unindexed, messages: Sequence[Message]) -> None:
    """Index what was said in a turn."""
    if words := indexed(told(message.parts) for message in shown(messages)):
        tx.run(
            "search.add",
            user=turn.user_id,
            conversation=turn.conversation_id,
            words=words,
            position=turn.position,
            at=turn.at,
        )


def find(tx: Tx, user: str, wanted: Sequence[Phrase], before: int, most: int) -> list[Hit]:
    """Find a user's turns that have all the phrases, newest first, with ids below `before`."""
    return tx.all(
        Hit,
        "search.find",
        user=user,
        match=" AND ".join(map(_match, wanted)),
        query=" & ".join(map(_query, wanted)),
        before=before,
        most=most,
    )


def forget(tx: Tx, user: str) -> None:
    """Forget what a user said and was answered; no byte of it stays in the index."""
    tx.run("search.not_later", user=user)
    tx.run("search.forget", user=user)
    tx.run("search.purge")


def forget_some(tx: Tx, user: str, most: int) -> int:
    """Forget a part of what a user said; tell how many turns. The index needs `merge` then."""
    tx.run("search.not_later", user=user)
    return tx.run("search.forget_some", user=user, most=most)


def merge(tx: Tx, pages: int) -> bool:
    """Write a part of the index anew; True once no part of it has what was forgotten before."""
    before = tx.one(int, "search.changes") or 0
    tx.run("search.merge", pages=-pages)
    return (tx.one(int, "search.changes") or 0) - before < 2  # what SQLite says of a merge


def forget_turn(tx: Tx, conversation: str, position: int) -> None:
    """Find what was said in a turn no more."""
    tx.run("search.forget_turn", conversation=conversation, position=position)


def forget_conversation(tx: Tx, conversation: str) -> None:
    """Forget what was said in a conversation; no byte of it stays in the index."""
    tx.run("search.forget_conversation", conversation=conversation)
    tx.run("search.purge")


def _match(phrase: Phrase) -> str:
    """Write a phrase for SQLite; words are letters and digits, so nothing can end the quotes."""
    return f'"{" ".join(phrase.words)}"{_end(phrase, " *")}'


def _query(phrase: Phrase) -> str:
    """Write a phrase for PostgreSQL."""
    return " <-> ".join(f"'{word}'" for word in phrase.words) + _end(phrase, ":*")


def _end(phrase: Phrase, going_on: str) -> str:
    return going_on if phrase.open and not phrase.letter else ""
