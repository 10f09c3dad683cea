"""What may be spent in a day: looked at before each model call, told when little is left."""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from clawdbot.conversation import answer
from clawdbot.domain.ports import Tx
from clawdbot.domain.settings import Core
from clawdbot.domain.text import say
from clawdbot.models.catalog import cost
from clawdbot.models.request import Used
from clawdbot.store import usage
from clawdbot.store.turns import Turn


def limited(settings: Core) -> bool:
    """Tell whether there is any limit."""
    return bool(settings.budgets.user_day or settings.budgets.all_day)


def used_up(tx: Tx, settings: Core, user: str, now: float) -> bool:
    """Tell whether a user's day, or everybody's, is spent."""
    return max(_shares(tx, settings, user, now)) >= 1


def sentence(language: str, *, begun: bool) -> str:
    """Say that no model was asked, or none any more, and when one will be."""
    text = "What may be spent today is spent, so I asked no model. Tomorrow I answer again."
    if begun:
        text = "What may be spent today is spent, so I stopped before I was done. Ask me tomorrow."
    return say(language, text)


def rows(settings: Core, turn: Turn, calls: Iterable[Used], counted: int) -> list[usage.Used]:
    """Give what a turn's model calls used, with what they cost, as rows; some are on the bill."""
    return [
        usage.Used(
            id=f"{turn.id}:{index}",
            turn=turn.id,
            user=turn.user_id,
            route=used.route,
            provider=used.provider,
            model=used.model,
            tokens_in=used.tokens_in,
            tokens_out=used.tokens_out,
            first_token_s=used.first_token_s,
            whole_s=used.whole_s,
            cost=cost(settings.providers.get(used.provider), used),
        )
        for index, used in enumerate(calls)
        if index >= counted
    ]


def count(tx: Tx, settings: Core, turn: Turn, used: Iterable[usage.Used], now: float) -> list[str]:
    """Put a turn's rows on the bill.

    The owners are told where they cross the line, once a day; names the destinations.
    """
    for each in used:
        usage.add(tx, each, now)
    budgets, added = settings.budgets, sum(each.cost for each in used)
    if not added or not limited(settings):
        return []
    after = _shares(tx, settings, turn.user_id, now)
    parts = [(budgets.user_day, "user"), (budgets.all_day, "all")]
    told: list[str] = []
    for (limit, whose), share in zip(parts, after, strict=True):
        if not limit or not share - added / limit < budgets.warn <= share:
            continue

        def words(language: str, share: float = share, whose: str = whose) -> str:
            text = "Today {percent} percent of what {whose} may spend (budgets) is spent."
            name = say(language, "one user" if whose == "user" else "everybody together")
            return say(language, text, percent=round(share * 100), whose=name)

        told += answer.tell_owners(tx, f"{turn.id}:spent:{whose}", words, now=now)
    return told


def _shares(tx: Tx, settings: Core, user: str, now: float) -> tuple[float, float]:
    """Tell which share of their day's money the user has spent, and everybody."""
    budgets = settings.budgets
    zone = ZoneInfo(settings.timezone)
    today = datetime.fromtimestamp(now, UTC).astimezone(zone)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    own, everybody = usage.spent(tx, user, midnight, everybody=bool(budgets.all_day))
    return (
        own / budgets.user_day if budgets.user_day else 0.0,
        everybody / budgets.all_day if budgets.all_day else 0.0,
    )
