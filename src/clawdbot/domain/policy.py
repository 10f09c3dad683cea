"""May it? One pure decision, `decide(context, call) -> Allow | Ask | Deny`, from tables.

Levels and effects are data; what no line allows is denied. Identity comes from the transport and
the database, never from a call's arguments. Two questions, two rules: is anything in sight from
others (`tainted`), and is what the call aims at `bound` by the requester's own words of this turn.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from clawdbot.domain.binding import Given, Sink, bound
from clawdbot.domain.people import Area, Level, User
from clawdbot.domain.standing import Standing, covers, refuses


class Effect(StrEnum):
    """What a tool does to the world, from the least to the gravest."""

    READ = "read"
    WRITE = "write"
    EXEC = "exec"
    EGRESS = "egress"
    MONEY = "money"
    ADMIN = "admin"


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A level of trust as data: what its users may do, and what an admin may allow them.

    A tool named in `denied` is never theirs, one in `allowed` needs no line for its effect.
    `areas` are what the control panel opens to them beyond what is their own.
    """

    effects: frozenset[Effect] = frozenset()
    asks: frozenset[Effect] = frozenset()
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    areas: frozenset[Area] = frozenset()


NOBODY = Role()
ROLES: Mapping[str, Role] = {
    Level.OWNER: Role(effects=frozenset(Effect), areas=frozenset(Area)),
    Level.ADMIN: Role(
        effects=frozenset(Effect) - {Effect.MONEY},
        asks=frozenset({Effect.MONEY}),
        areas=frozenset(Area) - {Area.SETTINGS},
    ),
    Level.MEMBER: Role(
        effects=frozenset({Effect.READ, Effect.WRITE, Effect.EGRESS}),
        asks=frozenset({Effect.EXEC, Effect.MONEY}),
    ),
    Level.GUEST: NOBODY,
}
# These ask even where nothing came from others, unless their targets are bound.
GRAVE = frozenset({Effect.MONEY, Effect.ADMIN})
# By these, what is private could leave.
LEAVING = frozenset({Effect.EGRESS, Effect.MONEY})
# What a group's ceiling says begins with this.
HERE = "this group: "


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool declares.

    `sinks` are the arguments that name where an effect goes. `public` tools tell only what anybody
    may know, those of a `fact` how the host fares (a plugin may stand in for one); `own` tools act
    on the requester's own rows and pass on the taint of what they store.
    What a `trusted` tool tells are an owner's words: they taint nothing.
    What a `private` tool tells must not leave in a tainted turn unasked, wherever it goes.
    An `idempotent` effect may be repeated after a crash. `digest` names the bytes that will run,
    `per_hour` bounds the calls of one user (0: not).
    """

    name: str
    effect: Effect
    public: bool = False
    own: bool = False
    fact: bool = False
    trusted: bool = False
    private: bool = False
    idempotent: bool = False
    sinks: tuple[Sink, ...] = ()
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    digest: str = ""
    per_hour: int = 0


class Ceiling(msgspec.Struct, frozen=True):
    """What a group allows at most, whoever speaks there: as much as a role."""

    name: str
    role: Role


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a turn acts, as they are now, and in which light.

    `private` tells that something in sight must not leave, `given` are the values of the
    requester's own words of this turn, `approved` tells that a person said yes to exactly this
    call, `recent` counts this tool's calls by this user in the last hour. What is `refused` beats
    whatever else says yes.
    """

    user: User
    role: Role
    tainted: bool
    private: bool = False
    given: Given = msgspec.field(default_factory=Given)
    standing: tuple[Standing, ...] = ()
    refused: tuple[Standing, ...] = ()
    approved: bool = False
    recent: int = 0
    ceiling: Ceiling | None = None


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A call that wants to run, its arguments as they will be passed."""

    manifest: Manifest
    arguments: Mapping[str, object] = msgspec.field(default_factory=dict)


class Allow(msgspec.Struct, frozen=True):
    """Go ahead; `rule` names the line that decided, `trace` what was looked at before."""

    rule: str
    trace: tuple[str, ...] = ()


class Ask(msgspec.Struct, frozen=True):
    """A person must say yes first: the requester, or only an admin."""

    rule: str
    trace: tuple[str, ...] = ()
    admin: bool = False


class Deny(msgspec.Struct, frozen=True):
    """No."""

    rule: str
    trace: tuple[str, ...] = ()


Decision = Allow | Ask | Deny


def role_of(user: User, custom: Mapping[str, Role]) -> Role:
    """Find a user's role; an unknown one may nothing."""
    return named(user.role, custom)


