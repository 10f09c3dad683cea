"""The policy's rules in plain words: what `decide` answered, as a sentence a person reads. Pure."""

import re

from clawdbot.domain.policy import HERE, Allow, Ask, Decision, Effect
from clawdbot.domain.text import say

# What may be done by an effect, after "may".
DEEDS: dict[str, str] = {
    Effect.READ: "read",
    Effect.WRITE: "write",
    Effect.EXEC: "run commands",
    Effect.EGRESS: "send to the network",
    Effect.MONEY: "spend money",
    Effect.ADMIN: "change this assistant",
}
_EFFECTS = "|".join(Effect)
_SENTENCES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), english)
    for pattern, english in (
        ("disabled user", "This user is disabled."),
        (r"(?P<role>\S+) may not use (?P<tool>.+)", "The role {role} may not use {tool}."),
        (rf"(?P<role>\S+) may not (?P<deed>{_EFFECTS})", "The role {role} may not {deed}."),
        (r"more than (?P<most>\d+) calls an hour", "It was called {most} times in this hour."),
        ("public", "It only tells what anybody may know."),
        (rf"(?P<role>\S+) may (?P<deed>{_EFFECTS})", "The role {role} may {deed}."),
        (rf"(?P<deed>{_EFFECTS}) needs an admin", "To {deed} needs an admin's yes."),
        ("approved", "A person said yes to exactly this."),
        ("needs an admin", "Only an admin may allow it."),
        ("read", "It only reads."),
        ("own", "It acts only on what is the user's own."),
        (r"standing \S+", "It was allowed in advance."),
        (r"never \S+", "It was refused for good."),
        ("role", "The role is enough."),
        ("nothing in sight came from others", "Nothing in sight came from others."),
        (r"open: no target", "It has no target that the user could have named."),
        (r"open: (?P<open>.+)", "The user did not name its target ({open}) in this turn."),
        ("tainted context", "Something in sight came from others, so a person is asked first."),
        (rf"(?P<deed>{_EFFECTS}) asks", "To {deed} always asks first."),
        ("something private could leave", "Something private could leave."),
        ("bound", "The user named its target in this turn."),
        (
            "every target was named by the requester in this turn",
            "Every target was named by the user in this turn.",
        ),
    )
)


def reason(rule: str, language: str) -> str:
    """Put a rule, or a line of a trace, into words; an unknown one is shown as it is."""
    if rule.startswith(HERE):
        told = reason(rule.removeprefix(HERE), language)
        return say(language, "What this group allows at most: {rule}", rule=told)
    for pattern, english in _SENTENCES:
        if found := pattern.fullmatch(rule):
            values = found.groupdict()
            if "deed" in values:
                values["deed"] = say(language, DEEDS[values["deed"]])
            if "role" in values:
                values["role"] = say(language, values["role"])
            return say(language, english, **values)
    return rule


def outcome(decision: Decision) -> str:
    """Name an answer of `decide`: `allow`, `ask` or `deny`."""
    if isinstance(decision, Allow):
        return "allow"
    return "ask" if isinstance(decision, Ask) else "deny"
