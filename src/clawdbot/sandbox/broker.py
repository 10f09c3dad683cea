"""Between a plugin's Selenium and the browser: only what is on the list, and secrets put in here.

    worker (box, no network)  -- socket, frames of JSON -->  Broker  -- Tab -->  driver and Chromium

A plugin types a token. The text goes from here to Chromium itself, into one node of one document,
in a single script in a world of ours that the page cannot touch: there it is checked once more
that the document is of an origin that the secret is bound to, with no moment between check and use.
A task runs scripts or types secrets, never both: a script prepares a page, or looks at it later.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Protocol

import msgspec

from clawdbot.domain.errors import Denied, Failure, ToolFailed
from clawdbot.domain.secret import Secret
from clawdbot.plugins import frames
from clawdbot.sandbox import webdriver, world
from clawdbot.sandbox.chromium import Browsers, Carry
from clawdbot.sandbox.tab import Refused, Tab
from clawdbot.sandbox.webdriver import USERNAME, Command, Frame, Kind, Secretly

_CAPABILITIES = {"browserName": "chrome", "platformName": "linux", "acceptInsecureCerts": False}
_PIECE = 1 << 16
_WINDOWS_MOST = 8
_UNSUPPORTED = "unsupported operation"
_STATUS = {"no such element": 404, "stale element reference": 404, "no such window": 404}
_WHY = {
    "field": "The element is no field of this page that takes this part of a secret.",
    "form": "The form would send the secret to another origin.",
    "origin": "The page went elsewhere in the meantime.",
}


class Keyring(Protocol):
    """What opens secrets, for an origin that they are bound to."""

    async def text(self, name: str, origin: str) -> Secret:
        """Give the text of a secret; raises Denied where it may not be sent to this origin."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What one call may do with the browser: the secrets that it was given, its way out."""

    keyring: Keyring
    carry: Carry
    secrets: frozenset[str] = frozenset()


class Page(msgspec.Struct):
    """A task's browser, and what was typed there."""

    tab: Tab
    scripted: bool = False
    secret: bool = False  # one was typed
    typed: list[str] = msgspec.field(default_factory=list)  # texts that no answer may hold
    spots: set[world.Spot] = msgspec.field(
        default_factory=set
    )  # frames and documents that have one

    async def is_shown(self) -> bool:
        """Tell whether a document lives, in any window, into which a secret was typed."""
        if self.spots:
            self.spots &= await world.alive(self.tab)
        return bool(self.spots)

    def hides(self, answer: object) -> bool:
        """Tell whether there is a secret in an answer."""
        return webdriver.shows(answer, self.typed)

    async def fill(self, element: str, wanted: Secretly, keyring: Keyring) -> None:
        """Put a secret into a field; raises Denied where it does not belong."""
        if self.scripted:
            raise Denied("A task that ran a script types no secret.")
        async with world.place_of(self.tab, element) as (session, place):
            text = await keyring.text(wanted.secret, place.origin)
            values = webdriver.fields(text.reveal())
            if wanted.field not in values:
                raise Denied(f"The secret has no field {wanted.field!r}.")
            visible = wanted.field == USERNAME
            given = [values[wanted.field], place.origin, visible]
            before, self.secret = self.secret, True  # from here on no answer may hold it
            self.typed += [] if visible else [values[wanted.field]]
            self.spots.add((place.frame, place.document))
            if why := await world.run_on(self.tab, session, place, world.PUT, given):
                self.secret = before  # nothing was put in
                raise Denied(_WHY.get(why, why))


