"""The browser by hand: a page a conversation, told as an outline; secrets are put in by the broker.

What pages say is others' text. A page is closed when its conversation left it for a while, and the
browser with the last one.
"""

import asyncio
import os
import re
import shutil
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.errors import Denied, Failure, ToolFailed
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.domain.settings import Net, Web
from clawdbot.net.egress import Refuse, Rules, judge
from clawdbot.tools.folders import Folders
from clawdbot.tools.registry import Grant, Reading, Tool

if TYPE_CHECKING:
    from clawdbot.sandbox.broker import Keyring, Page

_CUT = 2_000
_IDLE_S = 180.0
_MOST = 4  # less than the browser has room for: plugins' tasks want some too
_SAVED_S, _LOOK_S = 30.0, 0.1
_SAVED_MOST = 64 << 20
_JS = (files("clawdbot.tools") / "outline.js").read_text("utf-8")
_STRANGE = re.compile(r"[^\w.-]+")

Ref = Annotated[int, Meta(ge=1, description="the number in the outline")]


class _Line(msgspec.Struct):
    text: str
    element: dict[str, str] | None = None


class _Outline(msgspec.Struct):
    url: str
    title: str
    lines: list[_Line]


class _Visit(msgspec.Struct):
    """A conversation's page; `elements` are those of the last outline, by their numbers."""

    page: "Page"
    private: str
    ends: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    elements: list[str] = msgspec.field(default_factory=list)
    windows: set[str] = msgspec.field(default_factory=set)
    timer: asyncio.TimerHandle | None = None


class Gear(msgspec.Struct, frozen=True):
    """What pages need; `page` opens one that gets where rules allow."""

    page: "Callable[[Rules], AbstractAsyncContextManager[Page]]"
    keyring: "Keyring"
    downloads: Path


