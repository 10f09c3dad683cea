"""The first program of the browser's box: run by path in an interpreter of its own, imports none.

    python -I -S launch.py CHROMEDRIVER CHROMIUM FLAG...

Descriptor 4 is the pipe of Chromium's debugging protocol. On descriptor 3 the host asks with a
byte and gets a socket of this box's network: `l` one that listens, for the host's egress proxy to
accept on; `d` one that is connected to the driver. No byte of either passes through here.
"""

import os
import socket
import sys

_CHANNEL, _PIPE = 3, 4
_DRIVER_PORT = 9515
_ENVIRONMENT = {"HOME": "/tmp", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}  # noqa: S108
_READY = b"started successfully"
_PIECE = 4096


def main(driver: str, chromium: str, flags: list[str]) -> None:
    """Start both, and hand out sockets until the host is gone."""
    host = socket.socket(fileno=_CHANNEL)
    for descriptor in (1, 2):  # nobody reads what they say, and a full pipe would stop them
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    pipe = os.dup(_PIPE)
    os.close(_PIPE)
    # Chromium reads its commands on 3 and writes its answers on 4; the host's channel is not its.
    mine = [(os.POSIX_SPAWN_DUP2, pipe, 3), (os.POSIX_SPAWN_DUP2, pipe, 4)]
    os.posix_spawn(chromium, [chromium, *flags], _ENVIRONMENT, file_actions=mine)
    os.close(pipe)
    os.set_inheritable(_CHANNEL, False)  # noqa: FBT003 - positional only
    told, words = os.pipe()
    arguments = [driver, f"--port={_DRIVER_PORT}", "--log-level=SEVERE"]
    said = [(os.POSIX_SPAWN_DUP2, words, 1)]
    os.posix_spawn(driver, arguments, _ENVIRONMENT, file_actions=said)
    os.close(words)
    heard = b""
    while _READY not in heard and (piece := os.read(told, _PIECE)):
        heard += piece
    while asked := host.recv(1):
        with _listening() if asked == b"l" else _connected() as given:
            socket.send_fds(host, [b"."], [given.fileno()])


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def _connected() -> socket.socket:
    return socket.create_connection(("127.0.0.1", _DRIVER_PORT))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
