"""Each repository on each engine: what is put is found, in order, once, and by its own alone."""

import pytest
from msgspec.structs import replace

from clawdbot.domain.inbound import Address, ChatKind, Inbound, Outcome, Sender
from clawdbot.domain.messages import Message, Role, Source, Text, own
from clawdbot.domain.people import Level, User
from clawdbot.domain.ports import Button, Db, Outgoing, Tx
from clawdbot.store import (
    conversations,
    inbox,
    logins,
    notes,
    outbox,
    people,
    state,
    timers,
    turns,
    usage,
)
from clawdbot.store.conversations import Entry, Summary
from clawdbot.store.inbox import Decision
from clawdbot.store.logins import Login, Wrong
from clawdbot.store.notes import Note
from clawdbot.store.outbox import Mark, RowKind, RowState
from clawdbot.store.people import Pairing
from clawdbot.store.timers import Timer
from clawdbot.store.turns import TurnState
from clawdbot.store.usage import Used
from tests.contract.conftest import START, TO, Lanes, add_conversation, add_user

USER = User("u", "Ada 艾达", Level.MEMBER, "zh", "Asia/Shanghai")
OTHER = Address(channel="telegram", account="main", chat="200", thread="7", group=True)


# People


async def test_a_user_is_found_by_id_name_and_account(db: Db) -> None:
    def work(tx: Tx) -> tuple[object, ...]:
        people.add(tx, USER, START, "argon2 hash")
        linked = [
            people.identify(tx, "u", "telegram", "5", name="Ada", now=START),
            people.identify(tx, "u", "matrix", "@ada", name="Ada", now=START),
        ]
        found = (
            people.get(tx, "u"),
            people.by_name(tx, "Ada 艾达"),
            people.by_identity(tx, "telegram", "5"),
            people.by_identity(tx, "matrix", "@ada"),
        )
        assert 4 * (USER,) == found
        return (*linked, people.by_identity(tx, "telegram", "@ada"), people.password(tx, "u"))

    assert (True, True, None, "argon2 hash") == await db.write(work)


async def test_an_account_belongs_to_one_user(db: Db) -> None:
    def work(tx: Tx) -> User | None:
        for user in ("u", "v"):
            add_user(tx, user)
        assert people.identify(tx, "u", "telegram", "5", name="", now=START)
        assert not people.identify(tx, "v", "telegram", "5", name="", now=START)
        return people.by_identity(tx, "telegram", "5")

    found = await db.write(work)
    assert "u" == getattr(found, "id", None)


async def test_a_profile_and_a_password_change(db: Db) -> None:
    changed = User("u", "Grace", Level.OWNER, "en", "UTC")

    def work(tx: Tx) -> tuple[User | None, str, str]:
        people.add(tx, USER, START)
        before = people.password(tx, "u")
        people.set_profile(tx, changed)
        people.set_password(tx, "u", "new")
        return people.get(tx, "u"), before, people.password(tx, "u")

    # A profile holds no authority: the role stays.
    assert (User("u", "Grace", Level.MEMBER, "en", "UTC"), "", "new") == await db.write(work)


async def test_users_are_listed_oldest_first_and_owners_apart(db: Db) -> None:
    def work(tx: Tx) -> tuple[list[str], list[str]]:
        for age, (name, role) in enumerate((("b", "owner"), ("a", "guest"), ("c", "owner"))):
            people.add(tx, User(name, name, role, "en", "UTC"), START + age)
        return [u.id for u in people.listed(tx)], [u.id for u in people.owners(tx)]

    assert (["b", "a", "c"], ["b", "c"]) == await db.write(work)


async def test_a_user_is_reachable_where_they_were_last_spoken_with_in_person(db: Db) -> None:
    def work(tx: Tx) -> list[bytes | None]:
        found = [people.reachable(tx, "u")]
        for number, scope in enumerate(("direct:1", "direct:2", "group:3")):
            add_conversation(tx, scope, "u")
            tx.run("conversations.touch", id=scope, session_id="s", session_from=START,
                   now=START + number)  # fmt: skip
        conversations.touch(tx, "group:3", "s", START, START + 99)
        return [*found, people.reachable(tx, "u"), people.reachable(tx, "v")]

    nobody, address, stranger = await db.write(work)
    assert (None, None) == (nobody, stranger)
    assert bytes is type(address)