class Visits:
    """The pages that conversations have open; their `gear` is opened with the first."""

    def __init__(
        self, gear: Callable[[], Awaitable[Gear]], folders: Folders, settings: tuple[Net, Web]
    ) -> None:
        self._gear = gear
        self._folders = folders
        self._net, self._web = settings
        self._visits: dict[tuple[str, str], _Visit] = {}
        self._group = asyncio.TaskGroup()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Visits"]:
        """End every visit with this context."""
        async with self._group:
            try:
                yield self
            finally:
                for visit in self._visits.values():
                    visit.ends.set()

    async def open(
        self, grant: Grant, url: Annotated[str, Meta(min_length=8, max_length=4096)]
    ) -> str:
        """Open an address in this conversation's page."""
        rules = Rules.of(self._web.hosts, self._net.private)
        if isinstance(judged := judge(url, rules), Refuse):
            raise ToolFailed(f"{judged.reason}.")
        private = judged.target.authority if judged.private else ""
        visit = self._visits.get(_key(grant))
        if visit is None or visit.private != private or not await _lives(visit):
            visit = await self._begin(grant, private)
        await visit.page.tab.ask("POST", "url", {"url": judged.target.url})
        return await self._told(visit)

    async def outline(
        self, grant: Grant, start: Annotated[int, Meta(ge=0, description="where to go on")] = 0
    ) -> str:
        """Tell what the page shows."""
        return await self._told(self._find(grant), start)

    async def click(self, grant: Grant, ref: Ref) -> str:
        """Click on something."""
        visit = self._find(grant)
        await visit.page.tab.ask("POST", f"element/{_element(visit, ref)}/click")
        return await self._told(visit)

    async def type(
        self, grant: Grant, ref: Ref, text: Annotated[str, Meta(max_length=10_000)]
    ) -> str:
        """Write into a field, in place of what is there."""
        visit = self._find(grant)
        at = f"element/{_element(visit, ref)}"
        if await visit.page.tab.ask("GET", f"{at}/property/type") == "file":
            raise Denied("No file is uploaded.")
        await visit.page.tab.ask("POST", f"{at}/clear")
        await visit.page.tab.ask("POST", f"{at}/value", {"text": text})
        return await self._told(visit)

    async def fill_secret(
        self,
        grant: Grant,
        ref: Ref,
        secret: Annotated[str, Meta(pattern=r"\Asecret://[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")],
        field: Annotated[str, Meta(description="username, password ...")] = "password",
    ) -> str:
        """Have a secret put into a field; its text is never shown."""
        from clawdbot.sandbox.webdriver import Secretly  # noqa: PLC0415 - for those who browse

        visit, gear = self._find(grant), await self._gear()
        wanted = Secretly(secret.removeprefix("secret://"), field, "")
        await visit.page.fill(_element(visit, ref), wanted, gear.keyring)
        return await self._told(visit)

    async def screenshot(self, grant: Grant) -> str:
        """Save a picture of what can be seen."""
        visit = self._find(grant)
        if await visit.page.is_shown():
            raise Denied("The page has a secret in it: it is not shown.")
        data = b64decode(str(await visit.page.tab.ask("GET", "screenshot")))
        return self._kept(grant, "screenshot.png", data)

    async def download(self, grant: Grant, ref: Ref) -> str:
        """Click on something that is a file, and keep it apart; it is never opened."""
        visit = self._find(grant)
        at, name = f"element/{_element(visit, ref)}/click", sha256(grant.id.encode()).hexdigest()
        saved = (await self._gear()).downloads / name
        await visit.page.tab.save(name)
        try:
            await visit.page.tab.ask("POST", at)
            async with asyncio.timeout(_SAVED_S):
                while not (found := await asyncio.to_thread(_whole, saved)):  # noqa: ASYNC110 - a folder tells no event
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise ToolFailed("No file came.") from None
        finally:
            await visit.page.tab.save("")
            await asyncio.to_thread(shutil.rmtree, saved, ignore_errors=True)
        return self._kept(grant, *found)

    async def _begin(self, grant: Grant, private: str) -> _Visit:
        """Open a page; what was open in this conversation is closed, or else the idlest."""
        old = self._visits.pop(_key(grant), None)
        if old is None and len(self._visits) >= _MOST:
            old = self._visits.pop(next(iter(self._visits)))
        if old is not None:
            old.ends.set()
        begun: asyncio.Future[_Visit] = asyncio.get_running_loop().create_future()
        task = self._group.create_task(self._keep(grant, private, begun))
        task.add_done_callback(lambda _: begun.cancel())
        return await begun

    async def _keep(self, grant: Grant, private: str, begun: asyncio.Future[_Visit]) -> None:
        """Be one visit, from its begin to its end."""
        hosts, near = ((private,), (private,)) if private else (self._web.hosts, ())
        visit = None
        try:
            async with (await self._gear()).page(Rules.of(hosts, near)) as page:
                visit = _Visit(page, private)
                self._visits[_key(grant)] = visit
                _touch(visit)
                if not begun.done():  # whoever asked is still there
                    begun.set_result(visit)
                    await visit.ends.wait()
        except (Failure, OSError, TimeoutError) as error:
            if not begun.done():
                said = str(error) if isinstance(error, Failure) else "The browser does not start."
                begun.set_exception(ToolFailed(said))
        finally:
            if visit is not None and self._visits.get(_key(grant)) is visit:
                del self._visits[_key(grant)]

    def _find(self, grant: Grant) -> _Visit:
        if (visit := self._visits.pop(_key(grant), None)) is None:
            raise ToolFailed("No page is open. Open one first.")
        self._visits[_key(grant)] = visit  # the last is the last used
        _touch(visit)
        return visit

    async def _told(self, visit: _Visit, start: int = 0) -> str:
        """Tell the page as an outline, and keep the numbers."""
        from clawdbot.sandbox.webdriver import ELEMENT  # noqa: PLC0415

        tab = visit.page.tab
        for handle in set(await tab.targets("page")) - visit.windows:
            visit.windows.add(handle)
            await tab.ask("POST", "window", {"handle": handle})  # a link has opened it
        found = await tab.ask("POST", "execute/sync", {"script": _JS, "args": [visit.page.secret]})
        if visit.page.hides(found):
            raise Denied("There is a secret in the answer.")
        outline = msgspec.convert(found, _Outline)
        visit.elements.clear()
        lines = [outline.url, outline.title]
        for line in outline.lines:
            if line.element is None:
                lines.append(line.text)
            else:
                visit.elements.append(line.element[ELEMENT])
                lines.append(f"[{len(visit.elements)}] {line.text}")
        text = "\n".join(lines)
        rest = f"\n[Cut. Go on with start={start + _CUT}.]" if start + _CUT < len(text) else ""
        return text[start : start + _CUT] + rest

    def _kept(self, grant: Grant, name: str, data: bytes) -> str:
        """Keep a file apart, under a name of ours where its own is strange or taken."""
        folder = self._folders.work(grant) / "quarantine"
        folder.mkdir(mode=0o700, exist_ok=True)
        safe = _STRANGE.sub("_", name).lstrip(".")[-80:] or "file"
        path = next(
            path
            for n in range(10_000)
            if not (path := folder / (f"{n}-{safe}" if n else safe)).exists()
        )
        path.write_bytes(data)
        path.chmod(0o600)
        return f"quarantine/{path.name}, {len(data)} B"


