"""The control side that every stand-in server has: its faults and its log, here or over HTTP.

`Watched` is the same interface in the server's process and, as `Remote`, in another one.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

import aiohttp
import msgspec

from tests.fakes.faults import Fault, Logged
from tests.patience import PATIENCE_S

T = TypeVar("T")
V = TypeVar("V", bound="View")


class SetFault(msgspec.Struct, frozen=True, tag="fault"):
    """Have a fault from now on."""

    fault: Fault


class ClearFaults(msgspec.Struct, frozen=True, tag="clear_faults"):
    """Forget every fault, let go what is held."""


class Release(msgspec.Struct, frozen=True, tag="release"):
    """Let go what is held."""


class LookLog(msgspec.Struct, frozen=True, tag="log", kw_only=True):
    """Read the log above entry `since` as soon as the server's version is above `after`."""

    since: int = 0
    after: int = -1
    timeout_s: float = 0.0


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Something seen at a version of the server."""

    version: int


class LogView(View, frozen=True, kw_only=True):
    """The log at a version, and the methods whose requests are held."""

    entries: list[Logged]
    held: list[str]


Order = SetFault | ClearFaults | Release


class Watched(ABC):
    """A stand-in server as a test sees it."""

    @abstractmethod
    async def tell(self, order: Order) -> None:
        """Carry out an order about faults."""

    @abstractmethod
    async def look_log(self, look: LookLog) -> LogView:
        """Return the log once it is newer than `look.after`."""

    async def fault(self, fault: Fault) -> None:
        """Have `fault` from now on."""
        await self.tell(SetFault(fault))

    async def clear_faults(self) -> None:
        """Forget every fault and let go what is held."""
        await self.tell(ClearFaults())

    async def release(self) -> None:
        """Let go what is held."""
        await self.tell(Release())

    async def log(self, method: str = "*") -> list[Logged]:
        """Return every request, or those of one method."""
        entries = (await self.look_log(LookLog())).entries
        return [each for each in entries if method.lower() in ("*", each.method.lower())]

    async def wait_log(
        self, predicate: Callable[[list[Logged]], bool], timeout_s: float = PATIENCE_S
    ) -> list[Logged]:
        """Return the log once `predicate` holds for it; raise TimeoutError if it never does."""
        return (
            await watch(self._log_after, lambda view: predicate(view.entries), timeout_s)
        ).entries

    async def wait_held(self, method: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until a request of `method` is held; raise TimeoutError if none comes."""
        await watch(self._log_after, lambda view: method in view.held, timeout_s)

    async def _log_after(self, after: int, timeout_s: float) -> LogView:
        return await self.look_log(LookLog(after=after, timeout_s=timeout_s))


class Remote(Watched):
    """A stand-in server in another process."""

    def __init__(self, url: str) -> None:
        """Speak to the server at `url` while the `async with` block runs."""
        self.url = url

    async def __aenter__(self) -> Self:
        """Open the connection."""
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self._session.close()

    async def tell(self, order: Order) -> None:
        """Carry out an order about faults."""
        await self.ask(order, type(None))

    async def look_log(self, look: LookLog) -> LogView:
        """Return the log once it is newer than `look.after`."""
        return await self.ask(look, LogView)

    async def ask(self, command: msgspec.Struct, answer: type[T]) -> T:
        """Send one command; return its answer."""
        body = msgspec.json.encode(command)
        async with self._session.post(f"{self.url}/_control/do", data=body) as response:
            content = await response.read()
            if response.status != 200:
                raise ValueError(content.decode())
        return msgspec.json.decode(content, type=answer)


async def watch(
    look: Callable[[int, float], Awaitable[V]], predicate: Callable[[V], bool], timeout_s: float
) -> V:
    """Look again at every change until `predicate` holds; raise TimeoutError if it never does."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    view = await look(-1, 0.0)
    while not predicate(view):
        left = deadline - loop.time()
        if left <= 0:
            raise TimeoutError(f"not seen within {timeout_s} s; last seen: {view}")
        view = await look(view.version, left)
    return view
