"""The policy as a table: level x effect x taint x binding x standing yes, every line of it."""

from itertools import product

import pytest
from hypothesis import given, strategies
from msgspec.structs import replace

from clawdbot.domain.binding import Given, Sink, SinkKind
from clawdbot.domain.people import Level, User
from clawdbot.domain.policy import (
    GRAVE,
    HERE,
    ROLES,
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
from clawdbot.domain.standing import Standing

LEVELS = [*Level, "unknown"]
TO = Sink("to", SinkKind.EMAIL)
ANN, EVE = "ann@a.example", "eve@e.example"


def _context(role: str, *, tainted: bool = False, disabled: bool = False) -> Context:
    user = User("u", "Ann", role, "en", "UTC", 1.0 if disabled else None)
    words = Given(f"write to {ANN}")
    return Context(user=user, role=role_of(user, {}), tainted=tainted, given=words)


def _decided(context: Context, manifest: Manifest, to: str = EVE) -> Decision:
    return decide(context, Wish(manifest=manifest, arguments={"to": to}))


@pytest.mark.parametrize(
    ("level", "effect", "tainted", "kind", "bound", "standing"),
    list(
        product(
            LEVELS, Effect, [False, True], ["plain", "own", "public"], [False, True], [False, True]
        )
    ),
)
def test_every_line_of_the_table(
    level: str, effect: Effect, *, tainted: bool, kind: str, bound: bool, standing: bool
) -> None:
    manifest = Manifest(
        name="t", effect=effect, own=kind == "own", public=kind == "public", sinks=(TO,)
    )
    context = _context(level, tainted=tainted)
    to = ANN if bound else EVE
    if standing:
        stands = Standing(id="s", tool="t", pattern={"to": to})
        context = replace(context, standing=(stands,))
    decision = _decided(context, manifest, to)
    role = ROLES.get(level, Role())
    if effect is Effect.READ and manifest.public:
        assert Allow("public") == decision
    elif effect not in role.effects | role.asks:
        assert Deny(f"{level} may not {effect}") == decision
    elif effect not in role.effects:
        assert isinstance(decision, Ask)
        assert decision.admin
    elif effect is Effect.READ or manifest.own:
        assert isinstance(decision, Allow)
    elif standing:
        assert "standing s" == decision.rule
    elif bound:
        assert ("bound" if tainted or effect in GRAVE else "role") == decision.rule
    elif tainted or effect in GRAVE:
        assert isinstance(decision, Ask)
        assert "open: to" in decision.trace
    else:
        assert "role" == decision.rule


@pytest.mark.parametrize(("level", "effect"), list(product(LEVELS, Effect)))
def test_a_disabled_user_may_nothing(level: str, effect: Effect) -> None:
    for public in (False, True):
        manifest = Manifest(name="t", effect=effect, public=public)
        context = replace(_context(level, disabled=True), approved=True)
        assert Deny("disabled user") == _decided(context, manifest)


def test_an_effect_without_a_named_target_is_never_bound() -> None:
    manifest = Manifest(name="t", effect=Effect.EXEC)
    decision = decide(_context("owner", tainted=True), Wish(manifest=manifest))
    assert "open: no target" in decision.trace


def test_one_loose_target_of_two_is_enough_to_ask() -> None:
    sinks = (TO, Sink("copy", SinkKind.EMAIL))
    wish = Wish(
        manifest=Manifest(name="t", effect=Effect.EGRESS, sinks=sinks),
        arguments={"to": ANN, "copy": EVE},
    )
    decision = decide(_context("owner", tainted=True), wish)
    assert isinstance(decision, Ask)
    assert "open: copy" in decision.trace


@pytest.mark.parametrize("effect", list(Effect))
def test_what_is_private_leaves_a_tainted_turn_only_with_a_yes(effect: Effect) -> None:
    manifest = Manifest(name="t", effect=effect, sinks=(TO,))
    for tainted in (False, True):
        context = replace(_context("owner", tainted=tainted), private=True)
        asks = tainted and effect in {Effect.EGRESS, Effect.MONEY}
        assert asks == isinstance(_decided(context, manifest, ANN), Ask)


def test_a_yes_does_not_widen_a_role() -> None:
    context = replace(_context("guest"), approved=True)
    assert isinstance(_decided(context, Manifest(name="t", effect=Effect.EXEC)), Deny)


def test_a_yes_lets_a_member_do_what_an_admin_must_allow() -> None:
    context = replace(_context("member", tainted=True), approved=True)
    assert "approved" == _decided(context, Manifest(name="t", effect=Effect.EXEC)).rule


def test_too_many_calls_are_denied_whatever_was_approved() -> None:
    context = replace(_context("owner"), approved=True, recent=5)
    manifest = Manifest(name="t", effect=Effect.EGRESS, per_hour=5)
    assert Deny("more than 5 calls an hour") == _decided(context, manifest)
    assert isinstance(_decided(replace(context, recent=4), manifest), Allow)


def test_a_custom_role_names_tools_beside_effects() -> None:
    clerk = Role(allowed=frozenset({"ticket"}), denied=frozenset({"time"}))
    user = User("u", "Ann", "clerk", "en", "UTC")
    context = Context(user=user, role=role_of(user, {"clerk": clerk}), tainted=False)
    assert isinstance(_decided(context, Manifest(name="ticket", effect=Effect.EGRESS)), Allow)
    assert isinstance(_decided(context, Manifest(name="mail", effect=Effect.EGRESS)), Deny)
    public = Manifest(name="time", effect=Effect.READ, public=True)
    assert isinstance(_decided(context, public), Deny)


def test_a_built_in_role_cannot_be_redefined() -> None:
    user = User("u", "Ann", "guest", "en", "UTC")
    everything = Role(effects=frozenset(Effect))
    assert Role() == role_of(user, {"guest": everything})


@given(
    strategies.sampled_from(LEVELS),
    strategies.sampled_from(list(Effect)),
    strategies.booleans(),
    strategies.text(max_size=30),
)
def test_more_taint_never_allows_more(level: str, effect: Effect, own: bool, to: str) -> None:
    order = {Deny: 0, Ask: 1, Allow: 2}
    manifest = Manifest(name="t", effect=effect, own=own, sinks=(TO,))
    clean, tainted = (
        order[type(_decided(_context(level, tainted=taint), manifest, to))]
        for taint in (False, True)
    )
    assert tainted <= clean


def _rank(decision: Decision) -> int:
    """Order what was decided, from a no to a yes that nobody is asked for."""
    match decision:
        case Deny():
            return 0
        case Ask():
            return 1 if decision.admin else 2
        case Allow():
            return 3


@pytest.mark.parametrize(("level", "ceiling", "effect"), list(product(LEVELS, LEVELS, Effect)))
def test_in_a_group_nobody_may_more_than_its_ceiling(
    level: str, ceiling: str, effect: Effect
) -> None:
    for kind, to, standing, tainted in product(
        ["plain", "own", "public"], [ANN, EVE], [False, True], [False, True]
    ):
        manifest = Manifest(
            name="t", effect=effect, own=kind == "own", public=kind == "public", sinks=(TO,)
        )
        stands = (Standing(id="s", tool="t", pattern={"to": to}),) if standing else ()
        alone, most = (
            replace(_context(role, tainted=tainted), standing=stands) for role in (level, ceiling)
        )
        decision = _decided(replace(alone, ceiling=ceiling_of(ceiling, {})), manifest, to)
        free = _decided(alone, manifest, to)
        assert min(_rank(free), _rank(_decided(most, manifest, to))) == _rank(decision)
        if _rank(decision) < _rank(free):
            here = [line for line in (decision.rule, *decision.trace) if line.startswith(HERE)]
            assert [ceiling in here[0] or "needs an admin" in here[0]] == [True]


def test_a_group_says_what_it_allows_at_most() -> None:
    manifest = Manifest(name="t", effect=Effect.EXEC)
    guest, member = (ceiling_of(role, {}) for role in ("guest", "member"))
    owner = _context("owner")
    no = decide(replace(owner, ceiling=guest, approved=True), Wish(manifest=manifest))
    assert Deny("this group: guest may not exec") == no
    asks = decide(replace(owner, ceiling=member), Wish(manifest=manifest))
    trace = ("owner may exec", "this group: exec needs an admin")
    assert Ask("needs an admin", trace, admin=True) == asks
    yes = decide(replace(owner, ceiling=member, approved=True), Wish(manifest=manifest))
    assert Allow("approved", trace) == yes


def test_a_group_whose_role_is_gone_allows_what_anybody_may() -> None:
    context = replace(_context("owner"), ceiling=ceiling_of("gone", {}))
    for effect in Effect:
        assert isinstance(decide(context, Wish(manifest=Manifest(name="t", effect=effect))), Deny)


@pytest.mark.parametrize(("level", "effect"), list(product(LEVELS, Effect)))
def test_what_was_refused_for_good_beats_every_yes(level: str, effect: Effect) -> None:
    no = Standing(id="n", tool="t", pattern={"to": EVE})
    for kind, to, tainted, standing, approved in product(
        ["plain", "own", "public"], [ANN, EVE], [False, True], [False, True], [False, True]
    ):
        manifest = Manifest(
            name="t", effect=effect, own=kind == "own", public=kind == "public", sinks=(TO,)
        )
        yes = (Standing(id="s", tool="t", pattern={"to": to}),) if standing else ()
        context = replace(_context(level, tainted=tainted), standing=yes, approved=approved)
        before = _decided(context, manifest, to)
        after = _decided(replace(context, refused=(no,)), manifest, to)
        if isinstance(before, Deny) or to != EVE:
            assert before == after
        else:
            assert isinstance(after, Deny)
            assert "never n" == after.rule
            assert 1 == len(after.trace)