async def test_a_code_is_open_until_it_is_used_or_too_old(db: Db) -> None:
    pairing = Pairing("hash", "telegram", "9", "Eve", "en", "row", START, START + 60)

    def work(tx: Tx) -> None:
        people.add_pairing(tx, pairing)
        assert pairing == people.find_pairing(tx, "hash", START + 59)
        assert pairing == people.pairing_of(tx, "telegram", "9", START + 59)
        assert [pairing] == people.open_pairings(tx, START + 59)
        assert None is people.find_pairing(tx, "hash", START + 60)
        assert None is people.pairing_of(tx, "telegram", "8", START)
        assert (1, 1) == people.pairings_between(tx, "telegram", "9", START, START)
        assert (0, 1) == people.pairings_between(tx, "telegram", "8", START, START)
        assert (0, 0) == people.pairings_between(tx, "telegram", "9", START + 1, START + 2)
        assert not people.refused(tx, "telegram", "9", START - 1)
        people.close_pairings(tx, "telegram", "9", "refused")
        assert people.refused(tx, "telegram", "9", START - 1)
        assert not people.refused(tx, "telegram", "9", START)
        assert not people.refused(tx, "telegram", "8", START - 1)
        assert None is people.find_pairing(tx, "hash", START)
        assert [] == people.open_pairings(tx, START)

    await db.write(work)


# Inbox


def inbound(event: str, text: str = "Hello", album: str = "") -> Inbound:
    return Inbound(
        receiver="telegram:1",
        event=event,
        to=TO,
        chat=ChatKind.DIRECT,
        sender=Sender(id="5"),
        parts=(Text(text=text, source=Source.OWN),),
        ref=f"ref-{event}",
        album=album,
    )


DECISION = Decision(outcome=Outcome.TURN, conversation="c", turn="t", user="u", keep=True)


async def test_a_delivery_is_remembered_with_what_was_decided(db: Db) -> None:
    def work(tx: Tx) -> None:
        assert None is inbox.seen(tx, "key-1")
        inbox.put(tx, inbound("1"), "key-1", DECISION, row="r1", now=START)
        assert ("turn", "t") == inbox.seen(tx, "key-1")
        found = inbox.get(tx, "r1")
        assert found is not None
        assert inbound("1") == found.inbound
        assert ("c", "t", "u", "turn") == (
            found.conversation_id, found.turn_id, found.user_id, found.outcome
        )  # fmt: skip
        assert 1 == inbox.recent(tx, "telegram", "5", START, START)
        assert 0 == inbox.recent(tx, "telegram", "5", START + 1, START + 2)
        assert 0 == inbox.recent(tx, "telegram", "6", START, START)

    await db.write(work)


async def test_of_what_may_not_be_kept_only_the_fact_is_stored(db: Db) -> None:
    def work(tx: Tx) -> bytes | None:
        inbox.put(tx, inbound("1"), "k", Decision(outcome=Outcome.REFUSED), row="r", now=START)
        found = inbox.get(tx, "r")
        return found.body if found else None

    assert b"" == await db.write(work)


async def test_a_turn_has_its_deliveries_in_their_order(db: Db) -> None:
    def work(tx: Tx) -> list[Inbound]:
        decision = DECISION
        for number in (3, 1, 2):
            event = str(number)
            inbox.put(tx, inbound(event), event, decision, row=f"r{number}", now=START - number)
            decision = replace(DECISION, outcome=Outcome.JOINED)
        return inbox.of_turn(tx, "t")

    assert [inbound("3"), inbound("1"), inbound("2")] == await db.write(work)


