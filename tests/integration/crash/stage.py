"""Where the program lives and dies: a home folder, a Telegram, lives one after another.

Sees the program from outside only: its points, its database, its model's log, the users' chats.
"""

import asyncio
import multiprocessing
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import msgspec

from clawdbot.domain.inbound import Inbound
from clawdbot.domain.messages import Text
from clawdbot.domain.text import LANGUAGES
from tests.fakes.faults import Logged
from tests.fakes.models import MODEL, ModelServer, Rule, Timing
from tests.fakes.serving import ROOT
from tests.fakes.telegram import TOKEN, UNLIMITED, Shown, TelegramServer
from tests.integration.crash.program import ARM, COMMIT, STOP, Life, Point, live
from tests.patience import PATIENCE_S

USER = 1001
LOOK_S = 0.01
LOOPBACK = "http://127.0.0.1"

Cell: TypeAlias = str | int | float | bytes | None
Rules: TypeAlias = Sequence[Mapping[str, object]]
NOTHING: Mapping[str, object] = MappingProxyType({})

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.integration.crash.program"])


class Asked(NamedTuple):
    """One call of the model: how many results it was given, and the turn's words."""

    results: int
    words: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the database holds.

    `thoughts` are the model's calls that need not be made again, `shown` the messages known to be
    sent, `doubts` counts the rows of which nobody knows, `turns` are the states there are.
    """

    thoughts: set[Asked]
    shown: set[int]
    doubts: int
    notes: int
    turns: set[str]


class Traced:
    """A life under strace, which notes every sync of a file."""

    def __init__(self, life: Life, control: Connection, trace: Path) -> None:
        strace = ("strace", "-f", "-y", "-ttt", "-e", "trace=fdatasync,fsync", "-o", str(trace))
        program = (sys.executable, "-m", "tests.integration.crash.program")
        arguments = (msgspec.json.encode(life).decode(), str(control.fileno()))
        self._process = subprocess.Popen(
            (*strace, *program, *arguments), pass_fds=[control.fileno()], cwd=ROOT
        )

    @property
    def exitcode(self) -> int | None:
        """Tell how it ended, None while it lives."""
        return self._process.poll()

    def kill(self) -> None:
        """Let it go; it ends with its control pipe."""
        self._process.terminate()

    def join(self) -> None:
        """Wait for the end."""
        self._process.wait()

    def close(self) -> None:
        """Nothing is left to close."""


@dataclass(kw_only=True)
class Stage:
    """A home with its Telegram, the present life, and a folder for what the tests note of it."""

    folder: Path
    home: Path
    telegram: TelegramServer
    models: ModelServer | None
    process: BaseProcess | Traced | None = None
    lives: int = 0
    since: int = 0
    _control: Connection | None = None

    async def begin(
        self, die: str = "", *, ahead_s: float = 0.0, trace: Path | None = None, quiet: bool = True
    ) -> None:
        """Begin a life, and arm it once it waits for messages; strace writes to `trace`.

        Where users go on talking it is not `quiet`: then it is armed once it has greeted.
        """
        self.lives += 1
        life = Life(home=str(self.home), points=str(self.points_file), die=die, ahead_s=ahead_s)
        receiver, self._control = _processes.Pipe(duplex=False)
        begun = len(self.telegram.requests.entries)
        if trace is None:
            self.process = _processes.Process(target=live, args=(life, receiver), daemon=True)
            self.process.start()
        else:
            self.process = Traced(life, receiver, trace)
        receiver.close()
        await eventually(
            lambda: self.dead or (self._greeted(begun) and (not quiet or self._waits(begun))),
            "the program waits for messages",
        )
        if self.dead:
            raise RuntimeError(f"the program ended with {self.process.exitcode}")
        self.since = len(self.telegram.requests.entries)
        self._control.send_bytes(ARM)
        await eventually(self.points_file.exists, "the program is armed")
        await eventually(lambda: self.points_file.stat().st_size > 0, "the program is armed")

    async def end(self) -> None:
        """End the present life in order."""
        if self._control is not None:
            self._control.send_bytes(STOP)
        await eventually(lambda: self.dead, "the program ends")
        self._bury()

    async def kill(self) -> None:
        """Kill the present life as it is."""
        if self.process is not None:
            self.process.kill()
        await eventually(lambda: self.dead, "the program is dead")
        self._bury()

    @property
    def dead(self) -> bool:
        """Tell whether no life goes on."""
        return self.process is None or self.process.exitcode is not None

    @property
    def points_file(self) -> Path:
        """Name the file of the present life's points."""
        return self.folder / f"points-{self.lives}"

    @property
    def points(self) -> list[Point]:
        """List the points that the present life passed."""
        lines = self.points_file.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Point) for line in lines if line]

    @property
    def asked(self) -> list[Asked]:
        """List the model's calls, of all lives."""
        if self.models is not None:
            return [_asked(entry) for entry in self.models.requests.entries]
        path = self.folder / "asked"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=Asked) for line in lines]

    def requests(self) -> list[str]:
        """Name what the present life has asked of the servers since it was armed."""
        log = self.telegram.requests.since(self.since)
        if self.models is not None:
            log = log + self.models.requests.entries
        return [entry.method.rpartition("/")[2] for entry in log]

    def said(self, chat: int = USER) -> list[Shown]:
        """List what the bot shows in a chat."""
        return [shown for shown in self.telegram.world.shown(chat) if shown.from_bot]

    async def heard(self) -> None:
        """Wait until every update is confirmed, or the life is over."""
        await eventually(
            lambda: self.dead or (not self.telegram.world.queue and self._waits(0)),
            "every update is confirmed",
        )

    async def settle(self) -> None:
        """Wait until all that was said is answered, or the life is over."""
        await eventually(lambda: self.dead or self.settled(), "everything is answered")

    def settled(self) -> bool:
        """Tell whether nothing is left to do: for Telegram, in the queue, in the outbox."""
        if self.telegram.world.queue or not self._waits(0) or not self.still():
            return False
        open_turns = "SELECT COUNT(*) FROM turns WHERE state IN ('ready', 'running')"
        open_rows = "SELECT COUNT(*) FROM outbox WHERE state IN ('pending', 'sending')"
        return self.query(open_turns) == self.query(open_rows) == [(0,)] and self._balanced()

    def still(self) -> bool:
        """Tell whether no request but the poll is under way."""
        entries = self.telegram.requests.entries
        return not any(e.status is None for e in entries if e.method != "getUpdates")

    def kept(self) -> Kept:
        """Read what is recorded."""
        thoughts: set[Asked] = set()
        for turn, state, step in self.query(
            "SELECT t.id, t.state, COALESCE(s.key, '') FROM turns t"
            " LEFT JOIN steps s ON s.turn_id = t.id AND s.key LIKE 'think/%'"
        ):
            words = self._words(str(turn))
            if step:
                thoughts.add(Asked(int(str(step).partition("/")[2]), words))
            if state not in {"ready", "running"}:
                thoughts |= {Asked(results, words) for results in range(9)}
        doubts = "SELECT id FROM outbox WHERE state IN ('unknown', 'dead')"
        return Kept(
            thoughts=thoughts,
            shown={int(str(ref)) for (ref,) in self.query("SELECT ref FROM outbox") if ref},
            doubts=len(self.query(doubts)),
            notes=len(self.query("SELECT id FROM notes")),
            turns={str(state) for (state,) in self.query("SELECT state FROM turns")},
        )

    def query(self, sql: str) -> list[tuple[Cell, ...]]:
        """Ask the program's database from outside; nothing where there is none yet."""
        path = self.home / "data" / "clawdbot.db"
        with suppress(sqlite3.OperationalError), closing(_open(path)) as connection:
            return connection.execute(sql).fetchall()
        return []

    def _words(self, turn: str) -> str:
        rows = self.query(
            f"SELECT body FROM inbox WHERE turn_id = '{turn}' AND LENGTH(body) > 0 ORDER BY place"
        )
        inbounds = [
            msgspec.json.decode(body, type=Inbound) for (body,) in rows if isinstance(body, bytes)
        ]
        return "\n".join(
            "".join(part.text for part in inbound.parts if isinstance(part, Text))
            for inbound in inbounds
        )

    def _greeted(self, begun: int) -> bool:
        """Tell whether the program has told Telegram its commands, in every language."""
        log = self.telegram.requests.since(begun)
        offered = [each for each in log if each.method == "setMyCommands" and each.status]
        return len(offered) == len(LANGUAGES)

    def _waits(self, begun: int) -> bool:
        """Tell whether updates are polled for, or are pushed to us."""
        log = self.telegram.requests.since(begun)
        polls = any(each.method == "getUpdates" and each.status is None for each in log)
        hooked = any(each.method == "setWebhook" and each.status == 200 for each in log)
        return (polls or hooked) and self.still()

    def _balanced(self) -> bool:
        """Tell whether every COMMIT is over: it is seen just before its end is on file."""
        commits = [point for point in self.points if point.name == COMMIT]
        return not commits or commits[-1].phase == "after"

    def _bury(self) -> None:
        if self.process is not None:
            self.process.join()
            self.process.close()
        if self._control is not None:
            self._control.close()
        self.process, self._control = None, None


