"""Our end of a conversation over the service's socket; it outlives a restart of the service.

What was sent and not confirmed is sent again; what was committed meanwhile is heard then.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from clawdbot.domain.errors import BadInput, Failure, NotRunning
from clawdbot.domain.ports import Clock
from clawdbot.gateway import frames
from clawdbot.net.local import Local, Socket

_PATIENCE_S = 60.0
_RETRY_S = 0.1
_NOTHING_OLD = 2**53

Show = Callable[[frames.FromServer], None]

_FRAME: msgspec.json.Decoder[frames.FromServer] = msgspec.json.Decoder(frames.FromServer)


class Dialogue:
    """A conversation; `run` is its life, `send` may be called at any time of it."""

    def __init__(self, local: Local, clock: Clock, name: str, heard: int | None = None) -> None:
        """Speak in the conversation `name`; `heard` is the last event of an earlier time."""
        self.heard = heard
        self._local = local
        self._clock = clock
        self._name = name
        self._socket: Socket | None = None
        self._unconfirmed: dict[str, str] = {}
        self._asked: set[str] = set()
        self._deadline = 0.0
        self._again = False
        self._following = False

    async def run(self, show: Show, lost: Callable[[], None]) -> None:
        """Hand on what is said until cancelled; raises NotRunning where the service stays away."""
        while True:
            try:
                await self._hear(show)
            except NotRunning:
                if asyncio.get_running_loop().time() > self._deadline:
                    raise
            self._socket, self._again = None, True
            lost()
            await asyncio.sleep(_RETRY_S)

    async def send(self, text: str) -> None:
        """Send a message, now or with the next connection; raises BadInput for one too long."""
        key = self._clock.ulid()
        try:
            frame = frames.Send(conversation=self._name, key=key, text=text)
        except ValueError as error:
            raise BadInput(str(error)) from error
        await self._put(key, frame)

    async def answer(self, token: str) -> None:
        """Choose one of an approval's choices."""
        key = self._clock.ulid()
        await self._put(key, frames.Answer(conversation=self._name, key=key, token=token))

    async def _put(self, key: str, frame: frames.Send | frames.Answer) -> None:
        encoded = _encoded(frame)
        try:
            frames.decode(encoded)
        except msgspec.ValidationError as error:
            raise BadInput(str(error)) from error
        if len(encoded.encode()) > frames.FRAME_MAX_BYTES:
            raise BadInput("This message is too long.")
        self._unconfirmed[key] = encoded
        if self._socket is not None:
            with suppress(NotRunning):
                await self._socket.send(encoded)

    async def _hear(self, show: Show) -> None:
        """Listen until the connection ends."""
        now = asyncio.get_running_loop().time
        async with self._local.socket("/socket") as socket:
            await self._begin(socket)
            async for text in socket:
                self._deadline = now() + _PATIENCE_S
                frame = _decoded(text)
                if await self._is_news(socket, frame):
                    show(frame)

    async def _begin(self, socket: Socket) -> None:
        await socket.send(_encoded(frames.Hello(version=frames.VERSION, agent="terminal")))
        self._socket, self._following = socket, False
        if not self._again:
            await self._follow(socket, _NOTHING_OLD if self.heard is None else self.heard)
        for encoded in list(self._unconfirmed.values()):
            await socket.send(encoded)
        await self._catch_up(socket)

    async def _catch_up(self, socket: Socket) -> None:
        # Only when all is confirmed do we know which of the answers are to us.
        if not self._following and not self._unconfirmed:
            await self._follow(socket, self.heard or 0)

    async def _follow(self, socket: Socket, after: int) -> None:
        self._following = True
        await socket.send(_encoded(frames.Open(conversation=self._name, after=after)))

    async def _is_news(self, socket: Socket, frame: frames.FromServer) -> bool:
        match frame:
            case frames.Ack() | frames.Error():
                self._unconfirmed.pop(frame.key, None)
                if isinstance(frame, frames.Ack):
                    self._asked.add(frame.turn)
                await self._catch_up(socket)
            case frames.Said() | frames.Final() if frame.event:
                if self.heard is None and self._again and frame.turn not in self._asked:
                    return False
                if isinstance(frame, frames.Final):
                    self.heard = max(self.heard or 0, frame.event)
        return True


def _decoded(text: str) -> frames.FromServer:
    try:
        return _FRAME.decode(text)
    except msgspec.DecodeError as error:
        raise Failure("The service is of another version. Run `clawdbot restart`.") from error


def _encoded(frame: frames.FromClient) -> str:
    return msgspec.json.encode(frame).decode()
