"""One Chromium in a box of its own; every task has a context in it, a driver's session, a way out.

    host                                box `browser`: a network of its own with nothing in it
    egress proxy  <- accepts on ------  a port of its loopback, one for each task (see launch.py)
    Tab           -- connected ------>  chromedriver: WebDriver commands
    Tab           -- descriptor 4 --->  Chromium: contexts, frames and nodes as it knows them

It starts with the first task, ends when nobody used it for a while, and dies with us.
"""

import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import msgspec

from clawdbot.domain.errors import ToolFailed
from clawdbot.sandbox.profile import CHROMIUM, DRIVER, POLICIES, WORK, Bind, Box, Limits, Profile
from clawdbot.sandbox.python import PYTHON, PYTHON_BINDS
from clawdbot.sandbox.run import Process, Sandbox
from clawdbot.sandbox.tab import Failed, Refused, Tab, Values

Carry = Callable[[socket.socket], AbstractContextManager[None]]

_LAUNCH = Path(__file__).with_name("launch.py")
_PORT = 9222
_START_S, _ANSWER_S, _GRACE_S = 30.0, 60.0, 2.0
_PIECE = 1 << 16
_OFF = (
    "AutofillServerCommunication,BackForwardCache,MediaRouter,OmniboxAimPopup,OptimizationHints,"
    "Translate,WebUIOmniboxAimPopup,WebUIOmniboxPopup"
)
# Its own sandbox would need new namespaces inside of ours (docs/sandbox.md).
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-breakpad", "--disable-default-apps", "--disable-extensions", "--no-pings"),
    *("--mute-audio", "--password-store=basic", "--no-startup-window", "--log-level=3"),
    *("--user-data-dir=/tmp/profile", f"--disable-features={_OFF}"),
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    # Where a context has no way out of its own there is none.
    *("--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>"),
    *("--remote-debugging-pipe", f"--remote-debugging-port={_PORT}"),
)
# It takes as many addresses as it likes, and never that much memory (a limit of address space).
_LIMITS = Limits(
    wall_s=0,
    cpu_s=0,
    memory_mb=0,
    total_mb=3072,
    processes=4096,
    files=8192,
    file_mb=128,
    tmp_mb=512,
)
_POLICY: dict[str, object] = {
    "AudioCaptureAllowed": False,
    "AutofillAddressEnabled": False,
    "AutofillCreditCardEnabled": False,
    "BrowserSignin": 0,
    "DefaultClipboardSetting": 2,
    "DefaultGeolocationSetting": 2,
    "DefaultNotificationsSetting": 2,
    "DnsOverHttpsMode": "off",
    "MetricsReportingEnabled": False,
    "NetworkPredictionOptions": 2,
    "PasswordManagerEnabled": False,
    "SafeBrowsingProtectionLevel": 0,
    "SearchSuggestEnabled": False,
    "URLBlocklist": ["file://*", "chrome://*", "view-source:*", "devtools://*"],
    "VideoCaptureAllowed": False,
}


class _Said(msgspec.Struct, frozen=True):
    id: int = 0
    result: msgspec.Raw = msgspec.Raw(b"{}")
    error: Failed | None = None


