"""The sockets that are open, and whose; what ends a log-in cuts them."""

import asyncio
from collections.abc import Callable, Collection
from weakref import WeakKeyDictionary

from aiohttp import WSCloseCode, web

LOGGED_OUT = 4001

_NOBODY: Collection[str] = frozenset()


class Openings:
    """Every open socket with its log-in and its user."""

    def __init__(self) -> None:
        """Begin without one."""
        self._of: WeakKeyDictionary[web.WebSocketResponse, tuple[str, str]] = WeakKeyDictionary()

    def add(self, socket: web.WebSocketResponse, login: str, user: str) -> None:
        """Remember a socket for as long as it is open."""
        self._of[socket] = (login, user)

    async def close(self, users: Collection[str] | None = None) -> None:
        """Send clients away (of some users, else all) to come back and be looked at anew."""
        code = WSCloseCode.SERVICE_RESTART
        await self._close(lambda _, user: users is None or user in users, code)

    async def cut(
        self, *, users: Collection[str] = _NOBODY, logins: Collection[str] = _NOBODY
    ) -> None:
        """Send the clients of users and of log-ins away, because these ended."""
        await self._close(lambda login, user: login in logins or user in users, LOGGED_OUT)

    async def _close(self, meant: Callable[[str, str], bool], code: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for socket, (login, user) in list(self._of.items()):
                if meant(login, user):
                    tasks.create_task(socket.close(code=code))
