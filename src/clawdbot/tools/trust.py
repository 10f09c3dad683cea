"""Whether a plugin may run: what is there, what it asks for, and its owner's decision.

A plugin's file is never imported here. A decision is bound to all of its bytes and to what they
register, told from a box without any right.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from clawdbot.domain.errors import BadInput, PluginFailed, Untrusted
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.sandbox.profile import Limits
from clawdbot.sandbox.python import selenium
from clawdbot.store import people, rights
from clawdbot.store.audit import Entry
from clawdbot.store.plugins import PLUGIN
from clawdbot.store.rights import NewStanding
from clawdbot.tools import packages
from clawdbot.tools.decisions import Decisions, Of
from clawdbot.tools.manifest import Function, wider
from clawdbot.tools.packages import Package
from clawdbot.tools.plugins import Kept, Plugins, hearing, read

if TYPE_CHECKING:
    from clawdbot.sandbox.run import Sandbox

_TEST_S = 120.0
_UNKNOWN = "There is no plugin of that name. See `clawdbot plugin list`."


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin as it is listed; `state` is trusted, changed, new, gone or broken."""

    name: str
    state: str
    problem: str = ""
    taken: tuple[str, ...] = ()  # functions that are no tools: their name is taken
    hash: str = ""
    publisher: str = ""
    functions: tuple[Function, ...] = ()
    more: bool = False  # it asks for more than was trusted


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """How a plugin's own tests ended."""

    passed: bool
    output: str


class Allowance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool to be allowed or refused in advance: to a user (by name, empty: all) and a pattern."""

    tool: str
    user: str = ""
    pattern: dict[str, str] = {}
    seconds: float | None = None
    never: bool = False


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What was allowed in advance, or refused (`never`)."""

    id: str
    tool: str
    user: str
    pattern: dict[str, str]
    expires_at: float | None
    never: bool