class Browsers:
    """The one browser: started when it is needed, shared by at most `most` tasks."""

    def __init__(
        self,
        sandbox: Sandbox,
        folder: Path,
        *,
        most: int = 6,
        idle_s: float = 60.0,
        certificates: tuple[bytes, ...] = (),
        programs: tuple[Path, Path] = (Path(CHROMIUM), Path(DRIVER)),
    ) -> None:
        """Save beneath this folder; trust these authorities (DER) beside the public ones."""
        self._sandbox = sandbox
        self._folder = folder
        self._room = asyncio.Semaphore(most)
        self._idle_s = idle_s
        self._certificates = certificates
        self._programs = programs
        self._start = asyncio.Lock()
        self._running: _Browser | None = None
        self._stack = AsyncExitStack()
        self._users = 0
        self._idle: asyncio.TimerHandle | None = None
        self._group = asyncio.TaskGroup()

    @property
    def missing(self) -> str:
        """Name what is not installed, or nothing."""
        return " ".join(str(path) for path in self._programs if not path.exists())

    @property
    def pid(self) -> int:
        """Tell the box's first process; 0 while there is no browser."""
        return self._running.process.pid if self._running else 0

    @property
    def downloads(self) -> Path:
        """Tell where tasks save, each in a folder of its own."""
        return self._folder / "downloads"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Browsers"]:
        """End the browser with this context."""
        async with self._group:
            try:
                yield self
            finally:
                await self._close()

    @asynccontextmanager
    async def task(self, carry: Carry) -> AsyncIterator[Tab]:
        """Give a context of its own, whose traffic `carry` takes; it saves nothing.

        Raises ToolFailed where there is no browser, SandboxRefused where there is no box for it.
        """
        async with self._room:
            self._users += 1
            try:
                browser = await self._warm()
                async with browser.tab(carry) as tab:
                    yield tab
            finally:
                self._users -= 1
                self._rest()

    async def _warm(self) -> "_Browser":
        if self._idle is not None:
            self._idle.cancel()
        async with self._start:
            if self._running is not None and self._running.ended:
                await self._close()
            if self._running is None:
                self._running = await self._started()
        return self._running

    async def _started(self) -> "_Browser":
        chromium, driver = map(str, self._programs)
        if missing := self.missing:
            raise ToolFailed(f"{missing} is missing: sudo apt install chromium chromium-driver")
        policies, work = self._folder / "policies", self.downloads
        for folder in (policies, work):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        trusted = [b64encode(each).decode() for each in self._certificates]
        policy = msgspec.json.encode({**_POLICY, "CACertificates": trusted})
        (policies / "clawdbot.json").write_bytes(policy)
        box = Box(
            argv=(*PYTHON, str(_LAUNCH), driver, chromium, *_FLAGS),
            binds=(
                *PYTHON_BINDS,
                Bind(str(_LAUNCH)),
                Bind(str(policies), POLICIES),
                Bind(str(work), WORK, write=True),
            ),
            limits=_LIMITS,
            profile=Profile.BROWSER,
        )
        ours, theirs = socket.socketpair()
        self._stack.callback(ours.close)
        with theirs:
            process = await self._stack.enter_async_context(self._sandbox.opened(box, [theirs]))
        browser = _Browser(process, ours)
        self._stack.callback(self._group.create_task(browser.run()).cancel)
        try:
            async with asyncio.timeout(_START_S):
                await browser.tell("Browser.getVersion", "", {})
        except TimeoutError:
            await self._close()
            raise ToolFailed("The browser does not start.") from None
        return browser

    def _rest(self) -> None:
        """End the browser after a while without a task."""
        if not self._users and self._running is not None:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._idle_s, self._retire)

    def _retire(self) -> None:
        if not self._users:
            self._group.create_task(self._close())

    async def _close(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._running, stack = None, self._stack
        self._stack = AsyncExitStack()
        await stack.aclose()


class _Browser:
    """A box with Chromium and driver in it."""

    def __init__(self, process: Process, pipe: socket.socket) -> None:
        self.process = process
        self.ended = False
        self._pipe = pipe
        self._number = 0
        self._waiting: dict[int, asyncio.Future[_Said]] = {}
        self._asking = asyncio.Lock()
        self._begging = asyncio.Lock()
        for each in (pipe, process.sock):
            each.setblocking(False)  # noqa: FBT003 - positional only

    async def run(self) -> None:
        """Hand every answer to who asked, until the browser ends."""
        buffer = bytearray()
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(self._pipe, _PIECE):
                buffer += data
                while (end := buffer.find(0)) >= 0:
                    said = msgspec.json.decode(bytes(buffer[:end]), type=_Said)
                    del buffer[: end + 1]
                    if (waiting := self._waiting.pop(said.id, None)) and not waiting.done():
                        waiting.set_result(said)
        except (OSError, msgspec.DecodeError):
            pass  # it is no more, or nothing that we know
        finally:
            self.ended = True
            for waiting in self._waiting.values():
                waiting.cancel()

    async def tell(self, method: str, session: str, values: Values) -> msgspec.Raw:
        if self.ended:
            raise Refused("The browser has ended.")
        self._number += 1
        asked: dict[str, object] = {"id": self._number, "method": method, "params": values}
        if session:
            asked["sessionId"] = session
        loop = asyncio.get_running_loop()
        self._waiting[self._number] = answer = loop.create_future()
        async with self._asking:
            await loop.sock_sendall(self._pipe, msgspec.json.encode(asked) + b"\0")
        async with asyncio.timeout(_ANSWER_S):
            await asyncio.wait([answer])
        if answer.cancelled():
            raise Refused("The browser has ended.")
        if (failed := answer.result().error) is not None:
            raise Refused(failed.message)
        result: msgspec.Raw = answer.result().result
        return result

    @asynccontextmanager
    async def tab(self, carry: Carry) -> AsyncIterator[Tab]:
        """Make a context, and a session that looks at its one window."""
        async with AsyncExitStack() as stack:
            way = stack.enter_context(await self._given(b"l"))
            port = way.getsockname()[1]
            stack.enter_context(carry(way))
            proxy = {"proxyServer": f"http://127.0.0.1:{port}", "proxyBypassList": "<-loopback>"}
            raw = await self.tell("Target.createBrowserContext", "", proxy)
            context = msgspec.json.decode(raw, type=_Context).browserContextId
            tab = Tab(self.tell, context, stack.enter_context(await self._given(b"d")))
            stack.push_async_callback(self._forget, tab)
            await tab.save("")
            await tab.begin(_PORT)
            yield tab

    async def _forget(self, tab: Tab) -> None:
        with suppress(Refused, OSError, TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                with await self._given(b"d") as line:
                    await tab.end(line)

    async def _given(self, what: bytes) -> socket.socket:
        """Ask the launcher for a socket of the box's network."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        async with self._begging, asyncio.timeout(_START_S):
            await loop.sock_sendall(self.process.sock, what)
            loop.add_reader(self.process.sock, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(self.process.sock)
            _, found, *_ = socket.recv_fds(self.process.sock, 1, 1)
        if not found:
            raise Refused("The browser has ended.")
        given = socket.socket(fileno=found[0])
        given.setblocking(False)  # noqa: FBT003
        return given


class _Context(msgspec.Struct):
    browserContextId: str  # noqa: N815 - the protocol's words
