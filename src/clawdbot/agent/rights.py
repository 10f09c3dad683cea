"""What a turn's calls may do, decided anew at every act: roles, standing yeses, approvals.

Approvals are used up call by call; what was refused once is not asked again in the same turn.
"""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct, field

from clawdbot.domain.approval import Plan, Planned, State
from clawdbot.domain.binding import Given
from clawdbot.domain.inbound import Address
from clawdbot.domain.people import User
from clawdbot.domain.policy import (
    NOBODY,
    Allow,
    Ask,
    Context,
    Decision,
    Deny,
    Effect,
    Manifest,
    Role,
    Wish,
    ceiling_of,
    decide,
    role_of,
)
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Group
from clawdbot.domain.standing import Standing
from clawdbot.store import groups, people, rights
from clawdbot.store.rights import Approval
from clawdbot.store.turns import Turn
from clawdbot.tools.registry import Ready

ASKED_MOST = 8
_HOUR_S = 3600.0


class Rows(Struct, frozen=True, kw_only=True):
    """What the store says at this moment; `user` is None where there is no such user any more.

    `approvals` hold only those yeses whose giver could still give them; `ceiling` names the role
    above which nobody may do anything in the turn's group, where it is in one.
    """

    user: User | None
    custom: Mapping[str, Role]
    standing: tuple[Standing, ...]
    refused: tuple[Standing, ...]
    approvals: list[Approval]
    recent: Mapping[str, int]
    ceiling: str = ""


def read(tx: Tx, turn: Turn, limited: tuple[str, ...], now: float) -> Rows:
    """Read it, with the last hour's calls of the tools whose number is limited."""
    custom = rights.roles(tx)
    return Rows(
        user=people.get(tx, turn.user_id),
        custom=custom,
        standing=rights.standing(tx, turn.user_id, turn.conversation_id, now),
        refused=rights.refused(tx, turn.user_id, now),
        approvals=[a for a in rights.of_turn(tx, turn.id) if _holds(tx, a, custom)],
        recent={tool: rights.calls(tx, turn.user_id, tool, now - _HOUR_S) for tool in limited},
        ceiling=groups.ceiling(tx, turn.conversation_id, turn.to),
    )


def due(tx: Tx, user: User, to: Address, manifest: Manifest, now: float, *, new: Group) -> str:
    """Decide again on what was allowed once and is due now, without a turn; name the rule of a no.

    Where a role asks, the yes was given when it was set. A forgotten group is as a `new` one.
    """
    custom = rights.roles(tx)
    context = Context(
        user=user,
        role=role_of(user, custom),
        tainted=False,
        refused=rights.refused(tx, user.id, now),
        ceiling=ceiling_of(groups.ceiling_at(tx, to, new), custom),
    )
    decision = decide(context, Wish(manifest=manifest))
    return decision.rule if isinstance(decision, Deny) else ""


def entitled(user: User, asked: Approval, custom: Mapping[str, Role]) -> bool:
    """Tell whether a user may answer: the requester within their role, an admin within theirs."""
    role = role_of(user, custom)
    able = all(
        Effect(call.effect) in role.effects or call.tool in role.allowed
        for call in asked.plan.calls
    )
    own = user.id == asked.user_id and not asked.plan.admin
    return user.disabled_at is None and able and (own or user.runs_the_place)


class Rights(Struct):
    """The rights of one act; a yes is promised to one call and used up as it runs.

    `lessened` bounds a sub-agent: effects that it never has, whoever it works for.
    """

    rows: Rows
    given: Given
    tainted: bool
    private: bool
    spent: tuple[str, ...]
    lessened: frozenset[Effect] = frozenset()
    _left: Counter[str] = field(default_factory=Counter)
    _promised: Counter[str] = field(default_factory=Counter)
    _counted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        granted = (a for a in self.rows.approvals if a.state == State.GRANTED)
        said_yes = Counter(call.hash for approval in granted for call in approval.plan.calls)
        self._left = said_yes - Counter(self.spent)

    def weigh(self, ready: Ready) -> Decision:
        """Decide on a call."""
        if ready.tool.manifest.effect in self.lessened:
            return Deny("a helper may do less")
        planned = ready.planned()
        approved = self._left[planned.hash] > self._promised[planned.hash]
        decision = decide(self._context(ready, approved=approved), ready.wish)
        if isinstance(decision, Allow):
            self._counted[planned.tool] += 1
            self._promised[planned.hash] += decision.rule == "approved"
        if isinstance(decision, Ask) and (no := self._said_no(planned)):
            rule = "not answered" if no == State.EXPIRED else "refused"
            return Deny(rule, decision.trace)
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
        return bool(self._said_no(planned))

    def _said_no(self, planned: Planned) -> str:
        """Tell how exactly this was answered, where it was asked and not granted."""
        over = (a for a in self.rows.approvals if a.state not in {State.OPEN, State.GRANTED})
        found = (a.state for a in over for call in a.plan.calls if call.hash == planned.hash)
        return next(found, "")

    def _context(self, ready: Ready, *, approved: bool) -> Context:
        rows, user = self.rows, self.rows.user or ready.grant.user
        name = ready.tool.manifest.name
        return Context(
            user=user,
            role=role_of(user, rows.custom) if rows.user is not None else NOBODY,
            tainted=self.tainted,
            private=self.private,
            given=self.given,
            standing=rows.standing,
            refused=rows.refused,
            approved=approved,
            recent=rows.recent.get(name, 0) + self._counted[name],
            ceiling=ceiling_of(rows.ceiling, rows.custom),
        )


def _holds(tx: Tx, asked: Approval, custom: Mapping[str, Role]) -> bool:
    if asked.state != State.GRANTED:
        return True
    by = people.get(tx, asked.decided_by)
    return by is not None and entitled(by, asked, custom)


def plan_of(asked: list[tuple[Ready, Ask]]) -> Plan:
    """Put everything that needs a yes into one question."""
    calls = tuple(ready.planned(ask.rule) for ready, ask in asked)
    return Plan(calls=calls, admin=any(ask.admin for _, ask in asked))