async def test_an_edit_finds_the_delivery_by_the_platforms_id_and_replaces_it(
    lanes: Lanes,
) -> None:
    turn = await lanes.queue("c")

    def work(tx: Tx) -> list[Inbound]:
        decision = replace(DECISION, turn=turn)
        inbox.put(tx, inbound("1"), "1", decision, row="r1", now=START)
        found = inbox.by_ref(tx, "c", "ref-1")
        assert found is not None
        assert "r1" == found.id
        assert None is inbox.by_ref(tx, "other", "ref-1")
        inbox.rewrite(tx, found.id, inbound("1", "Goodbye"))
        return inbox.of_turn(tx, turn)

    assert [inbound("1", "Goodbye")] == await lanes.db.write(work)
    await lanes.finish(await lanes.claim(turn))
    assert None is await lanes.db.read(lambda tx: inbox.by_ref(tx, "c", "ref-1"))


async def test_what_was_held_becomes_a_turn_once(db: Db) -> None:
    def work(tx: Tx) -> tuple[list[str], list[Inbound]]:
        held = Decision(outcome=Outcome.HELD, keep=True)
        inbox.put(tx, inbound("1"), "1", held, row="r1", now=START)
        for turn in ("t", "t2"):
            inbox.release(tx, "r1", "c", turn, "u")
        found = inbox.get(tx, "r1")
        assert found is not None
        return [found.turn_id, found.user_id, found.outcome], inbox.of_turn(tx, "t")

    assert (["t", "u", "turn"], [inbound("1")]) == await db.write(work)


# Conversations


async def test_a_conversation_is_found_by_its_receiver_and_scope(db: Db) -> None:
    def work(tx: Tx) -> None:
        add_conversation(tx, "c")
        found = conversations.find(tx, "telegram:1", "direct:c")
        assert found == conversations.get(tx, "c")
        assert found is not None
        assert (TO, "A title", "", 1) == (
            found.to, found.title, found.model, found.next_position
        )  # fmt: skip
        assert None is conversations.find(tx, "telegram:2", "direct:c")

    await db.write(work)


async def test_positions_count_up_and_a_conversation_that_is_not_there_has_none(db: Db) -> None:
    def work(tx: Tx) -> list[int]:
        add_conversation(tx, "c")
        return [conversations.advance(tx, "c") for _ in range(3)]

    assert [1, 2, 3] == await db.write(work)
    with pytest.raises(LookupError):
        await db.write(lambda tx: conversations.advance(tx, "none"))


async def test_a_conversation_changes_its_session_title_and_route(db: Db) -> None:
    def work(tx: Tx) -> None:
        for name in ("c", "d"):
            add_conversation(tx, name)
        conversations.touch(tx, "c", "s2", START + 1, START + 2)
        conversations.set_title(tx, "c", "磁盘")
        conversations.set_model(tx, "c", "large")
        found, other = conversations.get(tx, "c"), conversations.get(tx, "d")
        assert found is not None
        assert ("s2", START + 1, START + 2, "磁盘", "large") == (
            found.session_id, found.session_from, found.session_last, found.title, found.model
        )  # fmt: skip
        assert "A title" == getattr(other, "title", None)
        assert ["c", "d"] == [c.id for c in conversations.of_user(tx, "u", "telegram:1", 9)]
        assert ["c"] == [c.id for c in conversations.of_user(tx, "u", "telegram:1", 1)]
        assert [] == conversations.of_user(tx, "v", "telegram:1", 9)

    await db.write(work)


def said(text: str, *, taint: bool = False) -> Message:
    return Message(role=Role.ASSISTANT, parts=(Text(text=text, source=Source.TOOL, taint=taint),))


async def test_what_was_said_is_read_backwards_within_its_session(db: Db) -> None:
    def entry(position: int, session: str) -> Entry:
        return Entry(
            conversation="c", position=position, session=session, turn=f"t{position}", user="u"
        )

    def work(tx: Tx) -> None:
        for position in range(1, 7):
            messages = [(own(f"question {position}"), 3), (said(f"answer {position}"), 4)]
            conversations.append(tx, entry(position, f"s{position // 4}"), messages, START)
        now = entry(7, "s1")
        found = conversations.recent(tx, now, 4, 99)
        assert ["answer 6", "question 6", "answer 5", "question 5"] == [
            row.message.text for row in found
        ]
        assert [4, 3] == [row.tokens for row in found[:2]]
        assert ["answer 5"] == [
            r.message.text for r in conversations.recent(tx, entry(6, "s1"), 0, 1)
        ]
        everything = conversations.page(tx, "c", 6, 99)
        assert 10 == len(everything)
        assert [] == conversations.page(tx, "other", 99, 99)

    await db.write(work)


