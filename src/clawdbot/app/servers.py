"""Tool servers reached: in boxes that see and reach what the settings grant, or at addresses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from clawdbot.config.load import Loaded
from clawdbot.domain.errors import BadInput, ToolFailed
from clawdbot.domain.settings import McpServer
from clawdbot.net.client import Client
from clawdbot.net.egress import Rule, Rules, read
from clawdbot.net.fetch import Guard
from clawdbot.net.proxy import Pass, Proxy
from clawdbot.sandbox import bridge
from clawdbot.sandbox.profile import WORK, Bind, Box, Limits
from clawdbot.sandbox.python import PYTHON, PYTHON_BINDS
from clawdbot.sandbox.run import Sandbox
from clawdbot.tools.servers import WRITE, Reach

if TYPE_CHECKING:
    from clawdbot.net.carrier import Carrier
    from clawdbot.tools.mcp import Link

_BRIDGE = str(Path(bridge.__file__).resolve())


def reaching(loaded: Loaded, sandbox: Sandbox, client: Client, egress: Proxy) -> Reach:
    """Give the way to every server."""
    guard, private = Guard(loaded.core.net), loaded.core.net.private

    @asynccontextmanager
    async def reach(name: str, settings: McpServer) -> "AsyncIterator[Link]":
        if bool(settings.command) == bool(settings.url):
            raise BadInput("A tool server has either a command or a url.")
        try:  # it takes a second: the service goes on meanwhile
            await asyncio.to_thread(import_module, "clawdbot.tools.mcp")
        except ImportError as error:
            raise ToolFailed(
                "Tool servers need the library `mcp`: run install.sh --with mcp."
            ) from error
        from clawdbot.tools import mcp  # noqa: PLC0415 - an extra

        if settings.url:
            async with mcp.reached(settings.url, _carrier(settings, client, guard)) as link:
                yield link
            return
        near = tuple(host for host in settings.hosts if host in private)
        passed = Pass(who=f"mcp {name}", rules=Rules.of(settings.hosts, near))
        with ExitStack() as stack:
            lines = (stack.enter_context(egress.box(passed)),) if settings.hosts else ()
            async with (
                sandbox.opened(_box(settings, loaded.home), lines, stdio=True) as process,
                mcp.boxed(name, process) as link,
            ):
                yield link

    return reach


def _carrier(settings: McpServer, client: Client, guard: Guard) -> "Carrier":
    from clawdbot.net.carrier import Carrier  # noqa: PLC0415 - stands on an extra

    target = read(settings.url)
    hosts = (Rule(target.host, target.port),)
    return Carrier(
        client,
        guard,
        Rules(hosts=hosts, private=hosts),
        headers={name: value.reveal() for name, value in settings.headers.items()},
        timeout_s=settings.timeout_s,
    )


def _box(settings: McpServer, home: Path) -> Box:
    """Give a server's box; raises BadInput where it would see what is ours."""
    places = [(path.removesuffix(WRITE), path.endswith(WRITE)) for path in settings.paths]
    binds = [Bind(host=str(Path(path).expanduser()), write=write) for path, write in places]
    folder = str(Path(settings.folder).expanduser()) if settings.folder else ""
    binds += [Bind(host=folder)] if folder else []
    for bind in binds:
        if home.is_relative_to(bind.host) or Path(bind.host).is_relative_to(home / "data"):
            raise BadInput(f"{bind.host} is this assistant's own and not for servers.")
    argv = settings.command
    if settings.hosts:
        argv = (*PYTHON, _BRIDGE, *argv)
        binds.append(Bind(host=_BRIDGE))
    return Box(
        argv=argv,
        binds=(*PYTHON_BINDS, *binds),
        env={name: value.reveal() for name, value in settings.env.items()},
        folder=folder or WORK,
        limits=Limits(wall_s=0, cpu_s=3600, memory_mb=settings.memory_mb),
    )
