"""May it? One pure decision, `decide(context, call) -> Allow | Ask | Deny`, from a table.

Levels and effects are data; what the table does not allow is denied. Identity comes from the
transport and the database, never from a call's arguments.
"""

from dataclasses import dataclass
from enum import StrEnum

from clawdbot.domain.people import Level, User


class Effect(StrEnum):
    """What a tool does to the world."""

    READ = "read"
    WRITE = "write"
    EXEC = "exec"
    EGRESS = "egress"
    MONEY = "money"
    ADMIN = "admin"


ALLOWED: dict[str, frozenset[Effect]] = {
    Level.OWNER: frozenset(Effect),
    Level.ADMIN: frozenset(Effect) - {Effect.MONEY},
    Level.MEMBER: frozenset({Effect.READ, Effect.WRITE}),
    Level.GUEST: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a tool declares: its effect, and whether it touches nothing but the requester's own.

    `public` tools tell only what anybody may know; `own` tools act on the requester's own rows and
    pass on the taint of what they store.
    """

    name: str
    effect: Effect
    public: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """For whom a turn acts (as they are now), and whether anything in sight came from others."""

    user: User
    tainted: bool


@dataclass(frozen=True, slots=True)
class Allow:
    """Go ahead; `rule` names the line of the table."""

    rule: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person must say yes first."""

    rule: str


@dataclass(frozen=True, slots=True)
class Deny:
    """No."""

    rule: str


def decide(context: Context, call: Manifest) -> Allow | Ask | Deny:
    """Decide on one call for one context."""
    if context.user.disabled_at is not None:
        return Deny("disabled user")
    if call.public and call.effect is Effect.READ:
        return Allow("public")
    if call.effect not in ALLOWED.get(context.user.role, frozenset()):
        return Deny(f"{context.user.role} may not {call.effect}")
    if call.effect is Effect.READ or call.own:
        return Allow("read" if call.effect is Effect.READ else "own")
    return Ask("tainted context") if context.tainted else Allow("role")
