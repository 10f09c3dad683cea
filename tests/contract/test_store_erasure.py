"""Forgetting a person, on each engine alike: a small beginning, pieces, and nobody else's rows."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from clawdbot.domain.inbound import Outcome
from clawdbot.domain.messages import Message, Role, Source, Text, own
from clawdbot.domain.ports import Db, Outgoing, Tx
from clawdbot.store import (
    codes,
    conversations,
    erasure,
    inbox,
    logins,
    notes,
    outbox,
    people,
    rights,
    timers,
    turns,
    usage,
)
from clawdbot.store.codes import Code
from clawdbot.store.conversations import Conversation, Entry
from clawdbot.store.erasure import Erased, Gone
from clawdbot.store.inbox import Decision
from clawdbot.store.logins import Login
from clawdbot.store.notes import Note
from clawdbot.store.people import Pairing
from clawdbot.store.rights import NewApproval, NewStanding
from clawdbot.store.timers import Timer
from clawdbot.store.usage import Used
from tests.contract.conftest import START, TO, add_conversation, add_user
from tests.contract.test_store_repositories import inbound
from tests.contract.test_store_rights import PLAN

T = TypeVar("T")

MANY, MOST = 7, 2


class Counting:
    """A transaction that counts the rows it changes."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.one, self.all = tx.one, tx.all
        self.rows = 0

    def run(self, query: str, /, **values: object) -> int:
        found = self._tx.run(query, **values)
        self.rows += found
        return found


def own_ways(tx: Tx, user: str, by: str, many: int) -> None:
    """Give a user ways in, and things of each kind that no turn names."""
    for n in range(many):
        id_ = f"{user}{n:025}"
        logins.add(tx, Login(f"h{id_}", user, "browser", "", START, START + 60, id_))
        code = Code(
            hash=f"h{id_}",
            id=id_,
            kind=codes.Kind.LINK,
            user_id=user,
            made_by=by,
            created_at=START,
            expires_at=START + 60,
        )
        codes.add(tx, code)
        notes.add(tx, user, Note(id_, "a note", "own", 0, START))
        timers.add(tx, Timer(id_, "reminder", "tea", user, b"{}", START), START)
        new = NewStanding(
            id=id_,
            user_id=user,
            tool="pay",
            pattern={},
            conversation_id="",
            granted_by=by,
            created_at=START,
        )
        rights.allow(tx, new)
        rights.refuse(tx, new)


def live(tx: Tx, user: str, conversation: str, many: int) -> None:
    """Have a user say and ask something in a conversation, many times."""
    add_user(tx, user)
    add_conversation(tx, conversation, user)
    for n in range(many):
        turn = f"t-{user}-{conversation}-{n}"
        new = turns.New(
            id=turn,
            conversation=conversation,
            session="s",
            position=conversations.advance(tx, conversation),
            user=user,
            to=TO,
            reply_to="",
            now=START,
        )
        turns.add(tx, new)
        decision = Decision(
            outcome=Outcome.TURN, conversation=conversation, turn=turn, user=user, keep=True
        )
        inbox.put(tx, inbound(turn), turn, decision, row=turn, now=START)
        entry = Entry(
            conversation=conversation, position=new.position, session="s", turn=turn, user=user
        )
        messages = [own(f"{user}'s words"), _answer()]
        conversations.append(tx, entry, [(each, 1) for each in messages], START)
        message = Outgoing(text="x")
        kind = outbox.RowKind.CHUNK
        row = outbox.New(id=turn, to=TO, message=message, kind=kind, user=user, turn=turn)
        outbox.put(tx, row, START)
        asked = NewApproval(
            id=turn,
            turn_id=turn,
            conversation_id=conversation,
            user_id=user,
            epoch="e",
            code=turn,
            plan=PLAN,
            created_at=START,
            expires_at=START + 60,
        )
        rights.ask(tx, asked)
        usage.add(tx, _used(turn, user), START)


