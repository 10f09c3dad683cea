"""Send limits as token buckets, for a whole account, a chat, a group. Pure: time is an argument."""

from msgspec import Struct

from clawdbot.domain.caps import Pace
from clawdbot.domain.inbound import Address

_IDLE_CHATS_MAX = 10_000


class Bucket(Struct):
    """Refills by `per_s` up to `burst`; may be in debt, which is then waited for."""

    per_s: float
    burst: int
    level: float
    at: float

    def take(self, now: float) -> float:
        """Take a token and tell in how many seconds it is really there."""
        self.level = min(self.level + (now - self.at) * self.per_s, float(self.burst)) - 1.0
        self.at = now
        return max(0.0, -self.level / self.per_s)

    def has(self, now: float) -> bool:
        """Tell whether a token is there without waiting."""
        return self.level + (now - self.at) * self.per_s >= 1.0


class Pacer:
    """The buckets of one account."""

    def __init__(self, pace: Pace | None) -> None:
        self._pace = pace
        self._all: Bucket | None = None
        self._chats: dict[str, Bucket] = {}

    def wait(self, to: Address, now: float) -> float:
        """Reserve one send and tell how many seconds to wait for it."""
        return max((bucket.take(now) for bucket in self._buckets(to, now)), default=0.0)

    def free(self, to: Address, now: float) -> bool:
        """Tell whether a courtesy may be sent now, leaving the last token to real answers."""
        return all(bucket.has(now) for bucket in self._buckets(to, now))

    def _buckets(self, to: Address, now: float) -> tuple[Bucket, ...]:
        pace = self._pace
        if pace is None:
            return ()
        if self._all is None:
            self._all = Bucket(pace.per_s, pace.burst, pace.burst, now)
        if len(self._chats) > _IDLE_CHATS_MAX:
            self._chats.clear()
        if (chat := self._chats.get(to.chat)) is None:
            per_s, burst = (
                (pace.group_per_s, pace.group_burst)
                if to.group
                else (pace.chat_per_s, pace.chat_burst)
            )
            chat = self._chats[to.chat] = Bucket(per_s, burst, burst, now)
        return (self._all, chat)
