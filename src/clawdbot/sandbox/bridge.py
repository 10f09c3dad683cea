"""In a box: an HTTP proxy on loopback whose every connection leaves over descriptor 4.

Starts the program of its arguments with the proxy in its environment, and ends as that does. Uses
the standard library alone and is run by its path.
"""

import os
import socket
import sys
from contextlib import suppress
from threading import Thread

_LINE = 4
_PIECE = 65_536
_NAMES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def main(argv: list[str]) -> int:
    """Start the program, and carry until it ends."""
    server, line = socket.create_server(("127.0.0.1", 0)), socket.socket(fileno=_LINE)
    line.set_inheritable(False)
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    program = os.posix_spawnp(argv[0], argv, {**os.environ, **dict.fromkeys(_NAMES, address)})
    os.close(0)  # its own now: when it ends, they end
    os.close(1)
    Thread(target=_accept, args=(server, line), daemon=True).start()
    return os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])


def _accept(server: socket.socket, line: socket.socket) -> None:
    with suppress(OSError):
        while True:
            near, _ = server.accept()
            line.sendall(b".")
            _, descriptors, *_ = socket.recv_fds(line, 1, 1)
            far = socket.socket(fileno=descriptors[0])
            for ends in ((near, far), (far, near)):
                Thread(target=_carry, args=ends, daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
