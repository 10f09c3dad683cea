"""What an owner added (plugins, skills, tool servers) and what is built in, as one list.

The panel's way to the parts that the command line asks. Whoever has the area `plugins` may look
and take back what was allowed; to trust, to turn off and to run is an owner's.
"""

from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import TypeVar

import msgspec
from aiohttp import web

from clawdbot.domain.errors import BadInput, Denied
from clawdbot.domain.people import Level
from clawdbot.domain.policy import Effect
from clawdbot.gateway.route import Caller
from clawdbot.tools import servers, skills, trust
from clawdbot.tools.described import Described
from clawdbot.tools.manifest import Function
from clawdbot.tools.plugins import Plugins, Ran
from clawdbot.tools.servers import Servers
from clawdbot.tools.skills import Skills
from clawdbot.tools.trust import Allowed, Trust

P = TypeVar("P")


class Sort(StrEnum):
    """What an entry of the list is."""

    PLUGIN = "plugin"
    SKILL = "skill"
    SERVER = "server"
    TOOL = "tool"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One of the list; `state` as its part tells it, of a built-in tool `built in`."""

    sort: Sort
    name: str
    state: str
    about: str = ""
    effect: Effect | None = None


class About(msgspec.Struct, frozen=True, kw_only=True):
    """All about one; `before` is what was trusted, where something else is there now."""

    sort: Sort
    name: str
    state: str
    problem: str = ""
    hash: str = ""
    publisher: str = ""
    more: bool = False
    taken: tuple[str, ...] = ()
    functions: tuple[Function, ...] = ()
    before: tuple[Function, ...] = ()
    tools: tuple[Described, ...] = ()
    files: tuple[str, ...] = ()
    text: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A yes to what was shown, by its hash."""

    hash: str


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A function to call, with what a form holds; what is empty is left out."""

    function: str
    given: dict[str, object] = {}


class Additions:
    """The one list; `more` opens the parts."""

    def __init__(self, more: Callable[[], Awaitable[Iterable[object]]]) -> None:
        """Ask the parts with the first question: a service starts without them."""
        self._more = more

    async def listed(self) -> list[Entry]:
        """List plugins, skills, tool servers and built-in tools."""
        found = [
            _entry(Sort.PLUGIN, each, each.problem or ", ".join(f.name for f in each.functions))
            for each in await (await self._part(Trust)).listed()
        ]
        found += [
            _entry(Sort.SKILL, each, each.problem or each.description)
            for each in await (await self._part(Skills)).listed()
        ]
        found += [
            _entry(Sort.SERVER, each, each.about)
            for each in await (await self._part(Servers)).listed()
        ]
        built_in = [t for t in (await self._part(Plugins)).registry.all() if not t.manifest.digest]
        return found + [
            Entry(
                sort=Sort.TOOL,
                name=tool.manifest.name,
                state="built in",
                about=tool.description.partition("\n")[0],
                effect=tool.manifest.effect,
            )
            for tool in sorted(built_in, key=lambda tool: tool.manifest.name)
        ]

    async def shown(self, sort: Sort, name: str) -> About:
        """Tell all about one; what is not trusted tells of itself in a box without any right."""
        known = [each for each in await self.listed() if (each.sort, each.name) == (sort, name)]
        if not known:
            raise web.HTTPNotFound
        state, about = known[0].state, known[0].about
        bare = About(sort=sort, name=name, state=state, text=about if sort is Sort.TOOL else "")
        if sort is Sort.TOOL or state in {"gone", "broken"}:
            return msgspec.structs.replace(bare, problem=about if state == "broken" else "")
        found: trust.Shown | skills.Shown | servers.Shown
        match sort:
            case Sort.PLUGIN:
                rows = (await self._part(Plugins)).rows
                found = await (await self._part(Trust)).shown(name)
                before = rows[name].functions if name in rows and state == "changed" else ()
                bare = msgspec.structs.replace(bare, before=before)
            case Sort.SKILL:
                found = await (await self._part(Skills)).shown(name)
            case Sort.SERVER:
                part = await self._part(Servers)
                if state in {"new", "changed"}:
                    found = await part.shown(name)
                else:
                    found = next(each for each in await part.listed() if each.name == name)
        told = {f: getattr(found, f) for f in About.__struct_fields__ if hasattr(found, f)}
        return msgspec.structs.replace(bare, **told)

    async def trust(self, caller: Caller, sort: Sort, name: str, decision: Decision) -> None:
        """Trust what was shown; raises Denied for all but an owner, BadInput where it changed."""
        by = _owns(caller)
        found = await self.shown(sort, name)
        if sort is Sort.TOOL or not found.hash:
            raise BadInput("This cannot be trusted as it is.")
        if found.hash != decision.hash:
            raise BadInput("It was changed while you looked at it. Look again.")
        parts = {Sort.PLUGIN: Trust, Sort.SKILL: Skills, Sort.SERVER: Servers}
        part: Trust | Skills | Servers = await self._part(parts[sort])
        await part.trust(name, by=by)

    async def distrust(self, caller: Caller, sort: Sort, name: str) -> None:
        """Turn one off: the trust and the standing yeses of it end, its files stay."""
        by, parts = _owns(caller), {Sort.PLUGIN: Trust, Sort.SKILL: Skills}
        if sort not in parts:
            raise BadInput("The settings decide whether this is there.")
        if not any((each.sort, each.name) == (sort, name) for each in await self.listed()):
            raise web.HTTPNotFound
        part: Trust | Skills = await self._part(parts[sort])
        await part.distrust(name, by=by)

    async def run(self, caller: Caller, name: str, wish: Wish) -> Ran:
        """Call a function of a trusted plugin as the owner who asks; files stay on this machine."""
        user = _owns(caller)
        plugins = await self._part(Plugins)
        row = plugins.rows.get(name)
        function = (
            next((f for f in row.functions if f.name == wish.function), None) if row else None
        )
        if function is None:
            raise web.HTTPNotFound
        given = {
            key: _typed(value)
            for key, value in wish.given.items()
            if value is not None and value != ""
        }
        if any(each.is_file and each.name in given for each in function.parameters):
            raise BadInput("A file is given at the command line: `clawdbot plugin run`.")
        return await plugins.run(f"{name}.{wish.function}", given, user)

    async def allowed(self) -> list[Allowed]:
        """List what was allowed or refused in advance."""
        return await (await self._part(Trust)).allowed()

    async def take_back(self, caller: Caller, id: str) -> None:  # noqa: A002 - the path's name
        """Take back what was allowed or refused in advance."""
        part = await self._part(Trust)
        if id not in {each.id for each in await part.allowed()}:
            raise web.HTTPNotFound
        await part.revoke(id, by=caller.who.id)

    async def _part(self, kind: type[P]) -> P:
        return next(part for part in await self._more() if isinstance(part, kind))


def _owns(caller: Caller) -> str:
    if caller.who.role != Level.OWNER:
        raise Denied("Only an owner may do this.")
    return caller.who.id


def _entry(sort: Sort, of: trust.Shown | skills.Shown | servers.Shown, about: str) -> Entry:
    return Entry(sort=sort, name=of.name, state=of.state, about=about)


def _typed(value: object) -> str:
    """Write a form's value as somebody would type it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
