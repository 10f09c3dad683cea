"""What each model call used."""

from msgspec import Struct
from msgspec.structs import asdict

from clawdbot.domain.ports import Tx


class Used(Struct, frozen=True, kw_only=True):
    """What one model call used."""

    id: str
    turn: str
    user: str
    route: str
    provider: str
    model: str
    tokens_in: int
    tokens_out: int
    first_token_s: float
    whole_s: float
    cost: float = 0.0


def add(tx: Tx, used: Used, now: float) -> None:
    """Record what a model call used; once per id."""
    tx.run("usage.add", at=now, **asdict(used))


class Sum(Struct, frozen=True):
    """What a user used of one model."""

    provider: str
    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float


def of_user(tx: Tx, user: str, since: float) -> list[Sum]:
    """Sum what a user used since a time, by model."""
    return tx.all(
        lambda provider, model, calls, tokens_in, tokens_out, cost: Sum(
            provider, model, int(calls), int(tokens_in), int(tokens_out), float(cost)
        ),
        "usage.of_user",
        user_id=user,
        since=since,
    )


def spent(tx: Tx, user: str, since: float, *, everybody: bool) -> tuple[float, float]:
    """Sum what a user spent since a time, and all users where `everybody` is asked for."""
    found = tx.one(
        lambda own, all_: (float(own), float(all_)),
        "usage.spent",
        user_id=user,
        since=since,
        everybody=int(everybody),
    )
    return found or (0.0, 0.0)


class Total(Struct, frozen=True):
    """What all users used in a time: the turns that asked a model, their calls, tokens and cost."""

    turns: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float


def total(tx: Tx, since: float, until: float) -> Total:
    """Sum what all users used in a time."""
    found = tx.one(
        lambda turns, calls, in_, out, cost: Total(turns, calls, int(in_), int(out), float(cost)),
        "usage.total",
        since=since,
        until=until,
    )
    return found or Total(0, 0, 0, 0, 0.0)


def first_tokens(tx: Tx, since: float, most: int) -> list[float]:
    """List how long the newest calls since a time took to their first token, in seconds."""
    return tx.all(float, "usage.first_tokens", since=since, most=most)


def by_user(tx: Tx, since: float, until: float) -> dict[str, float]:
    """Sum what each user spent in a time, in US dollars, by name."""
    return dict(
        tx.all(
            lambda name, cost: (str(name), float(cost)), "usage.by_user", since=since, until=until
        )
    )


class Part(Struct, frozen=True):
    """What one user (by name) used of one model."""

    user: str
    provider: str
    model: str
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float


def parts(tx: Tx, since: float, until: float) -> list[Part]:
    """Sum what was used in a time, by user and model."""
    return tx.all(
        lambda user, provider, model, calls, in_, out, cost: Part(
            user, provider, model, int(calls), int(in_), int(out), float(cost)
        ),
        "usage.parts",
        since=since,
        until=until,
    )
