"""Nobody hands out, takes or touches what opens more than their own: every pair of roles."""

from itertools import combinations, product
from typing import TypeVar

from clawdbot.domain.people import Area, Level, User
from clawdbot.domain.policy import (
    ROLES,
    Allow,
    Ask,
    Context,
    Deny,
    Effect,
    Manifest,
    Role,
    Wish,
    decide,
)
from clawdbot.panel.authority import covers, may_give, may_touch

T = TypeVar("T")
TOOLS = {"peek": Effect.READ, "run": Effect.EXEC}
EFFECTS = (Effect.READ, Effect.EXEC)
FREEDOM = {Deny: 0, Ask: 1, Allow: 2}


def subsets(of: tuple[T, ...]) -> list[frozenset[T]]:
    return [frozenset(some) for n in range(len(of) + 1) for some in combinations(of, n)]


SMALL = [
    Role(effects=effects, asks=asks, allowed=allowed, denied=denied)
    for effects, asks, allowed, denied in product(
        subsets(EFFECTS), subsets(EFFECTS), subsets(("run", "gone")), subsets(("peek",))
    )
]


def user(role: str, *, disabled: bool = False) -> User:
    return User("u", "Ann", role, "en", "UTC", 1.0 if disabled else None)


def freedom(role: Role, tool: str, *, tainted: bool) -> int:
    context = Context(user=user("r"), role=role, tainted=tainted)
    effect = TOOLS.get(tool, Effect.ADMIN)
    return FREEDOM[type(decide(context, Wish(manifest=Manifest(name=tool, effect=effect))))]


def test_what_a_role_covers_is_never_freer_than_it() -> None:
    looked = 0
    for mine, theirs in product(SMALL, SMALL):
        if covers(mine, theirs, TOOLS):
            for tool, tainted in product((*TOOLS, "gone"), (False, True)):
                looked += 1
                theirs_is, mine_is = (freedom(r, tool, tainted=tainted) for r in (theirs, mine))
                assert theirs_is <= mine_is, (mine, theirs, tool)
    assert looked > 1000


def test_every_role_covers_itself_and_nothing_covers_all() -> None:
    for role in SMALL:
        own = Role(effects=role.effects, asks=role.asks, denied=role.denied)
        assert covers(own, own, TOOLS)
    assert not any(covers(role, ROLES[Level.OWNER], TOOLS) for role in SMALL)


def test_areas_and_what_is_asked_count() -> None:
    assert not covers(Role(), Role(areas=frozenset({Area.LOGS})), TOOLS)
    assert not covers(Role(), Role(asks=frozenset({Effect.EXEC})), TOOLS)
    assert covers(Role(effects=frozenset({Effect.EXEC})), Role(asks=frozenset({Effect.EXEC})), {})


def test_the_named_levels_give_downwards_only() -> None:
    gives = {
        Level.OWNER: {*Level, "clerk"},
        Level.ADMIN: {Level.ADMIN, Level.MEMBER, Level.GUEST, "clerk"},
        Level.MEMBER: {Level.MEMBER, Level.GUEST},
        Level.GUEST: {Level.GUEST},
        "clerk": {Level.GUEST, "clerk"},
        "all": {Level.MEMBER, Level.GUEST, "clerk", "all"},
        "unknown": {Level.GUEST, "unknown"},
    }
    everything = Role(effects=frozenset(Effect), areas=frozenset(Area))
    custom = {"clerk": Role(areas=frozenset({Area.PEOPLE})), "all": everything}
    for giver, wanted in gives.items():
        for role in (*Level, "clerk"):
            assert (role in wanted) is may_give(giver, role, custom, TOOLS), (giver, role)
    assert may_give("all", "all", custom, TOOLS)
    assert not may_give(Level.ADMIN, "all", custom, TOOLS)


def test_only_who_is_strictly_below_is_touched() -> None:
    custom = {"clerk": Role(areas=frozenset({Area.PEOPLE}))}
    touched = {
        (actor, target)
        for actor, target in product((*Level, "clerk"), (*Level, "clerk"))
        if may_touch(user(actor), user(target), custom, TOOLS)
    }
    below_admin = {(Level.ADMIN, r) for r in (Level.MEMBER, Level.GUEST, "clerk")}
    owners = {(Level.OWNER, role) for role in (*Level, "clerk")}
    assert owners | below_admin | {(Level.MEMBER, Level.GUEST), ("clerk", Level.GUEST)} == touched


def test_whoever_is_disabled_touches_nobody() -> None:
    assert not may_touch(user(Level.OWNER, disabled=True), user(Level.GUEST), {}, TOOLS)
    assert may_touch(user(Level.OWNER), user(Level.OWNER, disabled=True), {}, TOOLS)