async def test_the_latest_summary_stands_and_the_first_for_a_position_stays(db: Db) -> None:
    def work(tx: Tx) -> Summary | None:
        assert None is conversations.last_summary(tx, "s")
        for upto, body in ((4, "early"), (9, "late"), (9, "later still"), (6, "between")):
            summary = Summary(upto, body, "model", 1, 12)
            conversations.add_summary(tx, "s", "u", summary, START)
        return conversations.last_summary(tx, "s")

    assert Summary(9, "late", "model", 1, 12) == await db.write(work)


# Turns


async def test_turns_are_counted_by_what_they_do(lanes: Lanes) -> None:
    running, *_ = [await lanes.queue() for _ in range(3)]
    dead = await lanes.claim(await lanes.queue("d"))
    await lanes.finish(dead, TurnState.DEAD)
    await lanes.finish(await lanes.claim(await lanes.queue("e")))
    await lanes.claim(running)
    lanes.clock.time += 60
    await lanes.queue()
    found = await lanes.db.read(
        lambda tx: (turns.counts(tx), turns.waiting(tx, "c"), turns.waiting(tx, "d"))
    )
    assert ({"running": 1, "ready": 3, "dead": 1}, 4, 0) == found
    assert START == await lanes.db.read(turns.oldest)
    assert [dead.id] == [turn.id for turn in await lanes.db.read(turns.dead)]


async def test_the_head_of_a_lane_is_its_earliest_open_turn(lanes: Lanes) -> None:
    first, second = [await lanes.queue() for _ in range(2)]
    head = await lanes.db.read(lambda tx: turns.head(tx, "c"))
    assert head == await lanes.get(first)
    assert head is not None
    assert (TO, "u", "s") == (head.to, head.user_id, head.session_id)
    await lanes.finish(await lanes.claim(first))
    assert second == getattr(await lanes.db.read(lambda tx: turns.head(tx, "c")), "id", None)
    assert None is await lanes.db.read(lambda tx: turns.head(tx, "other"))


async def test_the_front_of_a_turns_lane_and_all_that_is_open_in_it_are_found(lanes: Lanes) -> None:
    first, second, third = [await lanes.queue() for _ in range(3)]
    await lanes.finish(await lanes.claim(first))
    await lanes.claim(second)
    front = await lanes.db.read(lambda tx: [turns.front(tx, turn) for turn in (third, "none")])
    assert [await lanes.get(second), None] == front
    found = await lanes.db.read(lambda tx: turns.unfinished(tx, "c"))
    assert [second, third] == [turn.id for turn in found]


async def test_the_last_unclaimed_turn_of_a_user_is_found(lanes: Lanes) -> None:
    mine = [await lanes.queue(user="u") for _ in range(2)]
    await lanes.queue(user="v")
    found = await lanes.db.read(lambda tx: turns.unclaimed(tx, "c", "u"))
    assert mine[1] == getattr(found, "id", None)


# Outbox


def message(
    row: str, to: Address = TO, kind: RowKind = RowKind.CHUNK, stub: str = ""
) -> outbox.New:
    text = Outgoing(text=f"text of {row}", buttons=(Button(label="是", token="t"),), reply_to="9")
    return outbox.New(id=row, to=to, message=text, kind=kind, user="u", turn="t", stub=stub)


async def test_rows_wait_in_order_for_each_destination(db: Db) -> None:
    def work(tx: Tx) -> None:
        for row, to in (("b", TO), ("x", OTHER), ("a", TO)):
            outbox.put(tx, message(row, to), START)
        assert ["b", "a"] == [row.id for row in outbox.open_rows(tx, TO.key)]
        assert ["b"] == [row.id for row in outbox.open_rows(tx, TO.key, most=1)]
        assert sorted([TO.key, OTHER.key]) == sorted(outbox.destinations(tx))
        (found,) = outbox.open_rows(tx, OTHER.key)
        assert (OTHER, message("x").message) == (found.to, found.message)
        assert ("pending", "chunk", "u", "t", 0, "") == (
            found.state, found.kind, found.user_id, found.turn_id, found.attempts, found.ref
        )  # fmt: skip
        assert (3, START) == outbox.depth(tx)

    await db.write(work)


