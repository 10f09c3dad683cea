"""Our own sockets: hello, send, live text, resume, and what a hostile client gets.

Covers clawdbot.gateway.ws and clawdbot.gateway.history.
"""

import asyncio
from pathlib import Path

import aiohttp
import msgspec
import pytest

from tests.integration.gateway.conftest import JSON, Running, running
from tests.patience import PATIENCE_S

SLOW: list[JSON] = [{"when": "slow", "say": "one two three four", "pause_s": 0.05}]


async def connected(service: Running) -> aiohttp.ClientWebSocketResponse:
    """Open the terminal's socket and greet."""
    socket = await service.local.ws_connect("http://clawdbot/socket")
    await socket.send_json({"type": "hello", "version": 1, "agent": "test"})
    assert "hello" == (await socket.receive_json(timeout=PATIENCE_S))["type"]
    return socket


async def told(socket: aiohttp.ClientWebSocketResponse, kind: str) -> list[JSON]:
    """Collect frames up to the first of a kind."""
    frames: list[JSON] = []
    while not frames or frames[-1]["type"] != kind:
        frames.append(await socket.receive_json(timeout=PATIENCE_S))
    return frames


async def ask(socket: aiohttp.ClientWebSocketResponse, text: str, key: str = "k1") -> list[JSON]:
    await socket.send_json({"type": "send", "conversation": "c", "key": key, "text": text})
    return await told(socket, "final")


async def test_a_question_is_acknowledged_streamed_and_answered(short_home: Path) -> None:
    async with running(short_home, SLOW) as service:
        await service.set_up()
        socket = await connected(service)
        await socket.send_json({"type": "open", "conversation": "c"})
        frames = await ask(socket, "slow")
    by_kind = {str(frame["type"]): frame for frame in frames}
    assert "turn" == by_kind["ack"]["outcome"]
    assert "slow" == by_kind["said"]["text"]
    deltas = "".join(str(f["text"]) for f in frames if f["type"] == "delta")
    assert "one two three four" == deltas == by_kind["final"]["text"]
    assert by_kind["final"]["event"] == 1


async def test_the_same_key_is_answered_once(service: Running) -> None:
    socket = await connected(service)
    await socket.send_json({"type": "open", "conversation": "c"})
    await ask(socket, "hello")
    await socket.send_json({"type": "send", "conversation": "c", "key": "k1", "text": "hello"})
    [*_, ack] = await told(socket, "ack")
    assert "duplicate" == ack["outcome"]


async def test_what_was_committed_is_told_again_after_an_event(service: Running) -> None:
    first = await connected(service)
    await first.send_json({"type": "open", "conversation": "c"})
    await ask(first, "one", "k1")
    await ask(first, "two", "k2")
    await first.close()
    second = await connected(service)
    await second.send_json({"type": "open", "conversation": "c", "after": 1})
    frames = await told(second, "final")
    assert [("said", "two"), ("final", "echo: two")] == [(f["type"], f["text"]) for f in frames]


async def test_two_windows_stay_in_step(service: Running) -> None:
    first, second = await connected(service), await connected(service)
    for socket in (first, second):
        await socket.send_json({"type": "open", "conversation": "c"})
    await second.send_json({"type": "ping", "n": 7})
    await told(second, "ping")
    await ask(first, "hello")
    frames = await told(second, "final")
    assert "hello" == frames[0]["text"]
    assert "echo: hello" == frames[-1]["text"]


async def test_stop_ends_a_running_answer(short_home: Path) -> None:
    long: list[JSON] = [{"when": "long", "say": "word " * 400, "pause_s": 0.02}]
    async with running(short_home, long) as service:
        await service.set_up()
        socket = await connected(service)
        await socket.send_json({"type": "open", "conversation": "c"})
        await socket.send_json({"type": "send", "conversation": "c", "key": "a", "text": "long"})
        await told(socket, "delta")
        await socket.send_json({"type": "send", "conversation": "c", "key": "b", "text": "/stop"})
        [*_, final] = await told(socket, "final")
    assert "stopped" == final["state"]
    assert "(stopped)" in str(final["text"])


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "[]",
        '{"type": "nothing"}',
        '{"type": "send", "conversation": "../x", "key": "k", "text": "t"}',
        '{"type": "send", "conversation": "c", "key": "", "text": "t"}',
        '{"type": "send", "conversation": "c", "key": "k", "text": "t", "user": "root"}',
        '{"type": "open", "conversation": "c", "after": -1}',
        '{"type": "ping", "n": 1e99}',
    ],
)
async def test_a_malformed_frame_gets_an_error_and_harms_nothing(
    service: Running, frame: str
) -> None:
    socket = await connected(service)
    await socket.send_str(frame)
    [error] = await told(socket, "error")
    assert "malformed" == error["code"]
    await socket.send_json({"type": "ping", "n": 1})
    await told(socket, "ping")


async def test_without_a_greeting_nothing_is_served(service: Running) -> None:
    socket = await service.local.ws_connect("http://clawdbot/socket")
    await socket.send_json({"type": "send", "conversation": "c", "key": "k", "text": "t"})
    message = await socket.receive(timeout=PATIENCE_S)
    assert aiohttp.WSMsgType.CLOSE == message.type
    assert 4002 == message.data


async def test_an_oversized_frame_cuts_the_client(service: Running) -> None:
    socket = await connected(service)
    await socket.send_str(msgspec.json.encode({"type": "ping", "pad": "x" * 300_000}).decode())
    message = await socket.receive(timeout=PATIENCE_S)
    assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}


async def test_a_client_that_does_not_read_is_cut(service: Running) -> None:
    reader, writer = await asyncio.open_unix_connection(str(service.home / "clawdbot.sock"))
    writer.write(
        b"GET /socket HTTP/1.1\r\nHost: clawdbot\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert b"101 Switching Protocols" in await reader.readuntil(b"\r\n\r\n")
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(framed(b'{"type": "hello", "version": 1}'))
    async with asyncio.timeout(8):  # a polite close waits for ten seconds
        with pytest.raises(ConnectionError):
            await flood(writer)
    writer.close()
    await connected(service)


async def flood(writer: asyncio.StreamWriter) -> None:
    """Send pings, each of which is answered, for as long as the other end is there."""
    while True:
        writer.write(framed(b'{"type": "ping", "n": 123456789}') * 100)
        await writer.drain()


def framed(text: bytes) -> bytes:
    """Write a client's short text frame, masked by zeros (RFC 6455, 5.2)."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


async def test_a_stop_of_the_service_sends_clients_away_at_once(short_home: Path) -> None:
    async with running(short_home) as service:
        await service.set_up()
        socket = await connected(service)
        before = asyncio.get_running_loop().time()
        async with service.local.post("http://clawdbot/stop", data="[]") as answer:
            assert 200 == answer.status
        message = await socket.receive(timeout=PATIENCE_S)
        assert 1012 == message.data
    assert asyncio.get_running_loop().time() - before < 8  # a polite close waits for ten seconds