def named(role: str, custom: Mapping[str, Role]) -> Role:
    """Find a role by its name; an unknown one opens nothing."""
    return ROLES.get(role) or custom.get(role, NOBODY)


def ceiling_of(role: str, custom: Mapping[str, Role]) -> Ceiling | None:
    """Make a ceiling of a role's name; empty: there is none."""
    return Ceiling(role, named(role, custom)) if role else None


def decide(context: Context, call: Wish) -> Allow | Ask | Deny:
    """Decide on one call in one context."""
    manifest, effect = call.manifest, call.manifest.effect
    if forbidden := _forbidden(context, manifest):
        return Deny(forbidden)
    for no in context.refused:
        if refuses(no, manifest.name, manifest.sinks, call.arguments):
            return Deny(f"never {no.id}", tuple(_reach(context, manifest)))
    if manifest.public and effect is Effect.READ:
        return Allow("public")
    within, trace = _has(context.role, manifest), tuple(_reach(context, manifest))
    if context.ceiling is not None:
        within = within and _has(context.ceiling.role, manifest)
    if context.approved:
        return Allow("approved", trace)
    if not within:
        return Ask("needs an admin", trace, admin=True)
    if effect is Effect.READ or manifest.own:
        return Allow("read" if effect is Effect.READ else "own", trace)
    return _weigh(context, call, trace)


def _forbidden(context: Context, manifest: Manifest) -> str:
    """Name the rule by which nobody's yes helps, if there is one."""
    if context.user.disabled_at is not None:
        return "disabled user"
    if barred := _barred(context.user.role, context.role, manifest):
        return barred
    ceiling = context.ceiling
    if ceiling is not None and (barred := _barred(ceiling.name, ceiling.role, manifest)):
        return f"{HERE}{barred}"
    if manifest.per_hour and context.recent >= manifest.per_hour:
        return f"more than {manifest.per_hour} calls an hour"
    return ""


def _barred(name: str, role: Role, manifest: Manifest) -> str:
    if manifest.name in role.denied:
        return f"{name} may not use {manifest.name}"
    public = manifest.public and manifest.effect is Effect.READ
    able = public or _has(role, manifest) or manifest.effect in role.asks
    return "" if able else f"{name} may not {manifest.effect}"


def _has(role: Role, manifest: Manifest) -> bool:
    return manifest.effect in role.effects or manifest.name in role.allowed


def _reach(context: Context, manifest: Manifest) -> Iterator[str]:
    """Tell what the role and the group's ceiling say of an effect."""
    effect, ceiling = manifest.effect, context.ceiling
    has = _has(context.role, manifest)
    yield f"{context.user.role} may {effect}" if has else f"{effect} needs an admin"
    if ceiling is not None:
        has = _has(ceiling.role, manifest)
        yield HERE + (f"{ceiling.name} may {effect}" if has else f"{effect} needs an admin")


def _weigh(context: Context, call: Wish, trace: tuple[str, ...]) -> Allow | Ask:
    """Decide on an effect that the role may have."""
    manifest, grave = call.manifest, call.manifest.effect in GRAVE
    for standing in context.standing:
        if covers(standing, manifest.name, manifest.sinks, call.arguments):
            return Allow(f"standing {standing.id}", trace)
    if not context.tainted and not grave:
        return Allow("role", (*trace, "nothing in sight came from others"))
    loose = [s.argument for s in manifest.sinks if not bound(s, call.arguments, context.given)]
    if not manifest.sinks or loose:
        open_ = f"open: {', '.join(loose) or 'no target'}"
        rule = "tainted context" if context.tainted else f"{manifest.effect} asks"
        return Ask(rule, (*trace, open_))
    if context.tainted and context.private and manifest.effect in LEAVING:
        return Ask("something private could leave", trace)
    return Allow("bound", (*trace, "every target was named by the requester in this turn"))