@asynccontextmanager
async def staged(
    folder: Path,
    rules: Rules = (),
    session: Mapping[str, object] = NOTHING,
    *,
    disk: Path | None = None,
    webhook: bool = False,
    replies: Sequence[Rule] = (),
    model: Mapping[str, object] = NOTHING,
    **core: object,
) -> AsyncIterator[Stage]:
    """Set a stage: settings, a scripted model, a Telegram without limits; clear it at the end.

    The program's home stands in `folder`, or on a `disk` of its own; Telegram is polled, or pushes
    to a `webhook`; with `replies` the model is a server, or any other `model`.
    """
    home = (disk or folder) / "home"
    for each in {folder, home}:
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(TelegramServer(pace=UNLIMITED))
        models = None
        if replies:
            server = ModelServer(rules=list(replies), timing=Timing(first_ms=5.0))
            models = await stack.enter_async_context(server)
            model = endpoint(f"{models.url}/v1")
        logged = [{**rule, "log": str(folder / "asked")} for rule in [*rules, {}]]
        if webhook:
            core["gateway"] = {"port": (port := free_port()), "public_url": f"{LOOPBACK}:{port}"}
        write(home, telegram.url, logged, session, webhook=webhook, model=model, core=core)
        stage = Stage(folder=folder, home=home, telegram=telegram, models=models)
        try:
            yield stage
        finally:
            if not stage.dead:
                await stage.kill()