class Trust:
    """An owner's decisions on plugins."""

    def __init__(
        self,
        home: Path,
        db: Db,
        clock: Clock,
        *,
        sandbox: "Sandbox",
        plugins: Plugins,
        record: Callable[[Tx, Entry], object],
    ) -> None:
        self._home = home
        self._folder = home / "plugins"
        self._kept = home / "data" / "plugins"
        self._db = db
        self._clock = clock
        self._sandbox = sandbox
        self._plugins = plugins
        self._decisions = Decisions(db, clock, record, PLUGIN)

    async def listed(self) -> list[Shown]:
        """List the plugins that are there, and those that were trusted and are gone."""
        await self._plugins.refresh()
        found = await asyncio.to_thread(packages.discovered, self._folder)
        return [
            self._shown(name, found.get(name)) for name in sorted({*found, *self._plugins.rows})
        ]

    async def shown(self, name: str) -> Shown:
        """Tell all about a plugin; one that is not trusted is loaded in a box without any right."""
        package = await self._package(name)
        shown = self._shown(name, package)
        if shown.state == "trusted":
            return shown
        functions = read(await self._told(package))
        more = name in self._plugins.rows and wider(self._plugins.rows[name].functions, functions)
        return msgspec.structs.replace(shown, functions=functions, more=more)

    async def trust(self, name: str, *, by: str = "") -> Shown:
        """Keep the owner's decision for exactly these bytes and permissions."""
        return await self._trust(await self._package(name), by)

    async def install(self, path: str, publisher: str) -> Shown:
        """Install a plugin from a file, a folder or an archive.

        One of a publisher whose key is pinned here is trusted, unless it asks for more than before;
        any other waits for the owner's decision.
        """
        package = await asyncio.to_thread(packages.read, Path(path))
        await self._plugins.refresh()
        pinned = {row.publisher for row in self._plugins.rows.values()} | {publisher}
        earlier = self._plugins.rows.get(package.name)
        if earlier and earlier.publisher and package.publisher != earlier.publisher:
            raise Untrusted("This plugin is not signed by the publisher of the one installed.")
        functions = read(await self._told(package))
        more = earlier is not None and wider(earlier.functions, functions)
        await asyncio.to_thread(packages.placed, package, self._folder)
        if package.publisher and package.publisher in pinned and not more:
            return await self._trust(package)
        return await self.shown(package.name)

    async def remove(self, name: str) -> None:
        """Forget a plugin and the decision on it; its files go too."""
        known = await self._decisions.withdraw(_plain(name), self._of(name))
        there = await asyncio.to_thread(packages.removed, name, self._folder)
        if not known and not there:
            raise BadInput(_UNKNOWN)
        await self._plugins.refresh()

    async def distrust(self, name: str, *, by: str = "") -> None:
        """Take the trust in a plugin back, and the standing yeses of it; its files stay."""
        await self._decisions.withdraw(name, self._of(name), by=by)
        await self._plugins.refresh()

    async def test(self, name: str) -> Tested:
        """Run a plugin's own tests, in a box without any right."""
        package = await asyncio.to_thread(packages.tests_of, _plain(name), self._folder)
        folder = await asyncio.to_thread(packages.kept, package, self._kept)
        from clawdbot.sandbox.worker import Program  # noqa: PLC0415

        box = Program(main="--test", folder=str(folder), more=selenium()).box()
        ran = await self._sandbox.run(msgspec.structs.replace(box, limits=Limits(wall_s=_TEST_S)))
        output = (ran.out + ran.err).decode(errors="replace")
        return Tested(passed=ran.code == 0 and not ran.timed_out, output=output)

    async def allow(self, wish: Allowance) -> str:
        """Keep a standing yes or no, give its id; raises BadInput for an unknown user or tool."""
        if self._plugins.registry.find(wish.tool) is None:
            raise BadInput("There is no tool of that name.")

        def work(tx: Tx) -> str:
            user = people.by_name(tx, wish.user) if wish.user else None
            if wish.user and user is None:
                raise BadInput("There is no user of that name. See `clawdbot user list`.")
            entry = self._decisions.note(tx, wish.tool, "refuse" if wish.never else "grant")
            new = NewStanding(
                id=self._clock.ulid(),
                user_id=user.id if user else "",
                tool=wish.tool,
                pattern=wish.pattern,
                conversation_id="",
                granted_by=entry.user_id,
                created_at=entry.at,
                expires_at=None if wish.seconds is None else entry.at + wish.seconds,
            )
            (rights.refuse if wish.never else rights.allow)(tx, new)
            return new.id

        return await self._db.write(work)

    async def allowed(self) -> list[Allowed]:
        """List what was allowed or refused in advance, newest first."""

        def look(tx: Tx) -> list[Allowed]:
            names = {user.id: user.name for user in people.listed(tx)}
            return [
                Allowed(
                    id=kept.id,
                    tool=kept.tool,
                    user=names.get(kept.user_id, kept.user_id),
                    pattern=kept.pattern,
                    expires_at=kept.expires_at,
                    never=bool(kept.never),
                )
                for kept in rights.listed(tx)
            ]

        return await self._db.read(look)

    async def revoke(self, what: str, *, by: str = "") -> int:
        """Take back a standing yes or no by its id, or all of a tool; tell how many."""
        now = self._clock.now()

        def work(tx: Tx) -> int:
            count = int(rights.revoke(tx, what, now)) or rights.revoke_tool(tx, what, now)
            if count:
                self._decisions.note(tx, what, "revoke", by=by)
            return count

        if not (count := await self._db.write(work)):
            raise BadInput("Nothing of that id or tool was allowed or refused.")
        return count

    async def _package(self, name: str) -> Package:
        await self._plugins.refresh()
        found = (await asyncio.to_thread(packages.discovered, self._folder)).get(name)
        if found is None:
            raise BadInput(_UNKNOWN)
        if isinstance(found, PluginFailed):
            raise found
        return found

    async def _told(self, package: Package) -> bytes:
        """Have a plugin tell what it registers, in a box without any right."""
        folder = await asyncio.to_thread(packages.kept, package, self._kept)
        more = (*package.more, *selenium())  # it may import what only its tasks get
        from clawdbot.sandbox.worker import Program  # noqa: PLC0415

        program = Program(main=package.main, folder=str(folder), more=more)
        told = await self._plugins.pool.functions(program, hearing(package.name))
        for path in (place for each in read(told) for place, _ in each.places):
            if self._home.is_relative_to(path) or Path(path).is_relative_to(self._home):
                raise PluginFailed(f"{path} is this assistant's own and not for plugins.")
        return told

    async def _trust(self, package: Package, by: str = "") -> Shown:
        told = await self._told(package)
        kept = Kept(
            main=package.main, more=package.more, installed=package.installed, told=told.decode()
        )
        shown, of = msgspec.json.encode(kept), self._of(package.name, *read(told))
        name, digest, publisher = package.name, package.hash, package.publisher
        await self._decisions.trust(name, digest, shown, of, publisher, by=by)
        await self._plugins.refresh()
        return self._shown(name, package)

    def _shown(self, name: str, package: Package | PluginFailed | None) -> Shown:
        row = self._plugins.rows.get(name)
        if package is None:
            return Shown(name=name, state="gone")
        if isinstance(package, PluginFailed):
            return Shown(name=name, state="broken", problem=str(package))
        state = "new" if row is None else "trusted" if row.hash == package.hash else "changed"
        return Shown(
            name=name,
            state=state,
            taken=tuple(self._plugins.left_out.get(name, ())),
            hash=package.hash,
            publisher=package.publisher,
            functions=row.functions if row and state == "trusted" else (),
        )

    def _of(self, name: str, *functions: Function) -> Of:
        """Tell the standing yeses of a plugin's functions, as it was and as it is to be."""
        row = self._plugins.rows.get(name)
        names = {each.name for each in (*functions, *(row.functions if row else ()))}
        return lambda kept: kept.tool in names


def _plain(name: str) -> str:
    """Give a name that could be a plugin's; raises BadInput."""
    if not packages.NAME.fullmatch(name):
        raise BadInput(_UNKNOWN)
    return name
