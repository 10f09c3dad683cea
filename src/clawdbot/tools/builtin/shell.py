"""Commands in a box: no network, the conversation's folder as the only place to write.

A run that takes longer goes on while the conversation does: its output is read page by page, and it
can be stopped. It ends with the service.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct, field

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.errors import Failure, ToolFailed
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.domain.settings import Shell as Settings
from clawdbot.sandbox.profile import WORK, Bind, Box, Limits
from clawdbot.tools.folders import Folders
from clawdbot.tools.registry import Grant, Tool

if TYPE_CHECKING:
    from clawdbot.sandbox.run import Process, Sandbox

Wait = Annotated[float, Meta(gt=0, le=300, description="seconds to wait for its end")]
Boxes = Callable[[], "Sandbox"]
More = Callable[[], Awaitable[tuple[Bind, ...]]]
_PAGE = 8_000
_PIECE = 65_536
_KEPT_MOST = 32
_LOOK_S = 0.5


class Run(Struct):
    """One command; `output` is both of its streams as they came."""

    user: str
    conversation: str
    output: bytearray = field(default_factory=bytearray)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    process: "Process | None" = None
    state: str = "running"
    fault: str = ""


class Shell:
    """Runs commands; `run` is its life, in which runs go on."""

    def __init__(
        self, sandbox: "Boxes", folders: Folders, settings: Settings, more: More | None = None
    ) -> None:
        """See in every box what `more` gives, beside the conversation's folder."""
        self._sandbox = sandbox
        self._folders = folders
        self._settings = settings
        self.more = more
        self._runs: dict[str, Run] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Keep runs going until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    async def shell(
        self,
        grant: Grant,
        command: Annotated[list[str], Meta(max_length=100, description="argv")] = [],  # noqa: B006
        script: Annotated[str, Meta(max_length=100_000, description="for /bin/sh")] = "",
        wait_s: Wait = 30.0,
    ) -> str:
        """Run a command or a script, and tell what it prints."""
        if bool(command) == bool(script.strip()):
            raise ToolFailed("Give either a command or a script.")
        if self._tasks is None:
            raise ToolFailed("Commands run while the service does.")
        if command and command[0].startswith("-"):
            raise ToolFailed("A command begins with a program's name.")
        argv = tuple(command) or ("/bin/sh", "-eu", "-c", script)
        run = Run(grant.user.id, grant.conversation)
        self._remember(grant.id, run)
        self._tasks.create_task(self._drive(run, grant, argv))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await run.ended.wait()
        return _page(grant.id, run, 0)

    async def output(
        self, grant: Grant, run: str, start: Annotated[int, Meta(ge=0)] = 0, wait_s: Wait = 1.0
    ) -> str:
        """Tell more of what a run printed, from a byte on."""
        found = self._find(grant, run)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await found.ended.wait()
        return _page(run, found, start)

    async def stop(self, grant: Grant, run: str) -> str:
        """End a run and everything that it started."""
        found = self._find(grant, run)
        if found.process is not None:
            found.process.kill()
        await found.ended.wait()
        return _page(run, found, max(0, len(found.output) - _PAGE))

    async def _drive(self, run: Run, grant: Grant, argv: tuple[str, ...]) -> None:
        settings = self._settings
        limits = Limits(
            wall_s=0, cpu_s=int(settings.wall_s), memory_mb=settings.memory_mb, processes=64
        )
        try:
            more = await self.more() if self.more is not None else ()
            binds = (Bind(str(self._folders.work(grant)), WORK, write=True), *more)
            async with (
                asyncio.timeout(settings.wall_s),
                self._sandbox().opened(Box(argv=argv, binds=binds, limits=limits)) as process,
            ):
                run.process = process
                run.fault = await self._listen(run, process)
                if not run.fault:
                    run.state = f"exit code {await process.wait()}"
        except TimeoutError:
            run.fault = f"ended after {settings.wall_s:.0f} s"
        except Failure as error:
            run.fault = str(error)
        finally:
            run.state = run.fault or (run.state if run.state != "running" else "ended")
            run.ended.set()

    async def _listen(self, run: Run, process: "Process") -> str:
        """Take in what a run prints until it is over; name the bound that ended it before."""
        most, folder = self._settings.output_bytes, self._folders.home
        while True:
            try:
                async with asyncio.timeout(_LOOK_S):
                    piece = await process.output.read(_PIECE)
            except TimeoutError:
                # A box writes to our disk: it must leave room for what is accepted.
                if shutil.disk_usage(folder).free < self._settings.leave_mb << 20:
                    return "ended: the disk is almost full"
                continue
            if not piece:
                return ""
            run.output += piece[: most - len(run.output)]
            if len(run.output) >= most:
                return "ended: too much output"

    def _remember(self, name: str, run: Run) -> None:
        over = [key for key, old in self._runs.items() if old.ended.is_set()]
        for key in over[: max(0, len(self._runs) - _KEPT_MOST + 1)]:
            del self._runs[key]
        if len(self._runs) >= _KEPT_MOST:
            raise ToolFailed("Too many commands are running. Stop one first.")
        self._runs[name] = run

    def _find(self, grant: Grant, name: str) -> Run:
        run = self._runs.get(name)
        mine = run is not None and (run.user, run.conversation) == (
            grant.user.id,
            grant.conversation,
        )
        if run is None or not mine:
            raise ToolFailed(f"There is no run {name!r} in this conversation.")
        return run

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Make the tools."""
        sinks = (Sink("command", SinkKind.COMMAND), Sink("script", SinkKind.COMMAND))
        run = Manifest(name="shell", effect=Effect.EXEC, sinks=sinks, private=True)
        look = Manifest(name="shell_output", effect=Effect.READ, private=True)
        end = Manifest(name="shell_stop", effect=Effect.WRITE, own=True, idempotent=True)
        about = "Run a command in the sandbox: no network, works in this conversation's folder"
        return (
            Tool(manifest=run, description=about, act=self.shell),
            Tool(manifest=look, description="More output of a shell run", read=self.output),
            Tool(manifest=end, description="Stop a shell run", act=self.stop),
        )


def _page(name: str, run: Run, start: int) -> str:
    text = bytes(run.output[start : start + _PAGE]).decode(errors="replace")
    upto = min(start + _PAGE, len(run.output))
    more = f"; {len(run.output) - upto} bytes more from {upto}" if upto < len(run.output) else ""
    return f"{text.rstrip()}\n(run {name}: {run.state}{more})".lstrip()
