"""Who is at the other end of a Unix socket: the kernel says, not the client."""

import socket

from clawdbot.net.peer import same_user


def test_our_own_process_is_our_own_user() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert same_user(one)