def _answer() -> Message:
    return Message(role=Role.ASSISTANT, parts=(Text(text="an answer", source=Source.MODEL),))


def _used(turn: str, user: str) -> Used:
    return Used(
        id=turn, turn=turn, user=user, route="default", provider="p", model="m",
        tokens_in=1, tokens_out=1, first_token_s=0.1, whole_s=0.1,
    )  # fmt: skip


async def begun(db: Db, user: str) -> int:
    """Begin an erasure; tell how many rows that changed."""

    def work(tx: Tx) -> int:
        counting = Counting(tx)
        erasure.begin(counting, user, START)
        return counting.rows

    return await db.write(work)


async def test_whatever_somebody_owns_they_are_shut_out_by_a_few_rows(db: Db) -> None:
    def prepare(tx: Tx) -> None:
        for user, many in (("few", 1), ("many", 50)):
            live(tx, user, f"c-{user}", many)
            own_ways(tx, user, user, many)
            people.set_password(tx, user, "a hash")

    await db.write(prepare)
    few, many = await begun(db, "few"), await begun(db, "many")
    assert few == many < 5
    out = await db.read(lambda tx: people.get(tx, "many"))
    assert out is not None
    assert START == out.disabled_at
    assert "" == await db.read(lambda tx: people.password(tx, "many"))
    assert ["few", "many"] == await db.read(erasure.under_way)


async def test_ways_are_forgotten_by_small_pieces_and_what_others_have_stays(db: Db) -> None:
    def prepare(tx: Tx) -> None:
        for user in "uv":
            add_user(tx, user)
        own_ways(tx, "u", "u", MANY)
        own_ways(tx, "v", "v", 1)
        for refused, by in (("other", "u"), ("theirs", "v")):
            new = NewStanding(
                id=refused,
                user_id="v",
                tool="pay",
                pattern={},
                conversation_id="",
                granted_by=by,
                created_at=START,
            )
            rights.refuse(tx, new)

    await db.write(prepare)
    pieces: list[int] = []
    while not pieces or pieces[-1]:
        pieces.append(await db.write(lambda tx: people.forget_ways(tx, "u", MOST)))
    assert max(pieces) <= 7 * MOST
    counts = await db.read(lambda tx: erasure.counts(tx, "u"))
    assert (0, 0, 0) == (counts.notes, counts.reminders, counts.logins)

    def left(tx: Tx) -> tuple[object, ...]:
        kept = rights.listed(tx)
        mine = [each for each in kept if "u" in (each.user_id, each.granted_by)]
        refused = sorted(each.id for each in rights.refused(tx, "v", START))
        listed = codes.listed(tx, codes.Kind.LINK, START)
        return mine, refused, len(listed), len(logins.of_user(tx, "v", START))

    assert ([], ["other", "theirs", f"v{0:025}"], 1, 1) == await db.read(left)


async def test_a_person_is_forgotten_piece_by_piece_and_a_tombstone_stays(db: Db) -> None:
    def prepare(tx: Tx) -> None:
        live(tx, "u", "mine", MANY)
        live(tx, "v", "group", 1)
        live(tx, "u", "group", MANY)
        people.identify(tx, "u", "telegram", "5", name="U", now=START)

    await db.write(prepare)
    whole = await db.read(lambda tx: erasure.counts(tx, "u"))
    both = 2 * MANY
    assert (1, both, both, both, both, both, 1) == (
        *(whole.conversations, whole.turns, whole.deliveries, whole.messages),
        *(whole.approvals, whole.usage, whole.accounts),
    )
    await begun(db, "u")
    for _ in range(2):  # as after a crash: every piece may be done again
        await _forgotten(db)
    await db.write(lambda tx: erasure.finish(tx, "u", START + 1))
    counts = await db.read(lambda tx: erasure.counts(tx, "u"))
    assert erasure.Counts(*(0,) * 11) == counts
    assert [Erased("u", START, START + 1)] == await db.read(erasure.listed)
    assert [] == await db.read(erasure.under_way)

    def left(tx: Tx) -> tuple[object, ...]:
        said = [each.user_id for each in conversations.page(tx, "group", 1_000, 100)]
        seen = inbox.seen(tx, "t-u-mine-0")
        gone = people.get(tx, "u"), conversations.get(tx, "mine"), inbox.bodies(tx, "t-u-mine-0")
        return said, seen is not None, gone, len(rights.of_turn(tx, "t-v-group-0"))

    assert (["v", "v"], True, (None, None, [b""]), 1) == await db.read(left)


