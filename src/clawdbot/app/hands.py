"""What the assistant acts with: the sandbox, and every built-in tool by its name."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from clawdbot.agent import delegate, plan
from clawdbot.config.load import Loaded
from clawdbot.domain.secret import Secret
from clawdbot.net.client import Client
from clawdbot.net.fetch import Fetch, Guard
from clawdbot.sandbox.profile import CHROMIUM, DRIVER
from clawdbot.store import secrets
from clawdbot.store.sqlite import SqliteDb
from clawdbot.store.vault import Vault
from clawdbot.tools.builtin import browser, facts, files, notebook, search, web
from clawdbot.tools.builtin.shell import Shell
from clawdbot.tools.folders import Folders
from clawdbot.tools.registry import Registry, Tool

if TYPE_CHECKING:
    from clawdbot.sandbox.run import Sandbox


class Hands(Struct, frozen=True, kw_only=True):
    """The tools and what they work with; `run` is the life of those that go on by themselves."""

    sandbox: "Callable[[], Sandbox]"
    registry: Registry
    shell: Shell

    async def run(self, *others: Coroutine[None, None, None]) -> None:
        """Keep them going until cancelled, and others with them."""
        async with asyncio.TaskGroup() as tasks:
            for life in (self.shell.run(), *others):
                tasks.create_task(life)


def boxes(folder: Path) -> "Sandbox":
    """Make the sandbox."""
    from clawdbot.sandbox.run import Sandbox  # noqa: PLC0415 - with the first box

    return Sandbox(folder)


def hands_of(
    loaded: Loaded,
    client: Client,
    db: SqliteDb,
    vault: Vault,
    more: Iterable[Tool],
    boxes: "Callable[[Path], Sandbox]" = boxes,
) -> Hands:
    """Put the hands together; `more` are the composition's own tools, `boxes` makes the sandbox."""
    core, home = loaded.core, loaded.home
    fetch = Fetch(client, Guard(core.net))

    async def reveal(reference: str, url: str) -> Secret:
        return await db.read(lambda tx: secrets.resolve(tx, vault, reference, url))

    sandbox = cache(partial(boxes, home / "data" / "sandbox"))
    folders = Folders(home, core.files)
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


def browsing(
    loaded: Loaded, registry: Registry, gear: Callable[[], Awaitable[browser.Gear]]
) -> AbstractAsyncContextManager[browser.Visits]:
    """Offer the browser where there is one; its pages end with this."""
    core = loaded.core
    visits = browser.Visits(gear, Folders(loaded.home, core.files), (core.net, core.web))
    if Path(CHROMIUM).exists() and Path(DRIVER).exists():
        registry.replace("browser", browser.tools(visits))
    return visits.opened()
