"""The plugins that an owner trusted, as tools, and calling them in their boxes.

Only what was trusted runs: the bytes kept under their hash, registering what they registered then.
Where a plugin's files were changed meanwhile, it waits for its owner's next decision.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog
import yaml

from clawdbot.domain.approval import canonical, digest_of
from clawdbot.domain.errors import BadInput, Denied, PluginFailed, Untrusted
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.sandbox.profile import FILES_MOST, Bind
from clawdbot.sandbox.python import selenium
from clawdbot.store import people, plugins
from clawdbot.store.audit import Entry, Kind
from clawdbot.store.plugins import Trusted
from clawdbot.tools import packages
from clawdbot.tools.keyring import Keyring
from clawdbot.tools.manifest import (
    Function,
    Functions,
    Surrounding,
    arguments_of,
    checked,
    schema_of,
    sinks_of,
    typed,
)
from clawdbot.tools.registry import Grant, Registry, Tool

if TYPE_CHECKING:
    from clawdbot.sandbox.worker import Answer, Heard, Pool, Printed, Progress

_TEXT_MOST = 20_000


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner was shown, as it stands in the row of their decision; `told` word for word."""

    main: str
    more: tuple[str, ...]
    installed: bool
    told: str


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What a call gave back: as JSON, as text, and files."""

    value: object
    text: str
    files: dict[str, bytes]


class Plugins:
    """The trusted plugins of an installation; `rows` are the decisions as they were last read.

    `left_out` names the functions that are no tools, because the name is taken.
    """

    def __init__(
        self,
        home: Path,
        db: Db,
        clock: Clock,
        *,
        pool: "Pool",
        registry: Registry,
        keyring: Keyring,
        record: Callable[[Tx, Entry], object],
    ) -> None:
        self._folder = home / "plugins"
        self._kept = home / "data" / "plugins"
        self._db = db
        self._clock = clock
        self.pool = pool
        self.registry = registry
        self._keyring = keyring
        self._record = record
        self.rows: dict[str, Row] = {}
        self.left_out: dict[str, list[str]] = {}
        self._seen: dict[str, object] = {}

    async def refresh(self) -> None:
        """Offer the functions of every trusted plugin whose kept bytes are whole."""
        rows = [_decision(row) for row in await self._db.read(plugins.listed)]
        for name in self.rows.keys() - {row.name for row in rows}:
            self.registry.replace(f"plugin {name}", ())
        self.rows = {row.name: row for row in rows}
        for row in rows:
            whole = await asyncio.to_thread(packages.whole, row.hash, row.main, self._kept)
            tools = tuple(self._tool(row, each) for each in row.functions) if whole else ()
            taken = self.registry.replace(f"plugin {row.name}", tools)
            self.left_out[row.name] = taken
            if taken or not whole:
                log = structlog.get_logger("plugin")
                log.warning("left out", plugin=row.name, names=taken, whole=whole)

    async def begin(self) -> None:
        """Offer what is trusted, and forget what is kept of anything else."""
        await self.refresh()
        await asyncio.to_thread(packages.forget, {r.hash for r in self.rows.values()}, self._kept)

    async def offered(self) -> list[str]:
        """Name every tool that there is now: built in, of plugins, of tool servers."""
        return sorted(tool.manifest.name for tool in self.registry.all())

    async def run(self, function: str, given: dict[str, str], owner: str = "") -> Ran:
        """Call a function as an owner, its arguments as they were typed; a file is a path."""
        await self.refresh()
        row, found = self._find(function)
        arguments = typed(found, given)
        files: dict[str, bytes] = {}
        for each in found.parameters:
            if each.is_file and each.name in arguments:
                path = Path(str(arguments[each.name]))
                files[path.name] = await asyncio.to_thread(packages.one, path, FILES_MOST)
                arguments[each.name] = path.name
        try:
            arguments = _bound(arguments_of(found), msgspec.json.encode(arguments))
        except msgspec.DecodeError as error:
            raise BadInput(f"{found.name}: {error}") from error
        user = await self._db.write(lambda tx: self._begun(tx, found, arguments, owner))
        answer = await self._call(row, user, found, arguments, files, hearing(row.name), own=True)
        return Ran(value=answer.value, text=_text(answer), files=dict(answer.files))

    def _find(self, function: str) -> tuple["Row", Function]:
        plugin, _, wanted = function.rpartition(".")
        found = [
            (row, each)
            for row in self.rows.values()
            for each in row.functions
            if each.name == wanted and plugin in {"", row.name}
        ]
        if not found:
            raise BadInput("No trusted plugin has this function. See `clawdbot plugin list`.")
        if len(found) > 1:
            raise BadInput("Several plugins have this function: write it as plugin.function.")
        return found[0]

    def _begun(self, tx: Tx, function: Function, arguments: object, owner: str) -> str:
        """Record an owner's call before it happens, where it has an effect; give their id."""
        entry = Entry(
            at=self._clock.now(),
            kind=Kind.EFFECT,
            what=function.name,
            user_id=owner or people.first_owner(tx),
            decision="allow",
            rule="control panel" if owner else "command line",
            arguments=digest_of(canonical(arguments)),
        )
        if function.acts is not Effect.READ:
            self._record(tx, entry)
        return entry.user_id

    def _tool(self, row: "Row", function: Function) -> Tool:
        arguments = arguments_of(function)
        takes = {each.name for each in function.parameters if each.is_file}

        async def call(grant: Grant, **given: object) -> str:
            # To a model, a file is its text.
            files = {f"{name}.txt": str(given[name]).encode() for name in takes & given.keys()}
            named = {name: f"{name}.txt" for name in takes & given.keys()}
            user, given, heard = grant.user.id, given | named, hearing(row.name, grant.tell)
            return _text(await self._call(row, user, function, given, files, heard))

        reads = function.acts is Effect.READ
        return Tool(
            manifest=_manifest(row, function),
            description=function.description or f"{function.name} of the plugin {row.name}",
            read=call if reads else None,
            act=None if reads else call,
            schema=schema_of(function),
            check=lambda text: _bound(arguments, text),
        )

    async def _call(
        self,
        row: "Row",
        user: str,
        function: Function,
        arguments: Mapping[str, object],
        files: Mapping[str, bytes],
        heard: "Heard",
        *,
        own: bool = False,
    ) -> "Answer":
        """Call a function; only on the owner's `own` word with secrets that it did not declare."""
        if not self._unchanged(row):
            raise Untrusted(
                "This plugin was changed since it was trusted. Look at it and trust it again."
            )
        from clawdbot.sandbox.worker import Order, Program  # noqa: PLC0415

        browses = function.kind is Surrounding.BROWSER
        names: set[str] = set()
        if browses:
            arguments = {k: await self._keyring.held(v, names) for k, v in arguments.items()}
        if not own and names - set(function.secrets):
            raise Denied("This function does not declare that secret.")
        secrets = frozenset(names)
        program = Program(
            main=row.main,
            folder=str(self._kept / row.hash),
            more=(*row.more, *selenium()) if browses else row.more,
            binds=tuple(Bind(host=path, write=write) for path, write in function.places),
            hosts=() if browses else function.hosts,
            browser=browses,
            functions=row.told,
        )
        order = Order(
            name=function.name,
            arguments=arguments,
            files=files,
            timeout_s=function.timeout,
            hosts=(*function.hosts, *await self._keyring.hosts(secrets)),
            secrets=secrets,
        )
        # Functions with the same rights share a worker: one with less never runs beside more.
        rights = (*function.paths, *function.hosts, *function.secrets, function.kind)
        return await self.pool.call((row.hash, *rights, user), program, order, heard)

    def _unchanged(self, row: "Row") -> bool:
        """Look at a plugin's files again where they were touched; not at an installed package's."""
        stamp = packages.stamp(row.name, self._folder)
        if stamp and stamp != self._seen.get(row.name):
            with suppress(PluginFailed):
                if packages.found(row.name, self._folder).hash == row.hash:
                    self._seen[row.name] = stamp
            return self._seen.get(row.name) == stamp
        return bool(stamp) or row.installed


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, read."""

    name: str
    hash: str
    publisher: str
    main: str
    more: tuple[str, ...]
    installed: bool
    told: bytes
    functions: tuple[Function, ...]


def declared(tx: Tx) -> list[Manifest]:
    """List what the functions of all trusted plugins may, without opening one."""
    rows = map(_decision, plugins.listed(tx))
    return [_manifest(row, function) for row in rows for function in row.functions]


def _manifest(row: Row, function: Function) -> Manifest:
    return Manifest(
        name=function.name,
        effect=function.acts,
        sinks=sinks_of(function),
        hosts=function.hosts,
        paths=function.paths,
        secrets=function.secrets,
        private=bool(function.paths or function.secrets),
        digest=row.hash,
    )


def _decision(row: Trusted) -> Row:
    kept = msgspec.json.decode(row.manifest, type=Kept)
    return Row(
        name=row.name,
        hash=row.hash,
        publisher=row.publisher,
        main=kept.main,
        more=kept.more,
        installed=kept.installed,
        told=kept.told.encode(),
        functions=read(kept.told),
    )


def read(told: bytes | str) -> tuple[Function, ...]:
    """Read what a plugin told of itself; raises PluginFailed."""
    try:
        return checked(msgspec.json.decode(told, type=Functions))
    except msgspec.DecodeError as error:
        raise PluginFailed(f"The plugin registers something strange: {error}") from error


def _bound(kind: type[msgspec.Struct], text: bytes | str) -> dict[str, object]:
    """Check a call's arguments; those left out stay out."""
    given = msgspec.structs.asdict(msgspec.json.decode(text, type=kind))
    return {name: value for name, value in given.items() if value is not msgspec.UNSET}


def _text(answer: "Answer") -> str:
    """Write a value for people and models: words as they are, the rest as YAML."""
    value, files = answer.value, [f"{n} ({len(d)} B)" for n, d in answer.files.items()]
    if isinstance(value, str):
        text = value
    elif value is None:
        text = "" if files else "-"
    else:
        text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=100).strip()
        text = text.removesuffix("\n...")
    return "\n".join(filter(None, [text[:_TEXT_MOST], *files]))


def hearing(plugin: str, tell: Callable[[str], None] = lambda _: None) -> "Heard":
    """Log what a plugin says aside, and tell how far it is."""
    log = structlog.get_logger("plugin")

    def hear(said: "Printed | Progress") -> None:
        told = msgspec.structs.asdict(said)
        log.info(str(said.__struct_config__.tag), plugin=plugin, **told)
        if "share" in told:
            tell(said.text if told["share"] is None else f"{said.text} ({told['share']:.0%})")

    return hear
