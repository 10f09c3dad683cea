"""The policy as a table: level x effect x taint, every line of it."""

from itertools import product

import pytest

from clawdbot.domain.people import Level, User
from clawdbot.domain.policy import ALLOWED, Allow, Ask, Context, Deny, Effect, Manifest, decide

LEVELS = [*Level, "unknown"]


def _context(role: str, *, tainted: bool = False, disabled: bool = False) -> Context:
    user = User("u", "Ann", role, "en", "UTC", 1.0 if disabled else None)
    return Context(user=user, tainted=tainted)


@pytest.mark.parametrize(
    ("role", "effect", "tainted", "own", "public"),
    list(product(LEVELS, Effect, [False, True], [False, True], [False, True])),
)
def test_every_line_of_the_table(
    role: str, effect: Effect, *, tainted: bool, own: bool, public: bool
) -> None:
    manifest = Manifest(name="t", effect=effect, own=own, public=public)
    decision = decide(_context(role, tainted=tainted), manifest)
    if public and effect is Effect.READ:
        assert isinstance(decision, Allow)
    elif effect not in ALLOWED.get(role, frozenset()):
        assert isinstance(decision, Deny)
    elif tainted and not own and effect is not Effect.READ:
        assert isinstance(decision, Ask)
    else:
        assert isinstance(decision, Allow)


@pytest.mark.parametrize("role", list(Level))
def test_a_disabled_user_may_nothing(role: str) -> None:
    public = Manifest(name="t", effect=Effect.READ, public=True)
    assert isinstance(decide(_context(role, disabled=True), public), Deny)


def test_a_guest_may_only_what_is_public() -> None:
    assert isinstance(decide(_context(Level.GUEST), Manifest(name="t", effect=Effect.READ)), Deny)


def test_an_unknown_level_may_nothing() -> None:
    assert isinstance(decide(_context("root"), Manifest(name="t", effect=Effect.READ)), Deny)
