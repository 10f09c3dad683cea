"""Our own sockets: web chat, terminal, later nodes. Speaks `frames`, meets the same `accept`.

A connection follows conversations; what is committed is told again after a reconnect, live text is
a courtesy. Queues are bounded: a client that does not read is cut.
"""

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import structlog
from aiohttp import WSMsgType, web

from clawdbot.conversation import asking
from clawdbot.conversation.session import direct_scope
from clawdbot.domain.approval import shown
from clawdbot.domain.errors import StoreFailed, first_line
from clawdbot.domain.events import Live, LiveKind
from clawdbot.domain.inbound import Address, ChatKind, Inbound, InboundKind, Outcome, Sender
from clawdbot.domain.messages import Attachment, Part, Source, Text
from clawdbot.domain.people import Area, User
from clawdbot.domain.ports import Db, Inbox, Stream, Tx
from clawdbot.domain.text import say
from clawdbot.gateway import approvals, frames, history
from clawdbot.gateway.boards import Board
from clawdbot.gateway.frames import FromServer
from clawdbot.gateway.history import Line
from clawdbot.gateway.openings import Openings
from clawdbot.store import conversations, people, rights
from clawdbot.store.rights import Approval

Sent = frames.Send | frames.Again | frames.Answer
NO_HELLO = 4002

_QUEUE_MOST = 1000
_FOLLOWED_MOST = 32
_REPLAY_MOST = 400
_HEARTBEAT_S = 25.0
_HELLO_S = 10.0
_WRITE_S = 20.0
_ENDS = {LiveKind.FINAL: "done", LiveKind.STOPPED: "stopped", LiveKind.FAILED: "dead"}


class Sockets(msgspec.Struct, frozen=True, kw_only=True):
    """What every connection works with; `render` makes safe HTML of Markdown.

    `boards` are what pages may watch, by name.
    """

    inbox: Inbox
    stream: Stream
    db: Db
    render: Callable[[str], str]
    epoch: str
    boards: Mapping[str, Board] = msgspec.field(default_factory=dict)
    openings: Openings = msgspec.field(default_factory=Openings)


