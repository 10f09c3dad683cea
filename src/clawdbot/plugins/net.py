"""Python's `socket` in a box: what it connects leaves over one descriptor, to granted hosts alone.

After `install` urllib.request, http.client, smtplib, urllib3 and their like work unchanged. There
is no UDP, no listening, no look-up of names: a host is connected to by its name.
"""

import socket
from errno import EACCES, ECONNREFUSED

_INTERNET = {-1, socket.AF_INET, socket.AF_INET6}
_WAIT_S = 30.0
_HEAD_MOST = 8192

_Found = tuple[int, int, int, str, tuple[str, int]]

_ways: list[socket.socket] = []


def install(descriptor: int) -> None:
    """Let this process connect over a descriptor."""
    _ways.append(socket.socket(fileno=descriptor))
    _ways[0].settimeout(_WAIT_S)
    vars(socket).update(socket=Socket, getaddrinfo=_getaddrinfo)


class Socket(socket.socket):
    """A TCP socket that is a stream to the egress proxy from the start."""

    def __init__(
        self,
        family: int = -1,
        type: int = -1,  # noqa: A002 - callers name it
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        """Ask for a fresh stream where TCP is meant; raises OSError."""
        kind = type
        if fileno is None and family in _INTERNET and kind in {-1, socket.SOCK_STREAM}:
            family, kind, fileno = socket.AF_INET, socket.SOCK_STREAM, _stream()
        super().__init__(family, kind, proto, fileno)

    def connect(self, address: object) -> None:
        """Connect to (host, port, ...); raises PermissionError where the host is not granted."""
        if not isinstance(address, tuple):
            raise TypeError(address)
        host, before = str(address[0]).encode("idna").decode(), self.gettimeout()
        where = f"[{host}]" if ":" in host else host
        self.settimeout(before or _WAIT_S)
        self.sendall(f"CONNECT {where}:{address[1]} HTTP/1.1\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if len(head) == _HEAD_MOST or not (byte := self.recv(1)):
                raise ConnectionRefusedError(ECONNREFUSED, f"{host}: no answer")
            head += byte
        self.settimeout(before)
        if head.startswith(b"HTTP/1.1 403"):
            raise PermissionError(EACCES, self.recv(_HEAD_MOST).decode(errors="replace"))
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionRefusedError(ECONNREFUSED, f"{host} cannot be reached")

    def connect_ex(self, address: object) -> int:
        """Connect, and tell a failure by its number."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or ECONNREFUSED
        return 0

    def setsockopt(self, level: int, name: int, value: int | bytes) -> None:  # type: ignore[override] # a stream has no option that takes a length
        """Set what a stream has; of TCP there is nothing here."""
        if level == socket.SOL_SOCKET:
            super().setsockopt(level, name, value)


def _stream() -> int:
    """Get a fresh stream: all are alike, so it does not matter who of us gets whose."""
    _ways[0].sendall(b".")
    _, descriptors, *_ = socket.recv_fds(_ways[0], 1, 1)
    if not descriptors:
        raise ConnectionRefusedError(ECONNREFUSED, "This box has no network.")
    return descriptors[0]


def _getaddrinfo(
    host: str | bytes | None, port: str | int | None, *_: int, **__: int
) -> list[_Found]:
    """Find every host, at its own name."""
    name = host.decode() if isinstance(host, bytes) else host or "localhost"
    found = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, ""
    return [(*found, (name, int(port or 0)))]
