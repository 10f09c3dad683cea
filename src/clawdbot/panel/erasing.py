"""Erasing a person: they are out at once, what is theirs is forgotten piece by piece, and for good.

One operation for panel, API and command line. The database is never held for long, a crash delays
but never ends it, and the list of who was erased outlives whatever is restored.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from clawdbot.domain.errors import StoreFailed
from clawdbot.domain.people import Area, User
from clawdbot.domain.ports import Tx
from clawdbot.gateway.boards import Board
from clawdbot.gateway.controls import Verdict, halt
from clawdbot.gateway.media import Media
from clawdbot.gateway.route import Caller
from clawdbot.panel.register import Change, Register
from clawdbot.panel.users import leaves_an_owner
from clawdbot.store import erasure, people, search, turns
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.erasure import Counts, Ledger

_TURNS, _ROWS, _LANES, _INDEX_PAGES = 100, 500, 20, 500
_STRETCH_S = 1.0
_AGAIN_S = 60.0


class Foretold(msgspec.Struct, frozen=True, kw_only=True):
    """Who would be erased, and how much of theirs."""

    id: str
    name: str
    counts: Counts


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure: of `all` that was counted when it last began, so much is `done`."""

    id: str
    at: float
    done: int
    all: int
    finished: bool


class Underway(msgspec.Struct, frozen=True, kw_only=True):
    """The erasures that are not finished; `mark` changes with them."""

    mark: str
    going: list[Erasure]


class _Course:
    """How far an erasure is: which stage, behind which row."""

    def __init__(self, whole: int) -> None:
        self.stage = 0
        self.after = ""
        self.whole = whole


