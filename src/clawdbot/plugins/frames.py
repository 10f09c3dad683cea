"""The frames between host and worker: four bytes of length (big-endian), then UTF-8 JSON.

host    {"do": "file", "name": "a.txt", "data": "<base64>"}     a piece of a file of the next call
        {"do": "call", "id": 1, "name": "f", "arguments": {...}}
        {"do": "cancel"}
worker  {"is": "manifest", "functions": [...]}          once, after the plugin was loaded
        {"is": "broken", "error": "E", "text": "..."}   it could not be; the end
        {"is": "printed", "text": "..."}
        {"is": "progress", "text": "...", "share": 0.5}
        {"is": "file", "name": "b.txt", "data": "<base64>"}
        {"is": "done", "id": 1, "value": ...}
        {"is": "failed", "id": 1, "error": "E", "text": "...", "trace": "..."}

The end of the stream tells a worker to end.
"""

from collections.abc import Callable

HEAD = 4
MOST = 1 << 20
PIECE = 1 << 19  # of a file, before base64


class OversizedError(ValueError):
    """A frame is larger than a frame may be."""


def framed(body: bytes) -> bytes:
    """Put the length before a body; raises OversizedError."""
    if len(body) > MOST:
        raise OversizedError(len(body))
    return len(body).to_bytes(HEAD, "big") + body


def length(head: bytes) -> int:
    """Read the length that a frame's head tells; raises OversizedError."""
    size = int.from_bytes(head, "big")
    if size > MOST:
        raise OversizedError(size)
    return size


def exactly(size: int, receive: Callable[[int], bytes]) -> bytes:
    """Receive so many bytes, piece by piece; raises EOFError where the stream ends before."""
    data = bytearray()
    while len(data) < size:
        if not (piece := receive(size - len(data))):
            raise EOFError
        data += piece
    return bytes(data)
