"""The audit trail on each engine: nothing is lost by undoing, and no change of it goes unseen."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace
from msgspec.structs import replace as changed

from clawdbot.config.key import MasterKey
from clawdbot.domain.ports import Db, Tx
from clawdbot.store import audit, proof
from clawdbot.store.audit import Audit, Checkpoint, Entry, Kind, Query, Signer
from clawdbot.store.proof import Fault, Kept, Verdict
from clawdbot.store.vault import Vault
from tests.contract.conftest import START
from tests.contract.test_store_secrets import alter

CHAIN = "local:01"
ENTRY = Entry(at=START, kind=Kind.EFFECT, what="shell", user_id="u", turn_id="t", step="act:1",
              decision="allow", rule="grant", arguments="ab" * 32)  # fmt: skip


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(MasterKey(tmp_path, {}))


@pytest.fixture
def trail(vault: Vault) -> Audit:
    return Audit(vault, CHAIN)


def fill(trail: Audit, count: int, **changes: object) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        for number in range(count):
            entry = replace(ENTRY, at=START + number, **changes)
            trail.append(tx, entry)

    return work


def sign(trail: Audit, vault: Vault) -> Callable[[Tx], list[Checkpoint]]:
    return lambda tx: trail.checkpoint(tx, audit.make_signer(tx, vault), START + 99)


def checked(tx: Tx, vault: Vault, kept: list[Kept] | None = None) -> Verdict:
    signer = audit.signer(tx, vault)
    return proof.verify(tx, signer.public if signer else "", kept or ())


async def test_a_whole_trail_is_whole(db: Db, trail: Audit, vault: Vault) -> None:
    assert Verdict(rows=0, checkpoints=0, bare=0) == await db.read(lambda tx: checked(tx, vault))
    await db.write(fill(trail, 5))
    assert [] != await db.write(sign(trail, vault))
    assert [] == await db.write(sign(trail, vault)), "nothing is new"
    await db.write(fill(trail, 2))
    await db.write(fill(Audit(vault, "local:02"), 3, payload=b"words"))
    assert Verdict(rows=10, checkpoints=1, bare=5) == await db.read(lambda tx: checked(tx, vault))
    made = await db.write(sign(trail, vault))
    assert [(2, CHAIN, 7), (3, "local:02", 3)] == [(c.number, c.chain, c.place) for c in made]
    assert Verdict(rows=10, checkpoints=3, bare=0) == await db.read(lambda tx: checked(tx, vault))


async def test_what_is_undone_leaves_no_gap(db: Db, trail: Audit, vault: Vault) -> None:
    def undone(tx: Tx) -> None:
        trail.append(tx, ENTRY)
        raise ValueError

    await db.write(fill(trail, 2))
    with pytest.raises(ValueError):
        await db.write(undone)
    await db.write(fill(trail, 2))
    verdict = await db.read(lambda tx: checked(tx, vault))
    assert (4, None) == (verdict.rows, verdict.bad)


async def test_the_hash_is_over_canonical_json_of_the_whole_row(db: Db, trail: Audit) -> None:
    from hashlib import sha256

    await db.write(fill(trail, 2))
    first, second = await db.read(lambda tx: audit.find(tx, Query()))
    for row, previous in ((first, ""), (second, first.hash)):
        told = [CHAIN, row.place, row.at, "u", "t", "act:1", "effect", "shell", "allow", "grant",
                row.arguments, "", "", previous]  # fmt: skip
        text = json.dumps(told, separators=(",", ":")).encode()
        assert sha256(text).hexdigest() == row.hash


async def test_texts_that_a_database_cannot_keep_do_not_break_the_chain(
    db: Db, trail: Audit, vault: Vault
) -> None:
    await db.write(fill(trail, 1, what="a\0b", outcome="\ud800", rule="规则 🦞"))
    (row,) = await db.read(lambda tx: audit.find(tx, Query()))
    assert ("a\ufffdb", "?", "规则 🦞") == (row.what, row.outcome, row.rule)
    assert None is (await db.read(lambda tx: checked(tx, vault))).bad


SWAP = "UPDATE audit SET place = -9 + place WHERE place IN (4, 5)"
BACK = "UPDATE audit SET place = -place WHERE place < 0"
ROOT = "(SELECT hash FROM audit WHERE place = 4)"
TAMPERED = {
    "altered": (["UPDATE audit SET outcome = 'none' WHERE place = 4"], Fault.ALTERED, 4),
    "altered time": (["UPDATE audit SET at = at + 1 WHERE place = 4"], Fault.ALTERED, 4),
    "altered hash": (["UPDATE audit SET hash = 'x' WHERE place = 4"], Fault.ALTERED, 4),
    "payload of another": (
        ["UPDATE audit SET payload = (SELECT b.payload FROM audit b WHERE b.place = 3)"],
        Fault.ALTERED,
        1,
    ),
    "moved to another chain": (
        ["UPDATE audit SET chain = 'local:00' WHERE place = 1"],
        Fault.ALTERED,
        1,
    ),
    "removed": (["DELETE FROM audit WHERE place = 4"], Fault.REMOVED, 4),
    "removed first": (["DELETE FROM audit WHERE place = 1"], Fault.REMOVED, 1),
    "reordered": ([SWAP, BACK], Fault.ALTERED, 4),
    "truncated": (["DELETE FROM audit WHERE place > 4"], Fault.TRUNCATED, 6),
    "wiped": (["DELETE FROM audit"], Fault.TRUNCATED, 6),
    "checkpoint moved": (
        [f"UPDATE checkpoints SET place = 4, root = {ROOT}"],
        Fault.FORGED,
        4,
    ),
    "checkpoint garbled": (["UPDATE checkpoints SET signature = 'zz'"], Fault.FORGED, 6),
    "checkpoint later": (["UPDATE checkpoints SET at = at + 1"], Fault.FORGED, 6),
}


@pytest.mark.parametrize("kind", TAMPERED)
async def test_the_first_bad_row_is_named(kind: str, db: Db, trail: Audit, vault: Vault) -> None:
    statements, fault, place = TAMPERED[kind]

    def work(tx: Tx) -> None:
        fill(trail, 6, payload=b"words")(tx)
        sign(trail, vault)(tx)
        fill(trail, 2)(tx)
        for statement in statements:
            alter(tx, statement)

    await db.write(work)
    bad = (await db.read(lambda tx: checked(tx, vault))).bad
    assert bad is not None
    assert (fault, place) == (bad.fault, bad.place)


async def test_a_row_put_between_others_is_found(db: Db, trail: Audit, vault: Vault) -> None:
    """The forger computes a hash that fits the row before; the row after gives it away."""

    def work(tx: Tx) -> None:
        fill(trail, 6)(tx)
        rows = audit.find(tx, Query())
        alter(tx, "DELETE FROM audit WHERE place = 4")
        forged = changed(rows[3], outcome="forged")
        forged = changed(forged, hash=audit.hash_of(forged))
        tx.run("audit.append", **asdict(forged))

    await db.write(work)
    bad = (await db.read(lambda tx: checked(tx, vault))).bad
    assert (Fault.INSERTED, 5) == (getattr(bad, "fault", None), getattr(bad, "place", None))


async def test_a_chain_computed_anew_is_not_what_was_signed(
    db: Db, trail: Audit, vault: Vault
) -> None:
    def work(tx: Tx) -> None:
        fill(trail, 6)(tx)
        sign(trail, vault)(tx)
        rows, previous = audit.find(tx, Query()), ""
        alter(tx, "DELETE FROM audit")
        for row in rows:
            forged = changed(row, outcome="forged", previous=previous)
            forged = changed(forged, hash=audit.hash_of(forged))
            tx.run("audit.append", **asdict(forged))
            previous = forged.hash

    await db.write(work)
    bad = (await db.read(lambda tx: checked(tx, vault))).bad
    assert (Fault.REWRITTEN, 6) == (getattr(bad, "fault", None), getattr(bad, "place", None))


async def test_a_checkpoint_of_a_strangers_key_is_forged(
    db: Db, trail: Audit, vault: Vault
) -> None:
    stranger = Signer(b"\1" * 32)

    def work(tx: Tx) -> None:
        fill(trail, 3)(tx)
        sign(trail, vault)(tx)
        fill(trail, 3)(tx)
        trail.checkpoint(tx, stranger, START)

    await db.write(work)
    verdict = await db.read(lambda tx: checked(tx, vault))
    assert (1, Fault.FORGED) == (verdict.checkpoints, getattr(verdict.bad, "fault", None))
    # Nor does it help to take the assistant's own key away.
    await db.write(lambda tx: alter(tx, "DELETE FROM meta WHERE key = 'audit_signer'"))
    verdict = await db.read(lambda tx: checked(tx, vault))
    assert (0, Fault.FORGED) == (verdict.checkpoints, getattr(verdict.bad, "fault", None))


async def test_a_checkpoint_that_is_missing_breaks_the_line(
    db: Db, trail: Audit, vault: Vault
) -> None:
    def work(tx: Tx) -> None:
        for _ in range(3):
            fill(trail, 2)(tx)
            sign(trail, vault)(tx)
        alter(tx, "DELETE FROM checkpoints WHERE number = 2")

    await db.write(work)
    bad = (await db.read(lambda tx: checked(tx, vault))).bad
    assert bad is not None
    assert (Fault.UNLINKED, 3) == (bad.fault, bad.checkpoint)


async def test_a_cut_tail_with_its_checkpoint_is_missed_by_what_was_kept_elsewhere(
    db: Db, trail: Audit, vault: Vault
) -> None:
    def work(tx: Tx) -> list[Checkpoint]:
        fill(trail, 2)(tx)
        made = sign(trail, vault)(tx)
        fill(trail, 2)(tx)
        made += sign(trail, vault)(tx)
        alter(tx, "DELETE FROM checkpoints WHERE number = 2")
        alter(tx, "DELETE FROM audit WHERE place > 2")
        return made

    made = await db.write(work)
    kept = [Kept(c.number, c.chain, c.place, c.signature) for c in made]
    assert None is (await db.read(lambda tx: checked(tx, vault))).bad
    assert None is (await db.read(lambda tx: checked(tx, vault, kept[:1]))).bad
    bad = (await db.read(lambda tx: checked(tx, vault, kept))).bad
    assert bad is not None
    assert (Fault.UNKNOWN, 4, 2) == (bad.fault, bad.place, bad.checkpoint)


async def test_erasing_a_person_erases_the_content_and_leaves_the_chain(
    db: Db, trail: Audit, vault: Vault
) -> None:
    def read(tx: Tx) -> list[bytes]:
        return [audit.content(tx, vault, row) for row in audit.find(tx, Query())]

    def work(tx: Tx) -> None:
        for user in ("u", "v"):
            trail.append(tx, replace(ENTRY, user_id=user, payload=f"words of {user}".encode()))
        sign(trail, vault)(tx)

    await db.write(work)
    assert [b"words of u", b"words of v"] == await db.read(read)
    assert await db.write(lambda tx: audit.erase(tx, "u"))
    assert not await db.write(lambda tx: audit.erase(tx, "u"))
    await db.write(lambda tx: trail.append(tx, replace(ENTRY, payload=b"later")))
    assert [b"", b"words of v", b"later"] == await db.read(read)
    verdict = await db.read(lambda tx: checked(tx, vault))
    assert (3, None) == (verdict.rows, verdict.bad)


async def test_arguments_are_named_by_their_persons_key(db: Db, trail: Audit) -> None:
    def work(tx: Tx) -> None:
        for user in "uvu":
            trail.append(tx, replace(ENTRY, user_id=user))
        trail.append(tx, replace(ENTRY, kind=Kind.ADMIN))
        assert audit.erase(tx, "u")
        trail.append(tx, ENTRY)

    await db.write(work)
    first, other, again, plain, later = [
        row.arguments for row in await db.read(lambda tx: audit.find(tx, Query()))
    ]
    assert first == again
    assert 3 == len({first, other, later})
    assert all(each.startswith(audit.KEYED) for each in (first, other, later))
    assert ENTRY.arguments == plain
    assert ENTRY.arguments not in first


async def test_rows_are_found_by_who_why_what_and_when(db: Db, trail: Audit) -> None:
    def work(tx: Tx) -> None:
        for number in range(8):
            trail.append(tx, replace(
                ENTRY, at=START + number // 2, user_id="uv"[number % 2],
                turn_id=f"t{number // 4}", what=("shell", "files")[number % 4 == 0],
            ))  # fmt: skip

    await db.write(work)

    async def places(query: Query, most: int = 100, *, newest: bool = False) -> list[int]:
        wanted = changed(query, most=most, newest=newest)
        rows = await db.read(lambda tx: audit.find(tx, wanted))
        return [row.place for row in rows]

    assert [1, 2, 3, 4, 5, 6, 7, 8] == await places(Query())
    assert [8, 7, 6] == await places(Query(), 3, newest=True)
    assert [5, 4] == await places(Query(after=(START + 2, CHAIN, 6)), 2, newest=True)
    assert [6, 7] == await places(Query(after=(START + 2, CHAIN, 5)), 2)
    assert [2, 4, 6, 8] == await places(Query(user="v"))
    assert [5, 6, 7, 8] == await places(Query(turn="t1"))
    assert [1, 5] == await places(Query(what="files"))
    assert [] == await places(Query(kind="admin"))
    assert [3, 4, 5, 6] == await places(Query(since=START + 1, until=START + 3))


async def test_many_rows_wait_for_a_checkpoint_only_so_long(db: Db, vault: Vault) -> None:
    told: list[int] = []
    trail = Audit(vault, CHAIN, rows=10, full=lambda: told.append(1))
    await db.write(fill(trail, 25))
    assert [1] == told
    await db.write(sign(trail, vault))
    await db.write(fill(trail, 9))
    assert [1] == told
    await db.write(fill(trail, 1))
    assert [1, 1] == told


async def test_a_long_trail_is_checked_in_bounded_memory(
    db: Db, trail: Audit, vault: Vault
) -> None:
    def peak(tx: Tx) -> tuple[int, int]:
        tracemalloc.start()
        rows = checked(tx, vault).rows
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return rows, most

    await db.write(fill(trail, 1000))
    rows, small = await db.read(peak)
    await db.write(fill(trail, 9000))
    more, large = await db.read(peak)
    assert (1000, 10_000) == (rows, more)
    assert large < 1.5 * small


def test_a_checkpoint_says_all_that_it_signs() -> None:
    bare = Checkpoint(1, CHAIN, 2, "root", START, "", "", "")
    for change in ({"number": 2}, {"chain": "x"}, {"place": 3}, {"root": "x"}, {"at": 1.0},
                   {"previous": "x"}):  # fmt: skip
        assert audit.signed_text(bare) != audit.signed_text(replace(bare, **change))
    assert {*bare.__struct_fields__} == {
        "number", "chain", "place", "root", "at", "previous", "key", "signature",
    }  # fmt: skip
