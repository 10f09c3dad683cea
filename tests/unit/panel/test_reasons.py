"""Every rule that `decide` can name, and every line of its trace, has a sentence everywhere."""

from itertools import product

import pytest

from clawdbot.domain.binding import Given, Sink, SinkKind
from clawdbot.domain.people import Level, User
from clawdbot.domain.policy import (
    Allow,
    Ask,
    Context,
    Decision,
    Deny,
    Effect,
    Manifest,
    Role,
    Wish,
    decide,
    role_of,
)
from clawdbot.domain.standing import Standing
from clawdbot.panel.reasons import outcome, reason

SINKS = ((), (Sink("to", SinkKind.EMAIL), Sink("file", SinkKind.PATH)))
STANDING = Standing(id="01ABC", tool="tool", pattern={"to": "*", "file": "*"})


def decisions() -> list[Decision]:
    """Ask the policy in every light."""
    found = []
    flags = [(False, True)] * 8
    roles = {"clerk": Role(denied=frozenset({"tool"})), "bot": Role(allowed=frozenset({"tool"}))}
    for level, effect, sinks in product((*Level, "clerk", "bot", "unknown"), Effect, SINKS):
        for off, tainted, private, public, own, approved, stands, named in product(*flags):
            user = User("u", "Ann", level, "en", "UTC", 1.0 if off else None)
            manifest = Manifest(
                name="tool", effect=effect, sinks=sinks, public=public, own=own, per_hour=3
            )
            context = Context(
                user=user,
                role=role_of(user, roles),
                tainted=tainted,
                private=private,
                given=Given("to a@b.example, file ./x.txt" if named else ""),
                standing=(STANDING,) if stands else (),
                approved=approved,
                recent=3 if stands and named and approved else 0,
            )
            arguments = {"to": "a@b.example", "file": "./x.txt"}
            found.append(decide(context, Wish(manifest=manifest, arguments=arguments)))
    return found


ALL = decisions()
RULES = sorted({line for decision in ALL for line in (decision.rule, *decision.trace)})


def test_the_sweep_meets_every_kind_of_rule() -> None:
    assert {Allow, Ask, Deny} == {type(decision) for decision in ALL}
    for rule in (
        "disabled user",
        "clerk may not use tool",
        "guest may not exec",
        "more than 3 calls an hour",
        "public",
        "approved",
        "needs an admin",
        "read",
        "own",
        "standing 01ABC",
        "role",
        "tainted context",
        "money asks",
        "something private could leave",
        "bound",
    ):
        assert rule in RULES


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_sentence_in_both_languages(rule: str) -> None:
    english, chinese = reason(rule, "en"), reason(rule, "zh")
    assert english != rule
    assert english.endswith(".")
    assert english != chinese
    assert chinese.endswith("。")
    assert "{" not in english + chinese


def test_an_unknown_rule_is_shown_as_it_is() -> None:
    assert "no such rule" == reason("no such rule", "zh")


def test_an_answer_is_named() -> None:
    assert ["allow", "ask", "deny"] == [outcome(kind("rule")) for kind in (Allow, Ask, Deny)]
