"""Who may set whom: nobody hands out, takes or touches what opens more than their own. Pure."""

from collections.abc import Mapping

from clawdbot.domain.people import Level, User
from clawdbot.domain.policy import Effect, Role, named

# What a built-in level may beyond its table: answer, stop and look after others.
_RANKS: Mapping[str, int] = {Level.OWNER: 2, Level.ADMIN: 1}


def may_give(
    giver: str, role: str, custom: Mapping[str, Role], tools: Mapping[str, Effect]
) -> bool:
    """Tell whether a role (by name) opens nothing that the giver's does not; owners give any."""
    if giver == Level.OWNER:
        return True
    within = _RANKS.get(role, 0) <= _RANKS.get(giver, 0)
    return within and covers(named(giver, custom), named(role, custom), tools)


def may_touch(
    actor: User, target: User, custom: Mapping[str, Role], tools: Mapping[str, Effect]
) -> bool:
    """Tell whether a user may act on another: an owner, or whose role is strictly more."""
    if actor.disabled_at is not None:
        return False
    less = may_give(actor.role, target.role, custom, tools)
    return actor.role == Level.OWNER or (
        less and not may_give(target.role, actor.role, custom, tools)
    )


def covers(mine: Role, theirs: Role, tools: Mapping[str, Effect]) -> bool:
    """Tell whether one role opens all that another does; `tools` are the effects of those known."""
    return (
        theirs.effects <= mine.effects
        and theirs.asks <= mine.effects | mine.asks
        and theirs.areas <= mine.areas
        and all(_has(mine, tool, tools) for tool in theirs.allowed - theirs.denied)
        and not any(_could(theirs, tool, tools) for tool in mine.denied)
    )


def _has(role: Role, tool: str, tools: Mapping[str, Effect]) -> bool:
    """Tell whether a role has a tool without asking anybody."""
    return tool not in role.denied and (tool in role.allowed or tools.get(tool) in role.effects)


def _could(role: Role, tool: str, tools: Mapping[str, Effect]) -> bool:
    """Tell whether a role may so much as ask for a tool; for an unknown one the worst is taken."""
    able = role.effects | role.asks
    within = tools[tool] in able if tool in tools else bool(able)
    return tool not in role.denied and (tool in role.allowed or within)
