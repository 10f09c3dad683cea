"""A turn's journal on each engine: who may claim, who may write, what happens exactly once."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from clawdbot.domain.errors import Fenced
from clawdbot.domain.messages import Source
from clawdbot.domain.ports import Db, Tx
from clawdbot.durable import journal
from clawdbot.durable.journal import Ambiguous, MustBeAlone, Parking, Rule, Step, Stopped
from clawdbot.store import notes, timers, turns
from clawdbot.store.notes import Note
from clawdbot.store.turns import Turn, TurnState
from tests.contract.conftest import START, TRIES, VERSION, Lanes, Place
from tests.patience import PATIENCE_S

STEP = Step(key="act/1", source=Source.TOOL)


class OddError(Exception):
    """What a step of a test raises."""


class Act:
    """An effect on the world: counts how often it happened, and fails when told to."""

    def __init__(self, outcome: bytes = b"done") -> None:
        self.times = 0
        self.outcome = outcome
        self.fails = False

    async def __call__(self) -> bytes:
        self.times += 1
        if self.fails:
            raise OddError
        return self.outcome


def note(tx: Tx) -> bytes:
    """Do something to the database that shows when it happens twice."""
    known = notes.listed(tx, "u")
    notes.add(tx, "u", Note(f"note-{len(known)}", "body", "own", 0, START))
    return f"outcome {len(known)}".encode()


async def notes_of(db: Db) -> list[str]:
    return [found.id for found in await db.read(lambda tx: notes.listed(tx, "u"))]


async def recorded(db: Db, turn: Turn, key: str = STEP.key) -> journal.Recorded | None:
    return await db.read(lambda tx: tx.one(journal.Recorded, "steps.get", turn_id=turn.id, key=key))


async def park(
    lanes: Lanes, turn: Turn, *, wait: str = "w", due: float | None = None
) -> str | None:
    parking = Parking(wait=wait, due_at=due, version=1, body=b"p")
    return await lanes.journal.park(turn, Step(key="park", source=Source.FIXED), parking)


async def record(lanes: Lanes, turn: Turn, key: str = "think/0", version: int = 1) -> None:
    step = Step(key=key, source=Source.MODEL)
    await lanes.journal.record(turn, step, version, b"state")


async def signal(lanes: Lanes, wait: str = "w", answer: bytes = b"yes") -> str | None:
    return await lanes.db.write(lambda tx: journal.signal(tx, wait, answer))


# Claim


async def test_a_turn_is_claimable_when_all_before_it_in_its_lane_have_ended(lanes: Lanes) -> None:
    first, second = await lanes.queue(), await lanes.queue()
    assert None is await lanes.journal.claim(second, alone=False)
    claimed = await lanes.claim(first)
    assert (TurnState.RUNNING, 1) == (claimed.state, claimed.attempts)
    assert None is await lanes.journal.claim(second, alone=False)
    assert second == await lanes.finish(claimed)
    await lanes.claim(second)


@pytest.mark.parametrize("state", [TurnState.DONE, TurnState.STOPPED, TurnState.DEAD])
async def test_a_turn_that_ended_in_any_way_frees_its_lane(state: TurnState, lanes: Lanes) -> None:
    first, second = await lanes.queue(), await lanes.queue()
    assert second == await lanes.finish(await lanes.claim(first), state)
    assert None is await lanes.finish(await lanes.claim(second), state)
    assert None is await lanes.journal.claim(first, alone=False)
    assert state == (await lanes.get(first)).state


async def test_a_turn_that_was_closed_while_it_waited_frees_its_lane(lanes: Lanes) -> None:
    first, second = await lanes.queue(), await lanes.queue()
    close = TurnState.STOPPED
    assert await lanes.db.write(lambda tx: turns.close(tx, first, close, START))
    claimed = await lanes.claim(second)
    assert not await lanes.db.write(lambda tx: turns.close(tx, claimed.id, close, START))


async def test_lanes_run_side_by_side(lanes: Lanes) -> None:
    claimed = [await lanes.claim(await lanes.queue(f"c{n}")) for n in range(3)]
    assert 3 * [TurnState.RUNNING] == [turn.state for turn in claimed]
    assert 3 == len({turn.token for turn in claimed})


async def test_order_comes_from_the_position_whatever_the_clock_says(lanes: Lanes) -> None:
    first = await lanes.queue()
    lanes.clock.time -= 3600
    second = await lanes.queue()
    assert None is await lanes.journal.claim(second, alone=False)
    assert [first] == await lanes.db.read(turns.ready)


async def test_only_one_of_many_nodes_claims_a_turn(place: Place, lanes: Lanes) -> None:
    turn = await lanes.queue()
    async with place.opened() as other_db:
        other = Lanes(other_db, lanes.clock, node="node-2")
        journals = [lanes.journal, other.journal] * 8
        claims = await asyncio.gather(*(j.claim(turn, alone=False) for j in journals))
    won = [claimed for claimed in claims if claimed is not None]
    assert 1 == len(won)
    assert won[0].token == (await lanes.get(turn)).token


async def test_who_does_not_hold_the_lease_claims_nothing(lanes: Lanes) -> None:
    turn = await lanes.queue()
    lanes.lease.mine = False
    assert None is await lanes.journal.claim(turn, alone=False)
    lanes.lease.mine = True
    await lanes.claim(turn)


async def test_a_turn_that_does_not_exist_is_not_claimed(lanes: Lanes) -> None:
    assert None is await lanes.journal.claim("nobody", alone=False)


async def test_recovery_gives_back_what_this_node_ran_and_nothing_else(lanes: Lanes) -> None:
    mine, other, done = [await lanes.queue(f"c{n}") for n in range(3)]
    await lanes.claim(mine)
    await lanes.later(node="node-2").claim(other)
    await lanes.finish(await lanes.claim(done))
    assert 0 == await lanes.later().journal.recover()
    states = [(await lanes.get(turn)).state for turn in (mine, other, done)]
    assert [TurnState.READY, TurnState.RUNNING, TurnState.DONE] == states
    assert [mine] == await lanes.db.read(turns.ready)


# Fencing


WRITES: dict[str, Callable[[Lanes, Turn], Awaitable[object]]] = {
    "transact": lambda lanes, turn: lanes.journal.transact(turn, STEP, note),
    "effect": lambda lanes, turn: lanes.journal.effect(turn, STEP, Rule.REPEAT, Act()),
    "observe": lambda lanes, turn: lanes.journal.observe(turn, STEP, Act()),
    "record": record,
    "park": park,
    "finish": lambda lanes, turn: lanes.finish(turn),
    "hold": lambda lanes, turn: lanes.db.write(lambda tx: lanes.journal.hold(tx, turn)),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("since", ["taken over", "given back", "ended"])
async def test_every_write_with_a_stale_token_is_fenced(
    write: str, since: str, lanes: Lanes
) -> None:
    stale = await lanes.claim(await lanes.queue())
    if since == "ended":
        await lanes.finish(stale)
    else:
        await lanes.journal.recover()
    if since == "taken over":
        await lanes.later(node="node-2").claim(stale.id)
    before = await lanes.get(stale.id)
    with pytest.raises(Fenced):
        await WRITES[write](lanes, stale)
    assert before == await lanes.get(stale.id)
    assert [] == await notes_of(lanes.db)
    assert None is await recorded(lanes.db, stale)
    assert None is await lanes.db.read(lambda tx: journal.answer(tx, "w"))


async def test_a_stale_token_gives_nothing_back(lanes: Lanes) -> None:
    stale = await lanes.claim(await lanes.queue())
    await lanes.journal.recover()
    fresh = await lanes.later().claim(stale.id)
    for tried in (True, False):
        await lanes.journal.give_back(stale, tried=tried)
    assert fresh == await lanes.get(stale.id)


async def test_a_token_names_its_epoch_and_is_never_used_twice(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())
    await lanes.journal.give_back(turn, tried=False)
    again = await lanes.claim(turn.id)
    assert ["epoch-1", "epoch-1"] == [t.token.split(".")[0] for t in (turn, again)]
    assert turn.token != again.token


async def test_a_frozen_node_that_wakes_up_acts_no_more(lanes: Lanes) -> None:
    turn, act = await lanes.claim(await lanes.queue()), Act()
    lanes.lease.mine = False
    with pytest.raises(Fenced):
        await lanes.journal.effect(turn, STEP, Rule.REPEAT, act)
    assert 0 == act.times


# Steps


async def test_a_transacted_step_happens_once_whoever_asks_again(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())
    assert b"outcome 0" == await lanes.journal.transact(turn, STEP, note)
    assert b"outcome 0" == await lanes.journal.transact(turn, STEP, note)
    later = lanes.later()
    await later.journal.recover()
    assert b"outcome 0" == await later.journal.transact(await later.claim(turn.id), STEP, note)
    assert ["note-0"] == await notes_of(lanes.db)


async def test_a_transacted_step_happens_once_when_tries_run_side_by_side(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())
    outcomes = await asyncio.gather(*(lanes.journal.transact(turn, STEP, note) for _ in range(8)))
    assert 8 * [b"outcome 0"] == outcomes
    assert ["note-0"] == await notes_of(lanes.db)


async def test_steps_of_different_keys_run_side_by_side(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())
    steps = [Step(key=f"call/1.{n}", source=Source.TOOL) for n in range(5)]
    acts = [Act(f"{n}".encode()) for n in range(5)]
    asked = [
        lanes.journal.effect(turn, step, Rule.ASK, act)
        for step, act in zip(steps, acts, strict=True)
    ]
    assert [b"0", b"1", b"2", b"3", b"4"] == await asyncio.gather(*asked)


async def test_a_transaction_that_fails_leaves_no_step(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())

    def fail(tx: Tx) -> bytes:
        note(tx)
        raise OddError

    with pytest.raises(OddError):
        await lanes.journal.transact(turn, STEP, fail)
    assert None is await recorded(lanes.db, turn)
    assert b"outcome 0" == await lanes.journal.transact(turn, STEP, note)


async def test_the_intent_of_an_effect_is_stored_before_and_its_outcome_after(
    place: Place, lanes: Lanes
) -> None:
    turn = await lanes.claim(await lanes.queue())
    step = Step(key=STEP.key, source=Source.TOOL, taint=True, intent=b"what")
    seen = []

    async def act() -> bytes:
        async with place.opened() as other:
            seen.append(await recorded(other, turn))
        return b"outcome"

    assert b"outcome" == await lanes.journal.effect(turn, step, Rule.ASK, act)
    assert [journal.Recorded("intent", b"what", b"", "tool", 1)] == seen
    done = journal.Recorded("done", b"what", b"outcome", "tool", 1)
    assert done == await recorded(lanes.db, turn)


async def test_an_effect_with_an_outcome_is_not_repeated(lanes: Lanes) -> None:
    turn, act = await lanes.claim(await lanes.queue()), Act()
    for rule in (Rule.REPEAT, Rule.ASK, Rule.REPEAT):
        assert b"done" == await lanes.journal.effect(turn, STEP, rule, act)
    assert 1 == act.times


async def test_an_effect_without_outcome_is_asked_about_or_repeated_as_its_rule_says(
    lanes: Lanes,
) -> None:
    turn, act = await lanes.claim(await lanes.queue()), Act()
    act.fails = True
    with pytest.raises(OddError):
        await lanes.journal.effect(turn, STEP, Rule.ASK, act)
    act.fails = False
    for _ in range(2):
        with pytest.raises(Ambiguous):
            await lanes.journal.effect(turn, STEP, Rule.ASK, act)
    assert 1 == act.times
    assert b"done" == await lanes.journal.effect(turn, STEP, Rule.REPEAT, act)
    assert b"done" == await lanes.journal.effect(turn, STEP, Rule.ASK, act)
    assert 2 == act.times


async def test_an_observation_may_run_again_until_it_is_recorded(lanes: Lanes) -> None:
    turn, act = await lanes.claim(await lanes.queue()), Act()
    act.fails = True
    with pytest.raises(OddError):
        await lanes.journal.observe(turn, STEP, act)
    act.fails = False
    assert b"done" == await lanes.journal.observe(turn, STEP, act)
    assert b"done" == await lanes.journal.observe(turn, STEP, act)
    assert 2 == act.times


async def test_a_turn_resumes_from_the_state_it_recorded(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())
    await record(lanes, turn, version=3)
    await lanes.journal.recover()
    again = await lanes.claim(turn.id)
    assert (b"state", 3) == (again.body, again.version)
    assert "done" == getattr(await recorded(lanes.db, turn, "think/0"), "state", None)


async def test_steps_shrink_when_their_turn_ends(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())
    await lanes.journal.effect(
        turn, Step(key=STEP.key, source=Source.TOOL, intent=b"secret"), Rule.ASK, Act(b"secret")
    )
    await record(lanes, turn)
    await lanes.finish(turn)
    assert journal.Recorded("done", b"", b"", "tool", 0) == await recorded(lanes.db, turn)
    assert b"" == (await lanes.get(turn.id)).body


async def test_a_turn_ends_with_what_its_last_transaction_does_or_not_at_all(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())

    def work(tx: Tx) -> None:
        note(tx)
        lanes.journal.finish(tx, turn, TurnState.DONE)
        raise OddError

    with pytest.raises(OddError):
        await lanes.db.write(work)
    assert TurnState.RUNNING == (await lanes.get(turn.id)).state
    assert [] == await notes_of(lanes.db)


async def test_a_stop_is_seen_by_who_holds_the_turn(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())
    assert "" == await lanes.db.write(lambda tx: lanes.journal.hold(tx, turn))
    assert await lanes.db.write(lambda tx: turns.stop(tx, turn.id, "u"))
    assert "u" == await lanes.db.write(lambda tx: lanes.journal.hold(tx, turn))
    await lanes.finish(turn, TurnState.STOPPED)
    assert not await lanes.db.write(lambda tx: turns.stop(tx, turn.id, "u"))


# Attempts


async def crash(lanes: Lanes) -> None:
    await lanes.later().journal.recover()


async def test_a_try_counts_when_the_one_before_left_nothing(lanes: Lanes) -> None:
    turn = await lanes.queue()
    for attempt in (1, 2):
        assert attempt == (await lanes.claim(turn)).attempts
        await crash(lanes)
    for attempt in (3, 4, 5):
        assert attempt == (await lanes.claim(turn, alone=True)).attempts
        await crash(lanes)


@pytest.mark.parametrize("step", ["record", "transact", "effect", "observe"])
async def test_a_try_does_not_count_when_the_one_before_got_on(step: str, lanes: Lanes) -> None:
    turn = await lanes.queue()
    for n in range(2 * TRIES):
        claimed = await lanes.claim(turn)
        assert 1 == claimed.attempts
        here = Step(key=f"step/{n}", source=Source.TOOL)
        match step:
            case "record":
                await record(lanes, claimed, here.key)
            case "transact":
                await lanes.journal.transact(claimed, here, note)
            case "effect":
                await lanes.journal.effect(claimed, here, Rule.ASK, Act())
            case "observe":
                await lanes.journal.observe(claimed, here, Act())
        await crash(lanes)


async def test_a_step_that_only_begins_is_no_progress(lanes: Lanes) -> None:
    turn, act = await lanes.queue(), Act()
    act.fails = True
    for attempt in (1, 2):
        claimed = await lanes.claim(turn)
        assert attempt == claimed.attempts
        with pytest.raises(OddError):
            await lanes.journal.effect(claimed, STEP, Rule.REPEAT, act)
        await lanes.journal.give_back(claimed, tried=True)


async def test_a_clean_stop_is_no_try(lanes: Lanes) -> None:
    turn = await lanes.queue()
    for _ in range(2 * TRIES):
        claimed = await lanes.claim(turn)
        assert 1 == claimed.attempts
        await lanes.journal.give_back(claimed, tried=False)


async def test_the_last_try_is_taken_alone(lanes: Lanes) -> None:
    turn = await lanes.queue()
    for _ in range(TRIES - 1):
        await lanes.claim(turn)
        await crash(lanes)
    before = await lanes.get(turn)
    with pytest.raises(MustBeAlone):
        await lanes.journal.claim(turn, alone=False)
    assert before == await lanes.get(turn)
    assert TRIES == (await lanes.claim(turn, alone=True)).attempts


async def test_an_innocent_turn_in_flight_during_three_crashes_is_not_given_up(
    lanes: Lanes,
) -> None:
    culprit, innocent = await lanes.queue("bad"), await lanes.queue("good")
    for _ in range(TRIES - 1):
        for turn in (culprit, innocent):
            await lanes.claim(turn)
        await crash(lanes)
    for turn in (culprit, innocent):
        with pytest.raises(MustBeAlone):
            await lanes.journal.claim(turn, alone=False)
    await lanes.claim(culprit, alone=True)  # it takes the process down again, alone
    await crash(lanes)
    last = await lanes.claim(innocent, alone=True)
    assert TRIES == last.attempts
    await lanes.finish(last)
    assert TRIES + 1 == (await lanes.claim(culprit, alone=True)).attempts


# Parking


async def test_a_parked_turn_gives_up_its_lane(lanes: Lanes) -> None:
    first, second = await lanes.queue(), await lanes.queue()
    assert second == await park(lanes, await lanes.claim(first))
    parked = await lanes.get(first)
    assert (TurnState.PARKED, b"p", 1, "", "") == (
        parked.state, parked.body, parked.version, parked.token, parked.node
    )  # fmt: skip
    assert None is await lanes.journal.claim(first, alone=False)
    await lanes.claim(second)


async def test_an_answered_turn_enters_the_tail_of_its_lane(lanes: Lanes) -> None:
    first, second, third = [await lanes.queue() for _ in range(3)]
    await park(lanes, await lanes.claim(first))
    assert first == await signal(lanes)
    assert None is await lanes.journal.claim(first, alone=False)
    for turn, following in ((second, third), (third, first)):
        assert following == await lanes.finish(await lanes.claim(turn))
    resumed = await lanes.claim(first)
    assert (b"p", 1) == (resumed.body, resumed.attempts)
    assert 3 < resumed.position
    answer = await lanes.db.read(lambda tx: journal.answer(tx, "w"))
    assert answer == journal.Wait("w", first, "answered", b"yes")


async def test_a_wait_is_answered_once(lanes: Lanes) -> None:
    turn = await lanes.queue()
    await park(lanes, await lanes.claim(turn))
    answers = await asyncio.gather(*(signal(lanes, "w", f"{n}".encode()) for n in range(8)))
    assert [turn] == [found for found in answers if found is not None]
    assert None is await signal(lanes, "unheard of")
    resumed = await lanes.claim(turn)
    await park(lanes, resumed, wait="w2")
    assert None is await signal(lanes, "w")
    assert TurnState.PARKED == (await lanes.get(turn)).state


async def test_a_wait_expires_like_an_answer(lanes: Lanes) -> None:
    turn = await lanes.queue()
    await park(lanes, await lanes.claim(turn), due=START + 60)
    due = await lanes.db.read(lambda tx: timers.due(tx, journal.WAIT_TIMER, START + 60))
    assert ["w"] == [timer.subject for timer in due]
    expired = await lanes.db.write(lambda tx: journal.signal(tx, "w", b"", "expired"))
    assert turn == expired
    assert None is await signal(lanes)
    answer = await lanes.db.read(lambda tx: journal.answer(tx, "w"))
    assert answer == journal.Wait("w", turn, "expired", b"")


async def test_an_answer_to_a_turn_that_ended_while_it_waited_wakes_nobody(lanes: Lanes) -> None:
    turn = await lanes.queue()
    await park(lanes, await lanes.claim(turn))
    assert await lanes.db.write(lambda tx: turns.close(tx, turn, TurnState.STOPPED, START))
    assert None is await signal(lanes)
    assert TurnState.STOPPED == (await lanes.get(turn)).state


async def test_a_turn_that_was_told_to_stop_does_not_park(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())
    await lanes.db.write(lambda tx: turns.stop(tx, turn.id, "u"))
    with pytest.raises(Stopped):
        await park(lanes, turn)
    assert TurnState.RUNNING == (await lanes.get(turn.id)).state
    assert None is await lanes.db.read(lambda tx: journal.answer(tx, "w"))


async def test_a_resumed_turn_has_been_claimed_nobody_joins_it(lanes: Lanes) -> None:
    turn = await lanes.queue()
    unclaimed = await lanes.db.read(lambda tx: turns.unclaimed(tx, "c", "u"))
    assert unclaimed is not None
    assert (turn, None) == (unclaimed.id, unclaimed.claimed_at)
    claimed = await lanes.claim(turn)
    assert START == claimed.claimed_at
    await park(lanes, claimed)
    await signal(lanes)
    assert None is await lanes.db.read(lambda tx: turns.unclaimed(tx, "c", "u"))
    await lanes.journal.give_back(await lanes.claim(turn), tried=False)
    assert None is await lanes.db.read(lambda tx: turns.unclaimed(tx, "c", "u"))


# Versions


async def test_state_of_a_newer_version_stays_parked_as_it_is(lanes: Lanes) -> None:
    newer, following = await lanes.queue(), await lanes.queue()
    future = lanes.later(version=VERSION + 1)
    await record(future, await future.claim(newer), version=VERSION + 1)
    before = await lanes.get(newer)
    assert 1 == await lanes.journal.recover()
    parked = await lanes.get(newer)
    assert (TurnState.PARKED, before.body, before.version, before.attempts) == (
        parked.state, parked.body, parked.version, parked.attempts
    )  # fmt: skip
    assert {"parked": 1, "ready": 1} == await lanes.db.read(turns.counts)
    await lanes.finish(await lanes.claim(following))
    assert 1 == await lanes.journal.recover()
    assert 0 == await future.journal.recover()
    assert VERSION + 1 == (await future.claim(newer)).version


async def test_an_answer_does_not_start_state_of_a_newer_version(lanes: Lanes) -> None:
    turn, future = await lanes.queue(), lanes.later(version=VERSION + 1)
    claimed = await future.claim(turn)
    step = Step(key="park", source=Source.FIXED)
    parking = Parking(wait="w", due_at=None, version=VERSION + 1, body=b"newer")
    await future.journal.park(claimed, step, parking)
    assert turn == await signal(lanes)
    assert None is await lanes.journal.claim(turn, alone=False)
    assert TurnState.PARKED == (await lanes.get(turn)).state
    assert 0 == await future.journal.recover()
    assert b"newer" == (await future.claim(turn)).body


async def test_a_turn_that_waits_for_an_answer_is_not_taken_for_one_that_was_set_aside(
    lanes: Lanes,
) -> None:
    turn = await lanes.queue()
    await park(lanes, await lanes.claim(turn))
    assert 0 == await lanes.journal.recover()
    assert TurnState.PARKED == (await lanes.get(turn)).state


# The ends of a process


async def test_a_step_whose_caller_was_cancelled_is_still_done_once(lanes: Lanes) -> None:
    turn = await lanes.claim(await lanes.queue())
    inside, go = threading.Event(), threading.Event()

    def slow(tx: Tx) -> bytes:
        inside.set()
        assert go.wait(PATIENCE_S)
        return note(tx)

    asked = asyncio.ensure_future(lanes.journal.transact(turn, STEP, slow))
    while not inside.is_set():
        await asyncio.sleep(0.001)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    go.set()
    assert b"outcome 0" == await lanes.journal.transact(turn, STEP, note)
    assert ["note-0"] == await notes_of(lanes.db)