class Connection:
    """One open socket of one user; `channel` names the kind of client (`web`, `terminal`)."""

    def __init__(
        self,
        sockets: Sockets,
        user: User,
        channel: str,
        login: str = "",
        areas: frozenset[Area] = frozenset(),
    ) -> None:
        """Serve a user; the identity comes from the log-in, never from a frame."""
        self._with = sockets
        self._login = login
        self._user = user
        self._areas = areas
        self._channel = channel
        self._out: asyncio.Queue[FromServer | str] = asyncio.Queue(_QUEUE_MOST)
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._watched: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger("socket").bind(user=user.id, channel=channel)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Speak with the client until either side ends."""
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=frames.FRAME_MAX_BYTES, compress=False
        )
        await socket.prepare(request)
        self._with.openings.add(socket, self._login, self._user.id)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(socket))
                await self._read(socket, tasks)
                writer.cancel()
                for task in (*self._followed.values(), *self._watched):
                    task.cancel()
        except* (ConnectionError, TimeoutError):
            self._log.info("client cut")
            if request.transport is not None and not socket.closed:
                request.transport.abort()  # a close would wait until it reads
        await socket.close()
        return socket

    async def _read(self, socket: web.WebSocketResponse, tasks: asyncio.TaskGroup) -> None:
        if not await self._greet(socket):
            await socket.close(code=NO_HELLO, message=b"hello expected")
            return
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            try:
                frame = frames.decode(message.data)
            except (msgspec.DecodeError, UnicodeError) as error:
                self._tell(frames.Error(code="malformed", text=str(error)[:200]))
                continue
            await self._handle(frame, tasks)

    async def _greet(self, socket: web.WebSocketResponse) -> bool:
        try:
            async with asyncio.timeout(_HELLO_S):
                first = await socket.receive()
            hello = frames.decode(first.data if first.type is WSMsgType.TEXT else "")
        except (TimeoutError, msgspec.DecodeError, UnicodeError):
            return False
        if not isinstance(hello, frames.Hello) or hello.version != frames.VERSION:
            return False
        self._tell(frames.Hello(version=frames.VERSION, user=self._user.name))
        return True

    async def _handle(self, frame: frames.FromClient, tasks: asyncio.TaskGroup) -> None:
        match frame:
            case frames.Send():
                text = (Text(text=frame.text, source=Source.OWN),) if frame.text else ()
                files = (Attachment(id=each, source=Source.OTHER) for each in frame.attachments)
                await self._send(frame, InboundKind.MESSAGE, (*text, *files))
            case frames.Again():
                await self._repeat(frame)
            case frames.Answer():
                await self._send(frame, InboundKind.CLICK)
            case frames.Open():
                await self._open(frame, tasks)
            case frames.Close():
                if (follower := self._followed.pop(frame.conversation, None)) is not None:
                    follower.cancel()
            case frames.Watch():
                self._watch(frame, tasks)
            case frames.Ping():
                self._tell(frame)
            case frames.Ack() | frames.Hello():
                pass

    async def _repeat(self, frame: frames.Again) -> None:
        """Have the same words, with what was sent along, answered anew."""
        to, user = self._address(frame.conversation), self._user.id
        parts = await self._with.db.read(lambda tx: history.asked(tx, to, user, frame.turn))
        await self._send(frame, InboundKind.MESSAGE, parts)

    async def _send(self, frame: Sent, kind: InboundKind, parts: tuple[Part, ...] = ()) -> None:
        to = self._address(frame.conversation)
        inbound = _inbound(self._user, to, frame, kind, parts)
        try:
            receipt = await self._with.inbox.accept(inbound)
        except StoreFailed as error:
            text = say(self._user.language, first_line(type(error)))
            self._tell(frames.Error(code="not kept", text=text, key=frame.key))
            return
        outcome, notice = receipt.outcome, receipt.notice
        if outcome is Outcome.REFUSED and not notice:
            notice = say(self._user.language, "This message was not accepted.")
        self._tell(
            frames.Ack(
                key=frame.key,
                conversation=frame.conversation,
                outcome=outcome,
                turn=receipt.turn,
                notice=notice,
            )
        )

    async def _open(self, frame: frames.Open, tasks: asyncio.TaskGroup) -> None:
        if frame.conversation in self._followed:
            self._followed.pop(frame.conversation).cancel()
        elif len(self._followed) >= _FOLLOWED_MOST:
            text = say(self._user.language, "Too many conversations are followed.")
            self._tell(frames.Error(code="too many", text=text))
            return
        self._followed[frame.conversation] = tasks.create_task(
            self._follow(frame.conversation, frame.after)
        )

    def _watch(self, frame: frames.Watch, tasks: asyncio.TaskGroup) -> None:
        for task in self._watched:
            task.cancel()
        boards = [self._with.boards[name] for name in frame.boards if name in self._with.boards]
        open_ = [each for each in boards if each.area is None or each.area in self._areas]
        self._watched = [tasks.create_task(self._show(board)) for board in open_]

    async def _show(self, board: Board) -> None:
        async for frame in board.watched():
            self._tell(frame)

    async def _follow(self, name: str, after: int) -> None:
        """Tell what was committed after an event, then everything as it happens."""
        to, user = self._address(name), self._user.id
        async with self._with.stream.listen(to.key) as live:
            now = await self._with.db.read(lambda tx: people.get(tx, user))
            if now is None or now.disabled_at is not None:
                raise ConnectionAbortedError
            missed = await self._with.db.read(
                lambda tx: history.read(tx, to, user, after=after, most=_REPLAY_MOST)
            )
            if missed is not None:
                for line in (*missed.lines, *missed.waiting):
                    self._tell(self._again(name, line))
                for asked in await self._with.db.read(lambda tx: self._waiting(tx, name, to)):
                    self._tell(asked)
            async for frame in live:
                if frame.kind is LiveKind.ASKED:
                    await self._ask(name, frame.text)
                elif (told := self._translate(name, frame)) is not None:
                    self._tell(told)

    def _waiting(self, tx: Tx, name: str, to: Address) -> list[frames.Approval]:
        lane = conversations.find(tx, to.channel, direct_scope(to, self._user.id))
        found = rights.waiting_in(tx, lane.id) if lane is not None else []
        return [self._approval(tx, name, each) for each in found]

    async def _ask(self, name: str, approval: str) -> None:
        def look(tx: Tx) -> frames.Approval | None:
            found = rights.approval(tx, approval)
            return self._approval(tx, name, found) if found is not None else None

        if (frame := await self._with.db.read(look)) is not None:
            self._tell(frame)

    def _approval(self, tx: Tx, name: str, found: Approval) -> frames.Approval:
        user = people.get(tx, self._user.id) or self._user
        text = shown(found.plan, user.language)
        choices = approvals.choices(tx, user, found, self._with.epoch)
        return frames.Approval(
            conversation=name,
            turn=found.turn_id,
            id=found.id,
            text=asking.question(found.plan, found.code, user.language) if choices else text,
            html=self._with.render(text),
            state=found.state,
            code=found.code if choices else "",
            choices=choices,
        )

    def _again(self, name: str, line: Line) -> FromServer:
        turn, event, text = line.turn, line.event, line.text
        if line.own:
            return _said(name, line)
        html = self._with.render(text)
        return frames.Final(conversation=name, turn=turn, event=event, text=text, html=html)

    def _translate(self, name: str, live: Live) -> FromServer | None:
        turn = live.turn
        match live.kind:
            case LiveKind.SAID:
                return _said(name, live)
            case LiveKind.DELTA:
                return frames.Delta(
                    conversation=name,
                    turn=turn,
                    attempt=live.attempt,
                    seq=live.seq,
                    text=live.text,
                )
            case LiveKind.RESET | LiveKind.STARTED:
                return frames.Reset(
                    conversation=name, turn=turn, attempt=live.attempt, seq=live.seq
                )
            case LiveKind.TOOL:
                return frames.Tool(conversation=name, turn=turn, name=live.text)
            case LiveKind.PROGRESS:
                return frames.Tool(conversation=name, turn=turn, name=live.ref, text=live.text)
            case LiveKind.SENT | LiveKind.ASKED:
                return None
            case LiveKind.FINAL | LiveKind.STOPPED | LiveKind.FAILED:
                return frames.Final(
                    conversation=name,
                    turn=turn,
                    event=live.event,
                    text=live.text,
                    html=self._with.render(live.text),
                    state=_ENDS[live.kind],
                )

    def _address(self, name: str) -> Address:
        return history.place(self._channel, self._user.id, name)

    def _tell(self, frame: FromServer | str) -> None:
        try:
            self._out.put_nowait(frame)
        except asyncio.QueueFull:
            raise ConnectionAbortedError from None

    async def _write(self, socket: web.WebSocketResponse) -> None:
        while True:
            frame = await self._out.get()
            async with asyncio.timeout(_WRITE_S):
                await socket.send_str(frame if isinstance(frame, str) else frames.encode(frame))


def _inbound(
    user: User, to: Address, frame: Sent, kind: InboundKind, parts: tuple[Part, ...]
) -> Inbound:
    instead = frame.turn if isinstance(frame, frames.Again) else ""
    return Inbound(
        receiver=to.channel,
        event=f"{user.id}:{frame.key}",
        to=to,
        chat=ChatKind.DIRECT,
        sender=Sender(id=user.id, name=user.name, language=user.language),
        kind=kind,
        parts=parts,
        ref=frame.key,
        token=frame.token if isinstance(frame, frames.Answer) else "",
        instead=frame.instead if isinstance(frame, frames.Send) else instead,
        route=frame.route if isinstance(frame, frames.Send) else "",
    )


def _said(name: str, said: Line | Live) -> frames.Said:
    files = tuple(
        frames.File(id=each.id, name=each.name, kind=each.kind, size=each.size)
        for each in said.attachments
    )
    return frames.Said(
        conversation=name,
        turn=said.turn,
        text=said.text,
        event=said.event,
        instead=said.instead,
        attachments=files,
    )
