"""Talking with one tool server by the official library: over a box's lines, or our own HTTP.

Imported where a server is configured: the library is an extra, and slow to load. Lines and answers
are bounded, messages paced: a server that floods waits, one that breaks the protocol is left.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import structlog
from anyio import BrokenResourceError, ClosedResourceError, create_memory_object_stream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import ReadStream, WriteStream
from mcp.client.session import ClientSession, IncomingMessage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    EmbeddedResource,
    Implementation,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    TextResourceContents,
    ToolListChangedNotification,
    jsonrpc_message_adapter,
)

from clawdbot import __version__
from clawdbot.domain.errors import ToolFailed
from clawdbot.net.carrier import Carrier, HttpFailed
from clawdbot.sandbox.run import Process
from clawdbot.tools.described import TOOLS_MOST, first_of, plain

_FAULTS = (
    MCPError,
    HttpFailed,
    BrokenResourceError,
    ClosedResourceError,
    OSError,
    RuntimeError,
    ValueError,
)

# The library logs each bad message with its trace: a server could fill the disk.
for _name in ("client", "mcp"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

_LINE_MOST = 1 << 20
_PIECE = 1 << 16
_PACE_S = 0.002
_SAID_S = 0.1
_PAGES_MOST = 20
_TEXT_MOST = 20_000
_GONE = {CONNECTION_CLOSED, INTERNAL_ERROR, INVALID_REQUEST}


class Link:
    """A server that answered; `moved` is set when its list may have changed, or it is gone."""

    def __init__(self, session: ClientSession, moved: asyncio.Event, gone: asyncio.Event) -> None:
        self._session = session
        self._moved = moved
        self._gone = gone

    async def tools(self) -> bytes:
        """Ask for every tool, as the server tells it."""
        found: list[object] = []
        cursor = None
        for _ in range(_PAGES_MOST):
            params = PaginatedRequestParams(cursor=cursor)
            page = await self._session.send_request(
                ListToolsRequest(params=params), ListToolsResult
            )
            found += [
                t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in page.tools
            ]
            if not (cursor := page.next_cursor) or len(found) > TOOLS_MOST:
                break
        return json.dumps(found, sort_keys=True).encode()

    async def call(self, name: str, arguments: Mapping[str, object]) -> str:
        """Call a tool; raises ToolFailed with what the server says of a failure.

        The library's own way of calling would hold a result against the server's schema, and look
        up what that schema refers to.
        """
        params = CallToolRequestParams(name=name, arguments=dict(arguments))
        try:
            result = await self._session.send_request(
                CallToolRequest(params=params), CallToolResult
            )
        except MCPError as error:
            if error.error.code in _GONE:
                self.leave()
            raise ToolFailed(plain(error.error.message, _TEXT_MOST)) from error
        except _FAULTS as error:
            self.leave()
            raise ToolFailed("The server broke the protocol and is started anew.") from error
        text = "\n".join(filter(None, map(_text, result.content)))
        if not text and result.structured_content is not None:
            text = json.dumps(result.structured_content, ensure_ascii=False)
        if result.is_error:
            raise ToolFailed(plain(text, _TEXT_MOST))
        return plain(text, _TEXT_MOST)

    def leave(self) -> None:
        """Have whoever holds the server let it go."""
        self._gone.set()
        self._moved.set()

    async def changed(self) -> bool:
        """Wait until the list may have changed; False where the server is gone instead."""
        await self._moved.wait()
        self._moved.clear()
        return not self._gone.is_set()


@asynccontextmanager
async def boxed(name: str, process: Process) -> AsyncIterator[Link]:
    """Talk with a server over its 0 and 1."""
    incoming, inbox = create_memory_object_stream[SessionMessage | Exception](0)
    outbox, outgoing = create_memory_object_stream[SessionMessage](0)
    moved, gone = asyncio.Event(), asyncio.Event()
    process.sock.setblocking(False)  # noqa: FBT003 - positional only
    async with _told(), asyncio.TaskGroup() as tasks, incoming, inbox, outbox, outgoing:
        lives = [
            tasks.create_task(_read(process, incoming, moved, gone)),
            tasks.create_task(_write(process, outgoing)),
            tasks.create_task(_hear(name, process)),
        ]
        try:
            async with _session(inbox, outbox, moved) as session:
                yield Link(session, moved, gone)
        finally:
            for life in lives:
                life.cancel()


@asynccontextmanager
async def reached(url: str, carrier: Carrier) -> AsyncIterator[Link]:
    """Talk with a server at an address."""
    moved, gone = asyncio.Event(), asyncio.Event()
    async with (
        _told(),
        carrier.opened() as client,
        streamable_http_client(url, http_client=client) as (inbox, outbox),
        _session(inbox, outbox, moved) as session,
    ):
        yield Link(session, moved, gone)


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Tell the library's failures as ours."""
    try:
        yield
    except* _FAULTS as group:
        raise ToolFailed(first_of(group)) from group


@asynccontextmanager
async def _session(
    inbox: ReadStream[SessionMessage | Exception],
    outbox: WriteStream[SessionMessage],
    moved: asyncio.Event,
) -> AsyncIterator[ClientSession]:
    """Begin a session that offers a server nothing of ours: no model, no folders, no questions."""

    async def heard(message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            moved.set()

    us = Implementation(name="clawdbot", version=__version__)
    async with ClientSession(inbox, outbox, client_info=us, message_handler=heard) as session:
        await session.initialize()
        yield session


async def _read(
    process: Process,
    incoming: MemoryObjectSendStream[SessionMessage | Exception],
    moved: asyncio.Event,
    gone: asyncio.Event,
) -> None:
    """Hand on every line that is a message, at a bounded pace; a line without end is the end."""
    loop, rest = asyncio.get_running_loop(), b""
    with incoming, suppress(OSError, BrokenResourceError, ClosedResourceError):
        while len(rest) < _LINE_MOST and (piece := await loop.sock_recv(process.sock, _PIECE)):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                with suppress(ValueError):
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    await incoming.send(SessionMessage(message))
                await asyncio.sleep(_PACE_S)
    gone.set()
    moved.set()


async def _write(process: Process, outgoing: MemoryObjectReceiveStream[SessionMessage]) -> None:
    loop = asyncio.get_running_loop()
    with outgoing, suppress(OSError):
        async for each in outgoing:
            text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
            await loop.sock_sendall(process.sock, f"{text}\n".encode())


async def _hear(name: str, process: Process) -> None:
    """Log what a server complains, a little at a time."""
    log = structlog.get_logger("mcp")
    while piece := await process.output.read(_PIECE):
        log.debug("said", server=name, text=plain(piece.decode(errors="replace"), 1_000))
        await asyncio.sleep(_SAID_S)


def _text(content: object) -> str:
    match content:
        case TextContent(text=text) | EmbeddedResource(resource=TextResourceContents(text=text)):
            return text
    return f"[{type(content).__name__}]"
