"""What each model call used."""

from dataclasses import dataclass

from clawdbot.domain.ports import Tx
from clawdbot.store.sql import values


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
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


def add(tx: Tx, used: Used, now: float) -> None:
    """Record what a model call used; once per id."""
    tx.run("usage.add", at=now, **values(used))


def of_user(tx: Tx, user: str, since: float) -> list[tuple[str, str, int, int, int]]:
    """Sum what a user used since a time: provider, model, calls, tokens in, tokens out."""
    return tx.all(
        lambda provider, model, calls, tokens_in, tokens_out: (
            str(provider),
            str(model),
            int(calls),
            int(tokens_in),
            int(tokens_out),
        ),
        "usage.of_user",
        user_id=user,
        since=since,
    )
