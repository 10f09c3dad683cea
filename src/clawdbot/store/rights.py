"""Who may what beyond the built-in tables: roles, standing yeses, what was asked and answered."""

import msgspec
from msgspec.structs import asdict

from clawdbot.domain.approval import Plan, State
from clawdbot.domain.policy import Role
from clawdbot.domain.ports import Tx
from clawdbot.domain.standing import Standing

_ROLE = msgspec.json.Decoder(Role)
_PATTERN = msgspec.json.Decoder(dict[str, str])
_PLAN = msgspec.json.Decoder(Plan)


class NewStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A standing yes or no about to be kept; empty user or conversation: all of them."""

    id: str
    user_id: str
    tool: str
    pattern: dict[str, str]
    conversation_id: str
    granted_by: str
    created_at: float
    expires_at: float | None = None


class Kept(msgspec.Struct, frozen=True):
    """A standing yes or no (`never`) as it is listed."""

    id: str
    user_id: str
    tool: str
    body: bytes
    conversation_id: str
    granted_by: str
    created_at: float
    expires_at: float | None
    never: int

    @property
    def pattern(self) -> dict[str, str]:
        """Read for which arguments it stands."""
        return _PATTERN.decode(self.body)


class NewApproval(msgspec.Struct, frozen=True, kw_only=True):
    """Something about to be asked."""

    id: str
    turn_id: str
    conversation_id: str
    user_id: str
    epoch: str
    code: str
    plan: Plan
    created_at: float
    expires_at: float


class Approval(msgspec.Struct, frozen=True):
    """What was asked, and what became of it; `body` shows everything that will run."""

    id: str
    turn_id: str
    conversation_id: str
    user_id: str
    epoch: str
    code: str
    hash: str
    body: bytes
    state: str
    scope: str
    decided_by: str
    created_at: float
    expires_at: float
    decided_at: float | None

    @property
    def plan(self) -> Plan:
        """Read what would run."""
        return _PLAN.decode(self.body)


def roles(tx: Tx) -> dict[str, Role]:
    """Read every role beyond the built-in ones."""
    return dict(tx.all(lambda name, body: (str(name), _ROLE.decode(body)), "roles.all"))


def put_role(tx: Tx, name: str, role: Role, now: float) -> None:
    """Keep a role."""
    tx.run("roles.put", name=name, body=msgspec.json.encode(role), now=now)


def remove_role(tx: Tx, name: str) -> bool:
    """Forget a role; False where it is unknown or somebody has it."""
    return tx.run("roles.remove", name=name) == 1


def allow(tx: Tx, new: NewStanding) -> None:
    """Keep a standing yes."""
    tx.run("standings.add", **(asdict(new) | {"pattern": msgspec.json.encode(new.pattern)}))


def refuse(tx: Tx, new: NewStanding) -> None:
    """Keep a standing no, for every conversation."""
    row = asdict(new) | {"pattern": msgspec.json.encode(new.pattern)}
    del row["conversation_id"]
    tx.run("refusals.add", **row)


def standing(tx: Tx, user: str, conversation: str, now: float) -> tuple[Standing, ...]:
    """List what stands for a user in a conversation."""
    found = {"user_id": user, "conversation_id": conversation, "now": now}
    return tuple(tx.all(_standing, "standings.of", **found))


def refused(tx: Tx, user: str, now: float) -> tuple[Standing, ...]:
    """List what is refused to a user for good."""
    return tuple(tx.all(_standing, "refusals.of", user_id=user, now=now))


def listed(tx: Tx, most: int = 500) -> list[Kept]:
    """List every standing yes and no, newest first."""
    return tx.all(Kept, "standings.list", most=most)


def revoke(tx: Tx, id_: str, now: float) -> bool:
    """Take a standing yes or no back; False where there is none."""
    found = {"id": id_, "now": now}
    return tx.run("standings.revoke", **found) + tx.run("refusals.revoke", **found) == 1


def revoke_tool(tx: Tx, tool: str, now: float) -> int:
    """Take back every standing yes and no for a tool; tell how many."""
    found = {"tool": tool, "now": now}
    return tx.run("standings.revoke_tool", **found) + tx.run("refusals.revoke_tool", **found)


def ask(tx: Tx, new: NewApproval) -> None:
    """Ask for a yes."""
    row = asdict(new)
    plan = row.pop("plan")
    tx.run("approvals.add", hash=new.plan.hash, body=msgspec.json.encode(plan), **row)


def approval(tx: Tx, id_: str) -> Approval | None:
    """Read what was asked."""
    return tx.one(Approval, "approvals.get", id=id_)


def with_code(tx: Tx, code: str, epoch: str) -> list[Approval]:
    """List the open approvals with a code."""
    return tx.all(Approval, "approvals.by_code", code=code, epoch=epoch)


def of_turn(tx: Tx, turn: str) -> list[Approval]:
    """List what a turn asked, in order."""
    return tx.all(Approval, "approvals.of_turn", turn_id=turn)


def waiting(tx: Tx, epoch: str, user: str = "", most: int = 100) -> list[Approval]:
    """List what waits for an answer, oldest first; everybody's, or one user's."""
    return tx.all(Approval, "approvals.open", epoch=epoch, user_id=user, most=most)


def waiting_in(tx: Tx, conversation: str) -> list[Approval]:
    """List what waits for an answer in a conversation."""
    return tx.all(Approval, "approvals.of_conversation", conversation_id=conversation)


def decided(tx: Tx, user: str = "", most: int = 100) -> list[Approval]:
    """List what was asked and decided, newest first; everybody's, or one user's."""
    return tx.all(Approval, "approvals.decided", user_id=user, most=most)


def answer(tx: Tx, id_: str, state: State, scope: str, *, by: str, now: float) -> bool:
    """Answer an approval; False where somebody was first."""
    return tx.run("approvals.decide", id=id_, state=state, scope=scope, decided_by=by, now=now) == 1


def close(tx: Tx, turn: str, state: State, *, by: str, now: float) -> list[str]:
    """End what a turn still asks; name it."""
    return tx.all(str, "approvals.close", turn_id=turn, state=state, decided_by=by, now=now)


def forget(tx: Tx, conversation: str, now: float) -> list[str]:
    """Forget what was asked in a conversation, take back what stands there; name what it was."""
    asked = tx.all(str, "approvals.in_conversation", id=conversation)
    tx.run("approvals.forget", id=conversation)
    tx.run("standings.revoke_in", id=conversation, now=now)
    return asked


def free_code(tx: Tx, wish: str) -> str:
    """Find a code, from the wished one on, that means nothing else, now or lately."""
    code = wish
    while tx.one(int, "approvals.taken", code=code):
        code = f"{(int(code) + 1) % 10_000:04}"
    return code


def depth(tx: Tx, epoch: str, user: str = "") -> tuple[int, float | None]:
    """Count what waits for an answer, everybody's or one user's, and tell since when."""
    found = tx.one(
        lambda count, since: (int(count), since), "approvals.depth", epoch=epoch, user_id=user
    )
    return found or (0, None)


def newest(tx: Tx) -> str:
    """Name what was asked last; empty where nothing was."""
    return tx.one(str, "approvals.newest") or ""


def calls(tx: Tx, user: str, tool: str, since: float) -> int:
    """Count a user's calls of a tool since a time, by the audit's word."""
    return tx.one(int, "rights.calls", user_id=user, what=tool, since=since) or 0


def _standing(id_: str, tool: str, pattern: bytes) -> Standing:
    return Standing(id=id_, tool=tool, pattern=_PATTERN.decode(pattern))
