"""Every tool by its name, and the one way to call one: after the policy's word, under the journal.

A reading tool has no effect and may run again; a writing tool acts in the journal's own
transaction, exactly once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from clawdbot.domain.errors import Denied, ToolFailed
from clawdbot.domain.inbound import Address
from clawdbot.domain.messages import Call, Source
from clawdbot.domain.people import User
from clawdbot.domain.policy import Allow, Context, Manifest, decide
from clawdbot.domain.ports import Tx
from clawdbot.tools.schema import arguments_of, schema_of

Reading = Callable[..., Awaitable[str]]
Writing = Callable[..., str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """For whom, where and in which light a call acts; `now` and `id` make it repeatable."""

    user: User
    to: Address
    language: str
    timezone: str
    now: float
    id: str
    source: Source
    tainted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A manifest and its function: `read(grant, ...)` or `write(tx, grant, ...)`."""

    manifest: Manifest
    description: str
    read: Reading | None = None
    write: Writing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A call that may run, with its arguments bound; exactly one of the two functions is set.

    `taint` tells whether the outcome is other than our own fixed words.
    """

    taint: bool
    read: Callable[[], Awaitable[str]] | None = None
    write: Callable[[Tx], bytes] | None = None

    async def observe(self) -> bytes:
        """Run a reading tool."""
        return (await self.read()).encode() if self.read is not None else b""


class Registry:
    """The tools that exist."""

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        """Hold tools by name, with what each takes."""
        self._tools = {tool.manifest.name: tool for tool in tools}
        self._arguments = {tool.manifest.name: _arguments_of(tool) for tool in tools}
        self._schemas = {name: schema_of(kind) for name, kind in self._arguments.items()}

    def offered(self, user: User) -> list[tuple[Tool, dict[str, object]]]:
        """List what a user may call at all, each with the JSON Schema of its arguments."""
        context = Context(user=user, tainted=False)
        return [
            (tool, self._schemas[name])
            for name, tool in self._tools.items()
            if isinstance(decide(context, tool.manifest), Allow)
        ]

    def call(self, grant: Grant, call: Call) -> Ready:
        """Decide on a call and bind its arguments.

        Raises Denied when the policy does not allow it, ToolFailed when the tool or an argument is
        unknown or of the wrong type.
        """
        if (tool := self._tools.get(call.tool)) is None:
            message = f"There is no tool {call.tool!r}."
            raise ToolFailed(message)
        decision = decide(Context(user=grant.user, tainted=grant.tainted), tool.manifest)
        if not isinstance(decision, Allow):
            message = f"{Denied.__doc__} ({decision.rule})"
            raise Denied(message)
        bound, taint = self._bind(call), grant.tainted or not tool.manifest.public
        if tool.write is not None:
            write = tool.write
            return Ready(taint=taint, write=lambda tx: write(tx, grant, **bound).encode())
        if tool.read is not None:
            read = tool.read
            return Ready(taint=taint, read=lambda: read(grant, **bound))
        raise ToolFailed

    def _bind(self, call: Call) -> dict[str, object]:
        try:
            arguments = msgspec.json.decode(call.arguments or "{}", type=self._arguments[call.tool])
        except (msgspec.DecodeError, UnicodeError) as error:
            message = f"The arguments do not fit {call.tool}: {error}"
            raise ToolFailed(message) from error
        return msgspec.structs.asdict(arguments)


def _arguments_of(tool: Tool) -> type[msgspec.Struct]:
    if tool.write is not None:
        return arguments_of(tool.write, skip=2)
    if tool.read is not None:
        return arguments_of(tool.read, skip=1)
    message = f"{tool.manifest.name} has no function"
    raise ToolFailed(message)