class Broker:
    """A worker's line to the browser; between calls it leads nowhere."""

    def __init__(self, browsers: Browsers, line: socket.socket) -> None:
        self._browsers = browsers
        self._line = line
        self._errand: Errand | None = None
        self._stack = AsyncExitStack()
        self._task: Page | None = None
        line.setblocking(False)  # noqa: FBT003 - positional only

    @classmethod
    @contextmanager
    def opened(cls, browsers: Browsers) -> Iterator[tuple["Broker", socket.socket]]:
        """Make a broker and the worker's end of its line."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            yield cls(browsers, ours), theirs

    @asynccontextmanager
    async def call(self, errand: Errand) -> AsyncIterator[None]:
        """Serve one call; its browser, if it asks for one, ends with it."""
        try:
            async with asyncio.TaskGroup() as group:
                self._errand = errand
                serving = group.create_task(self._serve())
                try:
                    yield
                finally:
                    serving.cancel()
                    self._errand = self._task = None
                    await self._stack.aclose()
        except BaseExceptionGroup as failed:  # whoever calls meets it as it was raised
            raise failed.exceptions[0] from None

    async def _serve(self) -> None:
        """Answer commands until the worker is gone, or says what is none."""
        loop = asyncio.get_running_loop()
        try:
            while head := await self._exactly(frames.HEAD):
                body = await self._exactly(frames.length(head))
                answer = self._screened(await self._answered(body))
                await loop.sock_sendall(
                    self._line, len(answer).to_bytes(frames.HEAD, "big") + answer
                )
        except frames.OversizedError:
            self._line.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the worker is gone, and its call with it

    async def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = await asyncio.get_running_loop().sock_recv(self._line, size - len(data))
            if not piece:
                return b""
            data += piece
        return data

    async def _answered(self, body: bytes) -> dict[str, object]:
        try:
            frame = msgspec.json.decode(body, type=Frame)
            session = self._task.tab.session if self._task else ""
            value = await self._run(webdriver.read(frame, session))
        except Refused as error:
            return _failed(error.error, str(error))
        except (Failure, msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return _failed(_UNSUPPORTED, str(error))
        except TimeoutError:
            return _failed("timeout", "The browser did not answer in time.")
        return {"status": 200, "value": value}

    def _screened(self, answer: dict[str, object]) -> bytes:
        """Encode an answer; one that has a secret in it is not given."""
        if self._task and self._task.hides(answer):
            answer = _failed(_UNSUPPORTED, "There is a secret in the answer.")
        return msgspec.json.encode(answer)

    async def _run(self, command: Command) -> object:
        if command.kind is Kind.NEW:
            return await self._begin()
        if (task := self._task) is None:
            raise Refused("There is no browser.", "invalid session id")
        webdriver.check(command, typed=task.secret, shown=await task.is_shown())
        match command.kind:
            case Kind.END:
                self._task = None
                await self._stack.aclose()
                return None
            case Kind.TYPE:
                return await self._type(task, command)
            case Kind.SCRIPT:
                task.scripted = True
            case Kind.FIND if task.typed:
                return await _sought(task, command)
        if command.kind in {Kind.OPEN, Kind.SUBMIT, Kind.SWITCH, Kind.WINDOWS}:
            return await _ourselves(task.tab, command)
        return await task.tab.ask(command.method, command.path, command.body)

    async def _begin(self) -> object:
        """Begin the call's one session; what the plugin wished for is not looked at."""
        if self._errand is None or self._task is not None:
            raise ToolFailed("A call has one browser at a time.")
        tab = await self._stack.enter_async_context(self._browsers.task(self._errand.carry))
        self._task = Page(tab)
        return {"sessionId": tab.session, "capabilities": _CAPABILITIES}

    async def _type(self, task: Page, command: Command) -> object:
        """Type ordinary words, or put a secret in."""
        if (wanted := webdriver.secretly(command.text)) is None:
            if await _is_file(task.tab, command):
                raise Denied("No file is uploaded.")
            return await task.tab.ask("POST", command.path, {"text": command.text})
        if self._errand is None or wanted.secret not in self._errand.secrets:
            raise Denied("This call was not given that secret.")
        await task.fill(command.element, wanted, self._errand.keyring)
        if wanted.keys:
            return await task.tab.ask("POST", command.path, {"text": wanted.keys})
        return None


async def _sought(task: Page, command: Command) -> object:
    """Look for elements; not where a page repeats a secret, before or while the driver waits."""
    await _check_echo(task)
    try:
        return await task.tab.ask(command.method, command.path, command.body)
    finally:
        await _check_echo(task)


async def _check_echo(task: Page) -> None:
    if await world.echoes(task.tab, task.typed):
        raise Denied("There is a secret on the page: nothing is looked for.")


async def _ourselves(tab: Tab, command: Command) -> object:
    """Do what the driver would do for windows of others too, or not at all."""
    if command.kind is Kind.OPEN:
        if len(await tab.targets("page")) >= _WINDOWS_MOST:
            raise Refused("Too many windows are open.")
        return {"handle": await tab.open(), "type": "tab"}
    if command.kind is Kind.SUBMIT:
        async with world.place_of(tab, command.element) as (session, place):
            if await world.run_on(tab, session, place, world.SUBMIT):
                raise Refused("The element is in no form.", "no such element")
        return None
    windows = await tab.targets("page")
    if command.kind is Kind.WINDOWS:
        return windows
    if command.text not in windows:
        raise Refused("There is no such window.", "no such window")
    return await tab.ask(command.method, command.path, command.body)


async def _is_file(tab: Tab, command: Command) -> bool:
    kind = await tab.ask("GET", f"element/{command.element}/property/type")
    return kind == "file"


def _failed(error: str, message: str) -> dict[str, object]:
    value = {"error": error, "message": message, "stacktrace": ""}
    return {"status": _STATUS.get(error, 500), "value": value}
