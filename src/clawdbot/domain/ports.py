"""The shapes that adapters satisfy; each small enough to fake in ten lines."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import msgspec

from clawdbot.domain.caps import Caps
from clawdbot.domain.events import Live
from clawdbot.domain.inbound import Address, Inbound, Receipt

T = TypeVar("T")
R = TypeVar("R")


class Clock(Protocol):
    """Time and randomness, as an argument."""

    def now(self) -> float:
        """Tell the wall clock in seconds since 1970; for showing and expiry, never for order."""

    def monotonic(self) -> float:
        """Tell seconds that never go back; for deadlines, pace and leases."""

    def ulid(self) -> str:
        """Make a new id of 26 letters: 48 bits of time, 80 of randomness."""


class Tx(Protocol):
    """An open transaction: named statements in, typed rows out. Never opened by a repository."""

    def one(self, kind: Callable[..., R], query: str, /, **values: object) -> R | None:
        """Run a named query and build its first row, or None."""

    def all(self, kind: Callable[..., R], query: str, /, **values: object) -> list[R]:
        """Run a named query and build every row."""

    def run(self, query: str, /, **values: object) -> int:
        """Run a named statement and tell how many rows it changed."""


class Db(Protocol):
    """The database's one door."""

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` in a transaction and return after COMMIT; it may run more than once.

        Raises StoreFailed (DiskLow where the disk is full) when it could not commit; what `fn`
        raises undoes only `fn`. Cancelling the caller does not undo a queued write.
        """

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` on a read-only snapshot."""


class Inbox(Protocol):
    """Where a channel puts what it has translated."""

    async def accept(self, inbound: Inbound) -> Receipt:
        """Commit the delivery and tell what became of it; raises StoreFailed if it could not."""


class Engine(Protocol):
    """Who runs a turn, and when."""

    def wake(self, turn: str) -> None:
        """Look at this turn (by id) soon; idempotent, cheap, never blocks."""


class Deliveries(Protocol):
    """What brings committed rows to their destinations (an address's key)."""

    def wake(self, destination: str) -> None:
        """Look at a destination soon; idempotent, cheap, never blocks."""

    async def commit(self, destination: str, fn: Callable[[Tx], T]) -> T:
        """Write rows for a destination (see `Db.write`), and deliver them soon."""


class Lease(Protocol):
    """Whether this node may still act."""

    def held(self) -> bool:
        """Tell it by the monotonic clock."""


class Stream(Protocol):
    """Live text from the node that runs a turn to those that show it; a courtesy, may be lost."""

    def publish(self, live: Live) -> None:
        """Hand on; never blocks."""

    def listen(self, topic: str) -> AbstractAsyncContextManager[AsyncIterator[Live]]:
        """Receive what is published for a destination (`to.key`)."""


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """A choice under a message; `token` is opaque and at most 64 bytes."""

    label: str
    token: str


class Outgoing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a channel sends: Markdown text, at most one chunk; a reply where it can."""

    text: str
    buttons: tuple[Button, ...] = ()
    reply_to: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a channel works; `reason` and `remedy` say why not and what to do."""

    up: bool
    reason: str = ""
    remedy: str = ""
    paused: bool = False


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform knows of our webhook: the address it calls, and its last trouble with it."""

    used: bool
    registered: str = ""
    problem: str = ""


class Channel(Protocol):
    """An adapter: translates, and nothing else."""

    @property
    def caps(self) -> Caps:
        """Tell what the platform can do."""

    async def run(self, inbox: Inbox) -> None:
        """Receive until cancelled; raises AuthLost when the key is refused."""

    async def send(self, to: Address, message: Outgoing, key: str) -> str:
        """Send once and return the platform's message id.

        Raises Retry, Refused, Moved, Window, AuthLost or Unknown; any other exception counts as
        Unknown.
        """

    async def health(self) -> Health:
        """Ask the platform cheaply."""


class Editable(Protocol):
    """A channel whose shown text can be replaced."""

    async def edit(self, to: Address, ref: str, message: Outgoing) -> None:
        """Replace a message's text; "not modified" is success. Raises as `send`."""


class Typing(Protocol):
    """A channel that can show that we are at work."""

    async def typing(self, to: Address) -> None:
        """Show it for the platform's own time; failures are of no consequence."""
