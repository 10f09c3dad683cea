"""The service as the crash tests compose it: real parts, numbered fault points, kill -9 at one.

A point is before or after a COMMIT or an outgoing request. Points count from the moment the tests
arm the program and go to a file as they pass, so that the file outlives the process. Whoever holds
the other end of the control pipe keeps the program alive: at its end the program ends.
"""

import asyncio
import os
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from clawdbot.app.assembly import Doors
from clawdbot.app.sections import SECTIONS
from clawdbot.app.serving import serve
from clawdbot.config.clock import SystemClock
from clawdbot.config.load import load
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.net.client import Client, Request, Stream
from clawdbot.tools.registry import Grant, Tool

ARM, STOP = b"arm", b"stop"
COMMIT, EFFECT = "commit", "effect"

Phase = Literal["before", "after"]


class Point(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fault point: the `number`th commit or request of its `name`; 0 began before arming.

    `wrote` tells of a commit whether there was anything to write.
    """

    name: str
    number: int
    phase: Phase
    wrote: bool = False

    def __str__(self) -> str:
        return f"{self.phase} {self.name} {self.number}"


class Life(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a life of the program goes: where it lives, where its points go, where it dies."""

    home: str
    points: str
    die: str = ""
    ahead_s: float = 0.0


class Points:
    """Counts the points of one life; each is on file before the program goes on."""

    def __init__(self, life: Life) -> None:
        self._die = life.die
        self._file = os.open(life.points, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._armed = False

    def arm(self) -> None:
        with self._lock:
            self._armed = True
            os.write(self._file, b"\n")

    def before(self, name: str, *, wrote: bool = False) -> int:
        with self._lock:
            if not self._armed:
                return 0
            self._counts[name] += 1
            self._pass(Point(name=name, number=self._counts[name], phase="before", wrote=wrote))
            return self._counts[name]

    def after(self, name: str, number: int, *, wrote: bool = False) -> None:
        with self._lock:
            if self._armed:
                self._pass(Point(name=name, number=number, phase="after", wrote=wrote))

    def _pass(self, point: Point) -> None:
        os.write(self._file, msgspec.json.encode(point) + b"\n")
        if str(point) == self._die:
            os.kill(os.getpid(), signal.SIGKILL)


class PointedConnection(sqlite3.Connection):
    """A database connection with a point on both sides of every COMMIT."""

    points: Points
    _changed = 0

    def execute(self, sql: str, parameters=(), /) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            self._changed = self.total_changes
        if sql != "COMMIT":
            return super().execute(sql, parameters)
        wrote = self.total_changes > self._changed
        number = self.points.before(COMMIT, wrote=wrote)
        cursor = super().execute(sql)
        self.points.after(COMMIT, number, wrote=wrote)
        return cursor


class PointedClient(Client):
    """An HTTP client with a point before every request and after its whole answer."""

    points: Points

    @asynccontextmanager
    async def exchange(self, request: Request) -> AsyncIterator[Stream]:
        name = request.url.partition("?")[0].rpartition("/")[2]
        number = self.points.before(name)
        async with super().exchange(request) as stream:
            yield stream
        self.points.after(name, number)


class ShiftedClock(SystemClock):
    """The real clock, some seconds off."""

    def __init__(self, ahead_s: float) -> None:
        super().__init__()
        self._ahead_s = ahead_s

    def now(self) -> float:
        return super().now() + self._ahead_s


def ledger(home: Path, points: Points) -> tuple[Tool, ...]:
    """Make two tools that always ask, whose effect is a line in a file; one may be repeated."""

    async def write(grant: Grant, to: str, amount: int) -> str:
        """Pay somebody."""
        number = points.before(EFFECT)
        file = os.open(home / EFFECT, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        os.write(file, f"{grant.id} {amount} {to}\n".encode())
        os.close(file)
        points.after(EFFECT, number)
        return f"paid {amount} to {to}"

    manifest = Manifest(name="pay", effect=Effect.MONEY)
    order = replace(manifest, name="order", idempotent=True)
    return tuple(
        Tool(manifest=each, description="Pay somebody", act=write) for each in (manifest, order)
    )


def live(life: Life, control: Connection) -> None:
    """Run the service until it is told to stop or killed."""
    points = Points(life)
    connection = type("Connection", (PointedConnection,), {"points": points})
    client = type("Client", (PointedClient,), {"points": points})

    def connect(uri: str) -> sqlite3.Connection:
        return sqlite3.connect(
            uri,
            uri=True,
            isolation_level=None,
            cached_statements=256,
            check_same_thread=False,
            factory=connection,
        )

    doors = Doors(
        clock=ShiftedClock(life.ahead_s),
        connect=connect,
        client=client,
        tools=ledger(Path(life.home), points),
    )
    asyncio.run(_serve(life, control, points, doors))


async def _serve(life: Life, control: Connection, points: Points, doors: Doors) -> None:
    stop = asyncio.Event()

    def obey() -> None:
        try:
            order = control.recv_bytes()
        except EOFError:
            os._exit(1)
        if order == ARM:
            points.arm()
        else:
            stop.set()

    asyncio.get_running_loop().add_reader(control.fileno(), obey)
    loaded = load(Path(life.home), {}, SECTIONS)
    await serve(loaded, doors, stop=stop, started=lambda _: None)


if __name__ == "__main__":
    live(msgspec.json.decode(sys.argv[1], type=Life), Connection(int(sys.argv[2]), writable=False))