def tools(visits: Visits) -> tuple[Tool, ...]:
    """Give the tools, over these visits."""
    return (
        _tool("open", visits.open, "Open a web page in a browser", (Sink("url", SinkKind.URL),)),
        _tool("click", visits.click, "Click on what has a number in the page's outline"),
        _tool("type", visits.type, "Write into a field of the page"),
        _tool(
            "fill_secret",
            visits.fill_secret,
            "Have a kept secret put into a field of the page, unseen",
            (Sink("secret", SinkKind.NAME),),
        ),
        _tool("download", visits.download, "Click on a file of the page and keep it"),
        Tool(
            manifest=Manifest(name="browser_outline", effect=Effect.READ),
            description="What the open page shows, by numbers for other tools",
            read=visits.outline,
        ),
        Tool(
            manifest=Manifest(name="browser_screenshot", effect=Effect.READ),
            description="Save a picture of the open page",
            read=visits.screenshot,
        ),
    )


def _tool(name: str, act: Reading, description: str, sinks: tuple[Sink, ...] = ()) -> Tool:
    manifest = Manifest(name=f"browser_{name}", effect=Effect.EGRESS, sinks=sinks)
    return Tool(manifest=manifest, description=description, act=act)


def _key(grant: Grant) -> tuple[str, str]:
    return grant.user.id, grant.conversation


async def _lives(visit: _Visit) -> bool:
    try:
        await visit.page.tab.ask("GET", "window")
    except ToolFailed:
        return False
    return True


def _touch(visit: _Visit) -> None:
    """Let a visit end a while after its last use."""
    if visit.timer is not None:
        visit.timer.cancel()
    visit.timer = asyncio.get_running_loop().call_later(_IDLE_S, visit.ends.set)


def _element(visit: _Visit, ref: int) -> str:
    if not 0 < ref <= len(visit.elements):
        raise ToolFailed("The outline has no such number. Ask for the outline again.")
    return visit.elements[ref - 1]


def _whole(folder: Path) -> tuple[str, bytes] | None:
    """Take a file out of the folder that the browser saves in, once it is whole."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.suffix == ".crdownload" or list(folder.glob("*.crdownload")):
            continue
        descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(_SAVED_MOST + 1)
        entry.unlink()
        if len(data) > _SAVED_MOST:
            raise ToolFailed("The file is too large.")
        return entry.name, data
    return None
