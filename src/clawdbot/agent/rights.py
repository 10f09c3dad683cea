"""What a turn's calls may do, decided anew at every act: roles, standing yeses, approvals.

Approvals are used up call by call; what was refused once is not asked again in the same turn.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from clawdbot.domain.approval import Plan, Planned, State
from clawdbot.domain.binding import Given
from clawdbot.domain.people import User
from clawdbot.domain.policy import (
    NOBODY,
    Ask,
    Context,
    Decision,
    Deny,
    Effect,
    Role,
    decide,
    role_of,
)
from clawdbot.domain.ports import Tx
from clawdbot.domain.standing import Standing
from clawdbot.store import people, rights
from clawdbot.store.rights import Approval
from clawdbot.store.turns import Turn
from clawdbot.tools.registry import Ready

ASKED_MOST = 8
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the store says at this moment; `user` is None where there is no such user any more."""

    user: User | None
    custom: Mapping[str, Role]
    standing: tuple[Standing, ...]
    approvals: list[Approval]
    recent: Mapping[str, int]


def read(tx: Tx, turn: Turn, limited: tuple[str, ...], now: float) -> Rows:
    """Read it, with the last hour's calls of the tools whose number is limited."""
    return Rows(
        user=people.get(tx, turn.user_id),
        custom=rights.roles(tx),
        standing=rights.standing(tx, turn.user_id, turn.conversation_id, now),
        approvals=rights.of_turn(tx, turn.id),
        recent={tool: rights.calls(tx, turn.user_id, tool, now - _HOUR_S) for tool in limited},
    )


@dataclass(slots=True)
class Rights:
    """The rights of one act; what was approved is used up as calls take it.

    `lessened` bounds a sub-agent: effects that it never has, whoever it works for.
    """

    rows: Rows
    given: Given
    tainted: bool
    private: bool
    spent: tuple[str, ...]
    lessened: frozenset[Effect] = frozenset()
    _left: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        granted = (a for a in self.rows.approvals if a.state == State.GRANTED)
        said_yes = Counter(call.hash for approval in granted for call in approval.plan.calls)
        self._left = said_yes - Counter(self.spent)

    def weigh(self, ready: Ready) -> Decision:
        """Decide on a call."""
        if ready.tool.manifest.effect in self.lessened:
            return Deny("a helper may do less")
        planned = ready.planned()
        decision = decide(self._context(ready, approved=self._left[planned.hash] > 0), ready.wish)
        if isinstance(decision, Ask) and self._said_no(planned):
            return Deny("refused", decision.trace)
        if isinstance(decision, Ask) and len(self.rows.approvals) >= ASKED_MOST:
            return Deny("asked too often", decision.trace)
        return decision

    def foresee(self, ready: Ready) -> Decision:
        """Decide on a call of a plan, which will run when anything may be in sight."""
        tainted, self.tainted = self.tainted, True
        try:
            return self.weigh(ready)
        finally:
            self.tainted = tainted

    def take(self, planned: Planned) -> bool:
        """Use up an approval of exactly this call; False where there is none."""
        if self._left[planned.hash] < 1:
            return False
        self._left[planned.hash] -= 1
        self.spent = (*self.spent, planned.hash)
        return True

    def refused(self, planned: Planned) -> bool:
        """Tell whether exactly this was asked and not granted."""
        return self._said_no(planned)

    def _said_no(self, planned: Planned) -> bool:
        over = (a for a in self.rows.approvals if a.state not in {State.OPEN, State.GRANTED})
        return any(call.hash == planned.hash for a in over for call in a.plan.calls)

    def _context(self, ready: Ready, *, approved: bool) -> Context:
        rows, user = self.rows, self.rows.user or ready.grant.user
        return Context(
            user=user,
            role=role_of(user, rows.custom) if rows.user is not None else NOBODY,
            tainted=self.tainted,
            private=self.private,
            given=self.given,
            standing=rows.standing,
            approved=approved,
            recent=rows.recent.get(ready.tool.manifest.name, 0),
        )


def plan_of(asked: list[tuple[Ready, Ask]]) -> Plan:
    """Put everything that needs a yes into one question."""
    calls = tuple(ready.planned(ask.rule) for ready, ask in asked)
    return Plan(calls=calls, admin=any(ask.admin for _, ask in asked))
