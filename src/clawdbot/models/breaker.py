"""When a provider is spared, and how long a retry waits; pure, time arrives as an argument.

    closed --(failures in a row, or one time-out)--> open --(open_s)--> probe --> closed
                                                      ^-- twice as long --'

A probe is one call that gets little time to its first token, more at each try.
"""

from enum import StrEnum
from math import inf

_PROBE_S = 5.0
_OPEN_MAX_S = 600.0
_BACKOFF_S = 0.25


def backoff(attempt: int, after: float | None, jitter: float) -> float:
    """Tell the wait before retry `attempt` (from 0), never less than the provider asks for."""
    return max(_BACKOFF_S * float(1 << attempt) * (0.5 + jitter / 2), after or 0.0)


class BreakerState(StrEnum):
    """Whether a provider is asked: as usual, not for now, or to see whether it lives again."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Breaker:
    """The breaker of one provider."""

    def __init__(self, failures: int, open_s: float) -> None:
        self._failures = failures
        self._open_s = open_s
        self._in_a_row = 0
        self._opened = 0
        self._probing = False
        self._until = 0.0

    def allowance(self, now: float) -> float:
        """Tell how many seconds a call may take to its first token; 0 forbids it."""
        if now < self._until:
            return 0.0
        if not self._opened:
            return inf
        limit = _PROBE_S * float(1 << self._opened - 1)
        # The next probe waits for this one, which may end without a word (a stopped turn).
        self._probing, self._until = True, now + limit
        return limit

    def state(self, now: float) -> tuple[BreakerState, float]:
        """Tell how it stands, and for how many seconds nothing is asked."""
        if now < self._until and not self._probing:
            return BreakerState.OPEN, self._until - now
        return BreakerState.PROBING if self._opened else BreakerState.CLOSED, 0.0

    def succeeded(self) -> None:
        """Note that the provider lives."""
        self._in_a_row = self._opened = 0
        self._probing, self._until = False, 0.0

    def failed(self, now: float, *, hung: bool) -> None:
        """Note a failure; a time-out before the first token opens at once."""
        self._in_a_row += 1
        if self._opened and not self._probing:
            return
        if hung or self._opened or self._in_a_row >= self._failures:
            self._until = now + min(self._open_s * (1 << self._opened), _OPEN_MAX_S)
            self._opened, self._probing = self._opened + 1, False

    def hold(self, now: float, seconds: float) -> None:
        """Spare the provider for as long as it asked."""
        self._until = max(self._until, now + min(seconds, _OPEN_MAX_S))
