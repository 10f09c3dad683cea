"""`clawdbot.cli.dialogue`: nothing is lost or said twice by a connection that breaks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from clawdbot.cli.dialogue import Dialogue
from clawdbot.config.clock import SystemClock
from clawdbot.domain.errors import BadInput, Failure, NotRunning
from clawdbot.gateway import frames
from clawdbot.gateway.frames import Ack, Final, FromServer, Hello, Open, Said, Send
from clawdbot.net.local import Local
from tests.patience import PATIENCE_S

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The service's end of one connection."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def heard(self) -> frames.FromClient:
        return frames.decode(await self._socket.receive_str())

    async def tell(self, *said: FromServer) -> None:
        for frame in said:
            await self._socket.send_str(frames.encode(frame))


class Service:
    """Plays a script for each connection, then closes it."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        peer = Peer(socket)
        assert isinstance(await peer.heard(), Hello)
        await self._scripts.pop(0)(peer)
        await socket.close()
        return socket


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    runners: list[web.AppRunner] = []

    async def start(*scripts: Script) -> str:
        app = web.Application()
        app.router.add_get("/socket", Service(*scripts).handle)
        runners.append(runner := web.AppRunner(app))
        await runner.setup()
        await web.UnixSite(runner, str(tmp_path / "s")).start()
        return str(tmp_path / "s")

    yield start
    for runner in runners:
        await runner.cleanup()


async def forever(peer: Peer) -> None:
    while True:
        await peer.heard()


def final(turn: str, event: int) -> Final:
    return Final(conversation="main", turn=turn, event=event, text=turn)


async def play(path: str, *words: str, until: int, heard: int | None = None):
    """Say words and give the first frames that come, and the dialogue."""
    shown: list[FromServer] = []
    done = asyncio.Event()

    def show(frame: FromServer) -> None:
        shown.append(frame)
        if len(shown) == until:
            done.set()

    async with asyncio.timeout(PATIENCE_S), Local(path) as local:
        dialogue = Dialogue(local, SystemClock(), "main", heard)
        for text in words:
            await dialogue.send(text)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(dialogue.run(show, lambda: None))
            await done.wait()
            running.cancel()
    return shown, dialogue


async def test_what_was_not_confirmed_is_sent_again_under_its_key(serve) -> None:
    sent: list[frames.FromClient] = []

    async def breaks(peer: Peer) -> None:
        sent.extend([await peer.heard(), await peer.heard()])

    async def works(peer: Peer) -> None:
        sent.append(send := await peer.heard())
        assert isinstance(send, Send)
        await peer.tell(Ack(key=send.key, outcome="duplicate", turn="t"))
        sent.append(await peer.heard())
        await peer.tell(final("earlier", 1), final("t", 2))
        await forever(peer)

    shown, dialogue = await play(await serve(breaks, works), "hello", until=2)
    (first, hello, again, then) = sent
    assert isinstance(first, Open)
    assert isinstance(then, Open)
    assert hello == again
    # What was said before us is not ours to tell, before the break and after it.
    assert 2**53 == first.after
    assert 0 == then.after
    assert ["t"] == [frame.turn for frame in shown if isinstance(frame, Final)]
    assert 2 == dialogue.heard


async def test_what_was_missed_is_heard_after_the_last_event(serve) -> None:
    async def first(peer: Peer) -> None:
        assert Open(conversation="main", after=7) == await peer.heard()
        await peer.tell(Said(conversation="main", turn="a", text="a", event=8), final("a", 8))

    async def second(peer: Peer) -> None:
        assert Open(conversation="main", after=8) == await peer.heard()
        await peer.tell(final("b", 9))
        await forever(peer)

    shown, dialogue = await play(await serve(first, second), until=3, heard=7)
    assert ["a", "a", "b"] == [frame.turn for frame in shown if isinstance(frame, Said | Final)]
    assert 9 == dialogue.heard


async def test_another_window_is_heard_from_the_beginning(serve) -> None:
    async def only(peer: Peer) -> None:
        await peer.heard()
        await peer.tell(final("theirs", 5))
        await forever(peer)

    shown, dialogue = await play(await serve(only), until=1)
    assert ["theirs"] == [frame.turn for frame in shown if isinstance(frame, Final)]
    assert 5 == dialogue.heard


async def test_no_service_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await play(str(tmp_path / "nothing"), until=1)
    assert raised.group_contains(NotRunning)


async def test_frames_of_another_version_are_told(serve) -> None:
    class Newer(msgspec.Struct, tag_field="type", tag="newer"):
        pass

    async def newer(peer: Peer) -> None:
        await peer._socket.send_str(msgspec.json.encode(Newer()).decode())
        await forever(peer)

    with pytest.raises(ExceptionGroup) as raised:
        await play(await serve(newer), until=1)
    assert raised.group_contains(Failure, match="another version")


@pytest.mark.parametrize("text", ["", "x" * 100_001, "字" * 90_000])
async def test_what_the_service_would_refuse_is_not_sent(text: str, tmp_path: Path) -> None:
    async with Local(str(tmp_path / "nothing")) as local:
        with pytest.raises(BadInput):
            await Dialogue(local, SystemClock(), "main").send(text)