async def test_a_row_is_queued_once(db: Db) -> None:
    def work(tx: Tx) -> list[str]:
        for row in ("a", "b", "a"):
            outbox.put(tx, message(row), START)
        outbox.mark(tx, "a", Mark(state=RowState.SENT, ref="1"))
        outbox.put(tx, message("a"), START)
        return [row.id for row in outbox.open_rows(tx, TO.key)]

    assert ["b"] == await db.write(work)


async def test_a_row_that_has_ended_stays_as_it_is(db: Db) -> None:
    def work(tx: Tx) -> None:
        outbox.put(tx, message("a"), START)
        later = Mark(state=RowState.PENDING, attempts=2, reason="flood", not_before=START + 9)
        assert outbox.mark(tx, "a", later)
        assert outbox.mark(tx, "a", Mark(state=RowState.SENDING, attempts=3))
        assert outbox.mark(tx, "a", Mark(state=RowState.UNKNOWN, reason="crash"))
        assert not outbox.mark(tx, "a", Mark(state=RowState.SENT, ref="1"))
        row = outbox.get(tx, "a")
        assert row is not None
        assert (RowState.UNKNOWN, "") == (row.state, row.ref)
        assert ["a"] == [row.id for row in outbox.failed(tx)]
        assert (0, None) == outbox.depth(tx)
        assert [] == outbox.destinations(tx)

    await db.write(work)


async def test_a_stub_that_is_gone_is_sent_anew(db: Db) -> None:
    def work(tx: Tx) -> None:
        outbox.put(tx, message("stub", kind=RowKind.STUB), START)
        outbox.put(tx, message("chunk", stub="stub"), START)
        outbox.mark(tx, "stub", Mark(state=RowState.SENT, ref="1", attempts=1))
        outbox.renew(tx, "stub")
        stub = outbox.get(tx, "stub")
        assert stub is not None
        assert (RowState.PENDING, "") == (stub.state, stub.ref)
        assert ["stub", "chunk"] == [row.id for row in outbox.open_rows(tx, TO.key)]

    await db.write(work)


# Notes, timers, usage, log-ins, the store itself


async def test_notes_are_their_users_own_newest_first(db: Db) -> None:
    older, newer = Note("1", "磁盘", "own", 0, START), Note("2", "web", "tool", 1, START + 1)

    def work(tx: Tx) -> None:
        for note in (older, newer):
            notes.add(tx, "u", note)
        notes.add(tx, "v", Note("3", "secret", "own", 0, START))
        assert [newer, older] == notes.listed(tx, "u")
        assert [newer] == notes.listed(tx, "u", 1)
        assert not notes.remove(tx, "u", "3")
        assert notes.remove(tx, "u", "2")
        assert not notes.remove(tx, "u", "2")
        assert ([older], ["3"]) == (notes.listed(tx, "u"), [n.id for n in notes.listed(tx, "v")])

    await db.write(work)


async def test_timers_are_due_in_order_and_end_once(db: Db) -> None:
    late, soon = (
        Timer(name, "reminder", "tea", "u", b"{}", START + due)
        for name, due in (("late", 2), ("soon", 1))
    )
    other = Timer("other", "wait", "w", "v", b"", START)

    def work(tx: Tx) -> None:
        for timer in (late, soon, other):
            timers.add(tx, timer, START)
        assert [] == timers.due(tx, "reminder", START)
        assert [soon, late] == timers.due(tx, "reminder", START + 2)
        assert [soon, late] == timers.of_user(tx, "u", "reminder")
        assert START + 1 == timers.next_due(tx, "reminder")
        assert timers.end(tx, "soon", "fired")
        assert not timers.end(tx, "soon", "fired")
        assert [late] == timers.due(tx, "reminder", START + 2)
        assert [other] == timers.due(tx, "wait", START)
        assert None is timers.next_due(tx, "unheard of")

    await db.write(work)


