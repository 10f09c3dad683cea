"""Who is at the other end of a Unix socket, by the kernel's word."""

import os
import socket
import struct

_CREDENTIALS = struct.Struct("3i")


def same_user(peer: socket.socket) -> bool:
    """Tell whether the peer is our own user or root (SO_PEERCRED, unix(7)).

    Where the kernel has no such word (macOS), the socket's mode 0600 in a 0700 folder is the check.
    """
    option: int | None = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, uid, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return uid in {os.getuid(), 0}