class Erasing:
    """Erases people; `scrub` clears a database's files of what was deleted."""

    def __init__(
        self, register: Register, media: Media, ledger: Ledger, scrub: Callable[[], Awaitable[bool]]
    ) -> None:
        """Work on the book of people, on files, and on the list outside the database."""
        self._book = register
        self._media = media
        self._ledger = ledger
        self._scrub = scrub
        self._lock = asyncio.Lock()
        self._begun = asyncio.Event()
        self._courses: dict[str, _Course] = {}
        self._log = structlog.get_logger("erasing")
        # Twice: what still ran at the first pass is found by the second.
        # Files before lanes, which would take theirs along all at once.
        forget = (
            *(self._ways, self._turns, self._sent, self._lanes),
            *(self._rows, self._inbox, self._usage),
        )
        self._stages = (
            *(self._halt, *forget, self._words, *forget, self._words),
            *(self._close, self._inbox, self._index, self._files, self._clear),
        )

    def boards(self) -> dict[str, Board]:
        """Make the board that pages watch: how far each erasure is."""
        return {"erasures": Board("erasures", Area.PEOPLE, self.underway, self._book.clock)}

    async def foretold(self, caller: Caller, id: str) -> Foretold:  # noqa: A002 - the path's word
        """Tell what erasing a user would forget; nothing is changed."""

        def look(change: Change) -> Foretold:
            user = _erasable(change, id)
            counts = erasure.counts(change.tx, user.id)
            return Foretold(id=user.id, name=user.name, counts=counts)

        return await self._book.look(caller, look)

    async def remove(self, caller: Caller, id: str) -> None:  # noqa: A002
        """Erase a user: they are shut out at once, all that is theirs is forgotten after that."""

        def work(change: Change) -> tuple[str, float]:
            user = _erasable(change, id)
            change.cut.add(user.id)
            erasure.begin(change.tx, user.id, change.now)
            change.note("user.remove", user.id)
            return user.id, change.now

        user, at = await self._book.change(caller, work)
        await asyncio.to_thread(self._ledger.add, user, at)
        await self._halt(user, "")
        self._begun.set()

    async def listed(self) -> list[Erasure]:
        """List the erasures, finished ones too."""
        return await self._book.db.read(lambda tx: [self._told(tx, e) for e in erasure.listed(tx)])

    async def underway(self) -> Underway:
        """Tell how far the erasures are that are not finished."""
        going = [each for each in await self.listed() if not each.finished]
        mark = ",".join(f"{each.id}:{each.done}/{each.all}" for each in going)
        return Underway(mark=mark, going=going)

    async def carry_on(self) -> list[Erasure]:
        """Go on for a moment with what is not finished; list the erasures."""
        await self._advance(_STRETCH_S)
        return await self.listed()

    async def catch_up(self) -> None:
        """Erase, before anything runs, whom the list names and a restored database has again."""
        named, now = await asyncio.to_thread(self._ledger.users), self._book.clock.now()
        if not named:
            return

        def work(tx: Tx) -> list[str]:
            back = [user for user in named if people.get(tx, user) is not None]
            again = sorted({*back} - {*erasure.under_way(tx)})
            for user in again:
                erasure.begin(tx, user, now)
                self._book.record(tx, _entry(user, now))
            return again

        again = await self._book.db.write(work)
        while {*again} & {*await self._book.db.read(erasure.under_way)}:
            await self._advance(_STRETCH_S)

    async def run(self) -> None:
        """Erase until cancelled; what an earlier life had begun first."""
        while True:
            self._begun.clear()
            try:
                going = True
                while going:
                    going = await self._advance(_STRETCH_S)
            except (OSError, StoreFailed) as error:
                self._log.warning("erasing goes on later", reason=str(error))
                await asyncio.sleep(_AGAIN_S)
                continue
            await self._begun.wait()

    async def _advance(self, seconds: float) -> bool:
        """Work on the oldest erasure for a while; False where there is none."""
        async with self._lock:
            waiting = await self._book.db.read(erasure.under_way)
            if not waiting:
                return False
            user = waiting[0]
            course = self._courses.get(user) or await self._begin(user)
            until = self._book.clock.monotonic() + seconds
            while self._book.clock.monotonic() < until and course.stage < len(self._stages):
                course.after = await self._stages[course.stage](user, course.after)
                course.stage += not course.after
            if course.stage == len(self._stages):
                now = self._book.clock.now()
                await self._book.db.write(lambda tx: erasure.finish(tx, user, now))
                self._log.info("erased", user=user)
            return True

    async def _begin(self, user: str) -> _Course:
        whole = await self._book.db.read(lambda tx: _much(tx, user))
        at = {each.user_id: each.erased_at for each in await self._book.db.read(erasure.listed)}
        await asyncio.to_thread(self._ledger.add, user, at[user])
        course = self._courses[user] = _Course(whole)
        return course

    def _told(self, tx: Tx, each: erasure.Erased) -> Erasure:
        finished, course = each.finished_at is not None, self._courses.get(each.user_id)
        left = 0 if finished else _much(tx, each.user_id)
        whole = max(left, course.whole if course is not None else 0)
        return Erasure(
            id=each.user_id, at=each.erased_at, done=whole - left, all=whole, finished=finished
        )

    # A stage takes the row to go on behind, and gives where to go on.

    async def _halt(self, user: str, _: str) -> str:
        now = self._book.clock.now()

        def work(tx: Tx) -> list[Verdict]:
            return [halt(tx, turn, user, now) for turn in turns.of_user(tx, user, _TURNS)]

        found = await self._book.db.write(work)
        for verdict in found:
            self._book.inbox.look_up(verdict)
        return "more" if found else ""

    async def _ways(self, user: str, _: str) -> str:
        gone = await self._book.db.write(lambda tx: people.forget_ways(tx, user, _ROWS))
        return "more" if gone else ""

    async def _turns(self, user: str, after: str) -> str:
        db = self._book.db
        found = await db.read(lambda tx: erasure.turns(tx, user, after, _TURNS))
        await db.write(lambda tx: erasure.forget_turns(tx, user, found))
        return found[-1].id if found else ""

    async def _lanes(self, user: str, after: str) -> str:
        db, now = self._book.db, self._book.clock.now()
        found = await db.read(lambda tx: erasure.lanes(tx, user, after, _LANES))
        await db.write(lambda tx: erasure.forget_lanes(tx, user, found, now))
        return found[-1].id if found else ""

    async def _rows(self, user: str, after: str) -> str:
        db = self._book.db
        found = await db.read(lambda tx: erasure.rows(tx, user, after, _ROWS))
        await db.write(lambda tx: erasure.forget_rows(tx, found))
        return found[-1] if found else ""

    async def _inbox(self, user: str, after: str) -> str:
        db = self._book.db
        found = await db.read(lambda tx: erasure.deliveries(tx, user, after, _ROWS))
        await db.write(lambda tx: erasure.forget_deliveries(tx, found))
        return found[-1] if found else ""

    async def _usage(self, user: str, _: str) -> str:
        gone = await self._book.db.write(lambda tx: erasure.forget_usage(tx, user, _ROWS))
        return "more" if gone else ""

    async def _words(self, user: str, _: str) -> str:
        gone = await self._book.db.write(lambda tx: erasure.forget_words(tx, user, _TURNS))
        return "more" if gone else ""

    async def _sent(self, user: str, _: str) -> str:
        return "more" if await self._media.forget(user, _ROWS) else ""

    async def _close(self, user: str, _: str) -> str:
        going = await self._book.db.write(lambda tx: erasure.close(tx, user, _ROWS))
        return "more" if going else ""

    async def _index(self, _: str, __: str) -> str:
        done = await self._book.db.write(lambda tx: search.merge(tx, _INDEX_PAGES))
        return "" if done else "more"

    async def _files(self, _: str, __: str) -> str:
        await self._media.sweep()
        return ""

    async def _clear(self, _: str, __: str) -> str:
        if await self._scrub():
            return ""
        await asyncio.sleep(0.05)
        return "more"


def _erasable(change: Change, who: str) -> User:
    user = change.below(who)
    leaves_an_owner(change, user)
    return user


def _much(tx: Tx, user: str) -> int:
    return sum(msgspec.structs.astuple(erasure.counts(tx, user)))


def _entry(user: str, now: float) -> Entry:
    return Entry(
        at=now,
        kind=Kind.ADMIN,
        what="user.remove",
        decision="allow",
        rule="erased before the restore",
        outcome=user,
    )