def write(
    home: Path,
    url: str,
    rules: Rules,
    session: Mapping[str, object],
    *,
    webhook: bool = False,
    model: Mapping[str, object] = NOTHING,
    core: Mapping[str, object] = NOTHING,
) -> None:
    """Write the settings and the model's script; a `model` other than that comes before it."""
    (home / "script.yaml").write_bytes(msgspec.yaml.encode(rules))
    bot = {
        "token": TOKEN,
        "base_url": url,
        "pace": "off",
        **({"mode": "webhook", "secret": "a-secret-of-the-tests"} if webhook else {}),
        "session": {"access": "allowlist", "allow": [str(USER)], **session},
    }
    script = {"protocol": "scripted", "script": str(home / "script.yaml"), "retries": 0}
    settings = {
        "environment": "test",
        "gateway": {"port": 0},
        "store": {"low_water_mb": 0, "ballast_mb": 0},
        "providers": {"play": script, "spare": script} | ({"play": model} if model else {}),
        # Without a model of its own the default route has no other to fall back to.
        "model_routing": {
            "default": {"provider": "play"},
            "emergency": {"provider": "spare" if model else "play"},
        },
        "channels": {"telegram": {"main": bot}},
        **core,
    }
    (home / "clawdbot.yaml").write_bytes(msgspec.yaml.encode(settings))


def endpoint(url: str) -> dict[str, object]:
    """Describe a model server that is asked once and no more."""
    return {"protocol": "openai", "url": url, "model": MODEL, "retries": 0}


def free_port() -> int:
    """Find a port that several lives can have one after another."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def eventually(
    condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S
) -> None:
    """Look again and again until a condition holds; raise TimeoutError if it never does."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not condition():
        if loop.time() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what}")
        await asyncio.sleep(LOOK_S)


def _asked(entry: Logged) -> Asked:
    """Read a call of the model as its server logged it."""
    messages = msgspec.convert(entry.part("messages"), list[_Message])
    begun = max(at for at, each in enumerate(messages) if each.role == "user")
    results = sum(each.role == "tool" for each in messages[begun:])
    return Asked(results, str(messages[begun].content))


class _Message(msgspec.Struct):
    role: str
    content: str | None = None


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)
