"""What the assistant acts with: the sandbox, and every built-in tool by its name."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path

from clawdbot.agent import delegate, plan
from clawdbot.config.load import Loaded
from clawdbot.domain.secret import Secret
from clawdbot.net.client import Client
from clawdbot.net.fetch import Fetch, Guard
from clawdbot.sandbox.run import Sandbox
from clawdbot.store import secrets
from clawdbot.store.sqlite import SqliteDb
from clawdbot.store.vault import Vault
from clawdbot.tools.builtin import facts, files, notebook, search, web
from clawdbot.tools.builtin.shell import Shell
from clawdbot.tools.folders import Folders
from clawdbot.tools.registry import Registry, Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """The tools and what they work with; `run` is the life of those that go on by themselves."""

    sandbox: Sandbox
    registry: Registry
    shell: Shell

    async def run(self, *others: Coroutine[None, None, None]) -> None:
        """Keep them going until cancelled, and others with them."""
        async with asyncio.TaskGroup() as tasks:
            for life in (self.shell.run(), *others):
                tasks.create_task(life)


def hands_of(
    loaded: Loaded,
    client: Client,
    db: SqliteDb,
    vault: Vault,
    more: Iterable[Tool],
    boxes: Callable[[Path], Sandbox] = Sandbox,
) -> Hands:
    """Put the hands together; `more` are the composition's own tools, `boxes` makes the sandbox."""
    core, home = loaded.core, loaded.home
    fetch = Fetch(client, Guard(core.net))

    async def reveal(reference: str, url: str) -> Secret:
        return await db.read(lambda tx: secrets.resolve(tx, vault, reference, url))

    sandbox, folders = boxes(home / "data" / "sandbox"), Folders(home, core.files)
    shell = Shell(sandbox, folders, core.shell)
    tools = (
        *facts.TOOLS,
        *notebook.TOOLS,
        plan.TOOL,
        delegate.TOOL,
        *files.tools(folders),
        *shell.tools,
        *web.tools(fetch, core.net, core.web, reveal),
        *search.tools(fetch, core.search),
        *more,
    )
    return Hands(
        sandbox=sandbox,
        registry=Registry(tools, {name: limit.per_hour for name, limit in core.tools.items()}),
        shell=shell,
    )
