"""Telegram's send limits as token buckets; the caller says what time it is."""

import math

from tests.fakes.telegram.user import Pace

MINUTE_S = 60.0


PACED = {"sendmessage", "editmessagetext", "sendmessagedraft"}


class Limiter:
    """Counts what the bot sends: in all, per chat, per group, and drafts for themselves."""

    def __init__(self, pace: Pace) -> None:
        """Begin with full buckets."""
        self._pace = pace
        self._buckets: dict[str, _Bucket] = {}

    def retry_after(self, method: str, chat_id: int, now: float) -> int:
        """Take one send; return 0, or the whole seconds to wait if it is one too many."""
        buckets = [
            self._buckets.setdefault(name, _Bucket(rate, size, now))
            for name, rate, size in self._limits(method, chat_id)
            if rate
        ]
        wait_s = max((bucket.wait_s(now) for bucket in buckets), default=0.0)
        if wait_s > 0:
            return max(1, math.ceil(wait_s))
        for bucket in buckets:
            bucket.tokens -= 1
        return 0

    def _limits(self, method: str, chat_id: int) -> list[tuple[str, float, float]]:
        """Return name, tokens a second and size of each bucket that a send draws from."""
        pace = self._pace
        limits = [("all", pace.per_second, pace.per_second)]
        if method == "sendmessagedraft":
            limits.append((f"draft {chat_id}", pace.draft_per_second, pace.chat_burst))
        else:
            limits.append((f"chat {chat_id}", pace.chat_per_second, pace.chat_burst))
            if chat_id < 0:
                per_minute = pace.group_per_minute
                limits.append((f"group {chat_id}", per_minute / MINUTE_S, per_minute))
        return limits


class _Bucket:
    def __init__(self, rate: float, size: float, now: float) -> None:
        self.rate = rate
        self.size = size
        self.tokens = size
        self.at = now

    def wait_s(self, now: float) -> float:
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.rate)
        self.at = now
        return 0.0 if self.tokens >= 1 else (1 - self.tokens) / self.rate
