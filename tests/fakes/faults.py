"""Faults a stand-in server can be told to have, and the log of what it was asked.

Knows nothing of any protocol: a server asks `Faults.take` before and after it handles a request.
"""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
else:
    Json = Any  # msgspec cannot decode into a recursive alias
JsonObject: TypeAlias = dict[str, Json]
When = Literal["before", "after"]

CUT = 0


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One misbehaviour: `skip` matching requests pass, the next `count` suffer (0: until cleared).

    delay: wait `seconds`. drop: cut the connection. status: answer `status` (and `retry_after`).
    hold: wait for `release`. down: cut every connection for `seconds`. `when="after"` means that
    the request was carried out and only its answer suffers.
    """

    kind: Literal["delay", "drop", "status", "hold", "down"]
    method: str = "*"
    when: When = "before"
    skip: int = 0
    count: int = 1
    contains: str = ""
    seconds: float = 0.0
    status: int = 500
    retry_after: int = 0


class Logged(msgspec.Struct, kw_only=True):
    """One request: `status` is None while it is in flight and 0 if its connection was cut."""

    seq: int
    method: str
    at: float
    body: Json = None
    headers: dict[str, str] = {}
    status: int | None = None
    seconds: float = 0.0

    def part(self, *path: str | int) -> Json:
        """Return what stands in the body at a path, None where nothing does."""
        found = self.body
        for step in path:
            if isinstance(found, dict) and isinstance(step, str):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found


class Changes:
    """A counter that others can wait for."""

    def __init__(self) -> None:
        """Begin at version 0."""
        self.version = 0
        self._event = asyncio.Event()

    def bump(self) -> None:
        """Wake everyone who waits."""
        self.version += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, after: int, timeout_s: float) -> int:
        """Return the version once it is above `after`, or after `timeout_s` as it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.version <= after:
                    await self._event.wait()
        return self.version


class Faults:
    """The faults still to come, in the order they were added."""

    def __init__(self, changes: Changes) -> None:
        """Begin without any; report what is held to `changes`."""
        self._changes = changes
        self._pending: list[_Pending] = []
        self._released = asyncio.Event()
        self._down_until = 0.0
        self.held: list[str] = []

    def add(self, fault: Fault) -> None:
        """Have `fault` from now on."""
        if fault.kind == "down":
            self._down_until = asyncio.get_running_loop().time() + fault.seconds
        else:
            self._pending.append(_Pending(fault))

    def clear(self) -> None:
        """Forget every fault and let go what is held."""
        self._pending.clear()
        self._down_until = 0.0
        self.release()

    def release(self) -> None:
        """Let go every held request."""
        self._released.set()
        self._released = asyncio.Event()

    def is_down(self) -> bool:
        """Tell whether the server pretends to be unreachable."""
        return asyncio.get_running_loop().time() < self._down_until

    async def take(self, method: str, body: Json, when: When) -> Fault | None:
        """Wait out delays and holds; return the drop or status that decides this request."""
        for fault in self._matching(method, body, when):
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            elif fault.kind == "hold":
                await self._hold(method)
            else:
                return fault
        return None

    def _matching(self, method: str, body: Json, when: When) -> list[Fault]:
        """Count this request for every fault up to the first that decides it."""
        found = []
        for pending in self._pending:
            if pending.hits(method, body, when):
                found.append(pending.fault)
                if pending.fault.kind in ("drop", "status"):
                    break
        self._pending = [pending for pending in self._pending if not pending.spent()]
        return found

    async def _hold(self, method: str) -> None:
        released = self._released
        self.held.append(method)
        self._changes.bump()
        await released.wait()
        self.held.remove(method)


class RequestLog:
    """Every request since the start, numbered from 1."""

    def __init__(self, changes: Changes) -> None:
        """Report every request's begin and end to `changes`."""
        self.entries: list[Logged] = []
        self._changes = changes

    def open(self, method: str, body: Json, headers: dict[str, str]) -> Logged:
        """Begin an entry."""
        entry = Logged(
            seq=len(self.entries) + 1, method=method, at=now(), body=body, headers=headers
        )
        self.entries.append(entry)
        self._changes.bump()
        return entry

    def close(self, entry: Logged, status: int) -> None:
        """End an entry with the status that was answered."""
        entry.status = status
        entry.seconds = now() - entry.at
        self._changes.bump()

    def since(self, seq: int) -> list[Logged]:
        """Return the entries numbered above `seq`."""
        return self.entries[seq:]


def now() -> float:
    """Return seconds since 1970."""
    return datetime.now(tz=UTC).timestamp()


class _Pending:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._seen = 0

    def hits(self, method: str, body: Json, when: When) -> bool:
        fault = self.fault
        if fault.when != when or fault.method.lower() not in ("*", method.lower()):
            return False
        if fault.contains and fault.contains not in msgspec.json.encode(body).decode():
            return False
        self._seen += 1
        return self._seen > fault.skip

    def spent(self) -> bool:
        return self.fault.count > 0 and self._seen >= self.fault.skip + self.fault.count