async def test_usage_is_summed_by_model_and_recorded_once(db: Db) -> None:
    def used(call: str, model: str, tokens: int, user: str = "u") -> Used:
        return Used(
            id=call, turn="t", user=user, route="default", provider="external", model=model,
            tokens_in=tokens, tokens_out=1, first_token_s=0.05, whole_s=0.5, cost=tokens / 10,
        )  # fmt: skip

    def work(tx: Tx) -> list[usage.Sum]:
        for user in "uv":
            people.add(tx, User(user, user, Level.MEMBER, "en", "UTC"), START)
        for row in (used("1", "m", 10), used("2", "m", 20), used("1", "m", 10), used("3", "n", 5)):
            usage.add(tx, row, START)
        usage.add(tx, used("4", "m", 99, "v"), START)
        usage.add(tx, used("5", "m", 99), START - 60)
        return usage.of_user(tx, "u", START)

    sums = [usage.Sum("external", "m", 2, 30, 2, 3.0), usage.Sum("external", "n", 1, 5, 1, 0.5)]
    assert sums == await db.write(work)
    assert (3.5, 3.5) == await db.read(lambda tx: usage.spent(tx, "u", START, everybody=False))
    assert (3.5, 13.4) == await db.read(lambda tx: usage.spent(tx, "u", START, everybody=True))
    assert (0, 0) == await db.read(lambda tx: usage.spent(tx, "u", START + 1, everybody=True))


async def test_a_login_holds_until_it_ends_or_expires(db: Db) -> None:
    browser = Login("h1", "u", "browser", "csrf", START, START + 60, "i1", created_at=START)
    setup = Login("h2", "", "setup", "", START, START + 30)

    def work(tx: Tx) -> None:
        for login in (browser, setup, Login("h3", "v", "browser", "", START, START + 60)):
            logins.add(tx, login)
        assert browser == logins.get(tx, "h1", START + 59)
        assert None is logins.get(tx, "h1", START + 60)
        assert None is logins.get(tx, "other", START)
        assert 1 == logins.end_kind(tx, "setup")
        assert logins.end(tx, "h3")
        assert not logins.end(tx, "h3")
        assert 0 == logins.expire(tx, START + 59)
        assert 1 == logins.expire(tx, START + 60)

    await db.write(work)


async def test_wrong_tries_are_counted_forgiven_and_forgotten(db: Db) -> None:
    def work(tx: Tx) -> None:
        for key, user, late in (("name:u", "u", 0), ("peer:::1", "", 1), ("name:u", "u", 2)):
            logins.count_wrong(tx, key, user, START + late)
        assert logins.wrong(tx, "name:v") is None
        assert Wrong("name:u", 2, START + 2) == logins.wrong(tx, "name:u")
        assert ["name:u", "peer:::1"] == [each.key for each in logins.all_wrong(tx)]
        assert logins.forgive(tx, "peer:::1")
        assert not logins.forgive(tx, "peer:::1")
        logins.expire(tx, START + 86401)
        assert logins.wrong(tx, "name:u") is not None
        logins.expire(tx, START + 86402)
        assert [] == logins.all_wrong(tx)
        logins.count_wrong(tx, "name:u", "u", START + 9)
        logins.expire(tx, START)  # the clock was set back
        assert [] == logins.all_wrong(tx)

    await db.write(work)


async def test_a_flood_of_wrong_tries_pushes_out_the_oldest_alone(db: Db) -> None:
    def flood(tx: Tx) -> list[Wrong]:
        for number in range(10_000):
            logins.count_wrong(tx, f"peer:{number}", "", START + number)
            if number % 1000 == 0:
                logins.count_wrong(tx, "name:u", "u", START + number)
        logins.count_wrong(tx, "peer:last", "", START + 10_000)
        return logins.all_wrong(tx)

    found = await db.write(flood)
    assert 10_000 == len(found)
    assert Wrong("name:u", 10, START + 9000) in found
    assert {"peer:0", "peer:1"}.isdisjoint(each.key for each in found)


async def test_the_epoch_of_a_store_is_the_first_it_was_given(db: Db) -> None:
    assert "first" == await db.write(lambda tx: state.epoch(tx, "first"))
    assert "first" == await db.write(lambda tx: state.epoch(tx, "second"))
