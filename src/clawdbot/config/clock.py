"""The real clock, and ids that sort by the time they were made."""

import secrets
import threading
import time

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_RANDOM_BITS = 80


class SystemClock:
    """Time and randomness of this machine; ids never decrease, also when the clock is set back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Tell the wall clock in seconds since 1970."""
        return time.time()  # noqa: TID251 - this is the clock

    def monotonic(self) -> float:
        """Tell seconds that never go back."""
        return time.monotonic()

    def ulid(self) -> str:
        """Make a new id: 48 bits of milliseconds, 80 of randomness, counted up within one."""
        now = int(self.now() * 1000)
        with self._lock:
            if now > self._last >> _RANDOM_BITS:
                self._last = now << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
            else:
                self._last += 1
            value = self._last
        return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])