async def test_whoever_has_very_much_is_closed_by_small_pieces_too(db: Db) -> None:
    def prepare(tx: Tx) -> None:
        for user in "uv":
            add_user(tx, user)
            for n in range(MANY if user == "u" else 1):
                _traces(tx, user, f"{user}{n}")

    await db.write(prepare)
    pieces: list[int] = []

    def piece(tx: Tx) -> bool:
        counting = Counting(tx)
        going = erasure.close(counting, "u", MOST)
        pieces.append(counting.rows)
        assert going == (people.get(tx, "u") is not None)
        return going

    while await db.write(piece):
        pass
    # A row of each kind for each account that a platform has, and the user with their key.
    assert max(pieces) <= 3 * MOST
    assert 4 * MANY <= sum(pieces)

    def left(tx: Tx) -> tuple[object, ...]:
        rows = (people.pairing_of(tx, "telegram", f"{user}0", START) for user in "uv")
        due = (timers.of_user(tx, user, "reminder") for user in "uv")
        return (*(row is not None for row in rows), *map(len, due), len(people.identities(tx, "v")))

    assert (False, True, 0, 1, 1) == await db.read(left)
    assert 0 == await db.write(lambda tx: erasure.close(tx, "u", MOST))


def _traces(tx: Tx, user: str, name: str) -> None:
    """Leave what only an account on a platform, or a timer, tells of a user."""
    people.identify(tx, user, "telegram", name, name=name, now=START)
    timers.add(tx, Timer(name, "reminder", "tea", user, b"{}", START), START)
    pairing = Pairing(
        code_hash=name,
        platform="telegram",
        external=name,
        name=name,
        language="en",
        held="",
        created_at=START,
        expires_at=START + 60,
    )
    people.add_pairing(tx, pairing)
    code = Code(
        hash=name,
        id=name,
        kind=codes.Kind.LINK,
        platform="telegram",
        external=name,
        created_at=START,
        expires_at=START + 60,
    )
    codes.add(tx, code)


async def _forgotten(db: Db) -> None:
    """Forget all of `u`, so many rows at a time."""
    await _emptied(db, lambda tx: erasure.turns(tx, "u", "", MOST), _forget_turns)
    await _emptied(db, lambda tx: erasure.lanes(tx, "u", "", MOST), _forget_lanes)
    await _emptied(db, lambda tx: erasure.rows(tx, "u", "", MOST), erasure.forget_rows)
    await _emptied(db, lambda tx: erasure.deliveries(tx, "u", "", MOST), erasure.forget_deliveries)
    for piece in (erasure.forget_usage, erasure.forget_words):
        while await db.write(partial(piece, user="u", most=MOST)):
            pass
    while await db.write(lambda tx: erasure.close(tx, "u", MOST)):
        pass


async def _emptied(
    db: Db, find: Callable[[Tx], list[T]], forget: Callable[[Tx, list[T]], None]
) -> None:
    while found := await db.read(find):
        assert len(found) <= MOST
        await db.write(lambda tx: forget(tx, found))


def _forget_turns(tx: Tx, gone: list[Gone]) -> None:
    erasure.forget_turns(tx, "u", gone)


def _forget_lanes(tx: Tx, gone: list[Conversation]) -> None:
    erasure.forget_lanes(tx, "u", gone, START)
