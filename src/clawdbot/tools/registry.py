"""Every tool by its name, and the one way to make a call ready: known, typed, and weighed.

Three kinds of tool. A reading one has no effect and may run again; a writing one acts in the
journal's own transaction, exactly once; an acting one has an effect outside, whose intent is
recorded before. Who drives it runs nothing that was not allowed.
"""

from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from clawdbot.domain.approval import Planned, canonical, written
from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.inbound import Address
from clawdbot.domain.messages import Call, Source
from clawdbot.domain.people import User
from clawdbot.domain.policy import (
    Ceiling,
    Context,
    Deny,
    Manifest,
    Role,
    Wish,
    ceiling_of,
    decide,
    role_of,
)
from clawdbot.domain.ports import Tx
from clawdbot.tools.schema import arguments_of, schema_of

Reading = Callable[..., Awaitable[str]]
Writing = Callable[..., str]
_NO_ROLES: Mapping[str, Role] = {}
_NO_LIMITS: Mapping[str, int] = {}


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """For whom, where and in which light a call acts; `now` and `id` make it repeatable.

    `tell` shows whoever waits how far it is.
    """

    user: User
    to: Address
    language: str
    timezone: str
    now: float
    id: str
    source: Source
    tainted: bool
    conversation: str = ""
    tell: Callable[[str], None] = lambda _: None


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest and one function: `read(grant, ...)`, `write(tx, grant, ...)`, `act(grant, ...)`.

    `schema` and `check` stand in for the signature where the arguments are somebody else's (a
    plugin's, a server's): `check` binds a call's JSON to what the function is given.
    """

    manifest: Manifest
    description: str
    read: Reading | None = None
    write: Writing | None = None
    act: Reading | None = None
    schema: dict[str, object] | None = None
    check: Callable[[str], Mapping[str, object]] | None = None


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A call with its arguments bound; who may run it is yet to be decided.

    `taint` tells whether the outcome is other than our own fixed words.
    """

    tool: Tool
    arguments: Mapping[str, object]
    taint: bool
    grant: Grant

    @property
    def wish(self) -> Wish:
        """Put it before the policy."""
        return Wish(manifest=self.tool.manifest, arguments=self.arguments)

    def planned(self, why: str = "", again: str = "") -> Planned:
        """Show it whole to whoever is asked."""
        manifest = self.tool.manifest
        sinks = {s.argument: written(self.arguments.get(s.argument, "")) for s in manifest.sinks}
        return Planned(
            tool=manifest.name,
            effect=manifest.effect,
            arguments=canonical(self.arguments),
            digest=manifest.digest,
            sinks=sinks,
            why=why,
            again=again,
        )

    async def run(self) -> bytes:
        """Run a reading or an acting tool."""
        function = self.tool.read or self.tool.act
        if function is None:
            raise ToolFailed
        return (await function(self.grant, **self.arguments)).encode()

    def write(self, tx: Tx) -> bytes:
        """Run a writing tool, in its transaction."""
        if self.tool.write is None:
            raise ToolFailed
        return self.tool.write(tx, self.grant, **self.arguments).encode()


class _Entry(msgspec.Struct, frozen=True):
    tool: Tool
    schema: msgspec.Raw
    bind: Callable[[str], Mapping[str, object]]


class Registry:
    """The tools that exist; some come and go with their owner (a plugin, a server)."""

    def __init__(self, tools: Iterable[Tool], per_hour: Mapping[str, int] = _NO_LIMITS) -> None:
        """Hold the built-in tools by name, with what each takes; `per_hour` bounds any tool."""
        self._per_hour = per_hour
        self._built_in = {tool.manifest.name: self._entry(tool) for tool in tools}
        self._others: dict[str, dict[str, _Entry]] = {}
        self._allowed = lru_cache(maxsize=256)(self._weighed)

    def replace(self, owner: str, tools: Iterable[Tool]) -> list[str]:
        """Give an owner exactly these tools; name those left out because the name is taken.

        One that only reads may stand in for a built-in one that only tells facts of the host.
        """
        others = {name for of, entries in self._others.items() if of != owner for name in entries}
        entries, refused = {}, []
        for tool in tools:
            name = tool.manifest.name
            known = self._built_in.get(name)
            blocked = known is not None and not (known.tool.manifest.fact and tool.read)
            if blocked or name in others or name in entries:
                refused.append(name)
            else:
                entries[name] = self._entry(tool)
        self._others[owner] = entries
        self._allowed.cache_clear()
        return refused

    def find(self, name: str) -> Tool | None:
        """Find a tool."""
        entry = self._known().get(name)
        return entry.tool if entry is not None else None

    def all(self) -> list[Tool]:
        """List every tool."""
        return [entry.tool for entry in self._known().values()]

    def offered(
        self, user: User, custom: Mapping[str, Role] = _NO_ROLES, ceiling: str = ""
    ) -> tuple[tuple[Tool, msgspec.Raw], ...]:
        """List what a user may ask for at all, each with its arguments' JSON Schema."""
        return self._allowed(user, role_of(user, custom), ceiling_of(ceiling, custom))

    def call(self, grant: Grant, call: Call) -> Ready:
        """Bind a call's arguments; ToolFailed when the tool or an argument is unknown or wrong."""
        if (entry := self._known().get(call.tool)) is None:
            raise ToolFailed(f"There is no tool {call.tool!r}.")
        try:
            arguments = entry.bind(call.arguments or "{}")
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ToolFailed(f"The arguments do not fit {call.tool}: {error}") from error
        manifest = entry.tool.manifest
        taint = grant.tainted or not (manifest.public or manifest.trusted)
        return Ready(tool=entry.tool, arguments=arguments, taint=taint, grant=grant)

    def _weighed(
        self, user: User, role: Role, ceiling: Ceiling | None
    ) -> tuple[tuple[Tool, msgspec.Raw], ...]:
        context = Context(user=user, role=role, tainted=False, ceiling=ceiling)
        return tuple(
            (entry.tool, entry.schema)
            for entry in self._known().values()
            if not isinstance(decide(context, Wish(manifest=entry.tool.manifest)), Deny)
        )

    def _entry(self, tool: Tool) -> "_Entry":
        per_hour = self._per_hour.get(tool.manifest.name, tool.manifest.per_hour)
        return _entry(replace(tool, manifest=replace(tool.manifest, per_hour=per_hour)))

    def _known(self) -> Mapping[str, _Entry]:
        return ChainMap(*self._others.values(), self._built_in)


def _entry(tool: Tool) -> _Entry:
    if tool.schema is not None and tool.check is not None:
        return _Entry(tool, msgspec.Raw(msgspec.json.encode(tool.schema)), tool.check)
    function = tool.write or tool.read or tool.act
    if function is None:
        raise ToolFailed(f"{tool.manifest.name} has no function")
    arguments = arguments_of(function, skip=2 if tool.write is not None else 1)
    decoder = msgspec.json.Decoder(arguments)

    def bind(text: str) -> dict[str, object]:
        return msgspec.structs.asdict(decoder.decode(text))

    return _Entry(tool, msgspec.Raw(msgspec.json.encode(schema_of(arguments))), bind)
