"""Files beneath the conversation's folder and granted roots: read, write, patch, list, search."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from msgspec import Meta

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.tools.folders import Folders
from clawdbot.tools.registry import Grant, Reading, Tool

T = TypeVar("T")
Text = Annotated[str, Meta(max_length=1_000_000)]
From = Annotated[int, Meta(ge=1, description="first line")]
Lines = Annotated[int, Meta(ge=1, le=2000)]

_LISTED_MOST = 500
_HITS_MOST = 50
_LINE_MOST = 300


class Files:
    """The tools, bound to the folders that there are."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    async def read(self, grant: Grant, path: str, first_line: From = 1, lines: Lines = 400) -> str:
        """Tell the lines of a text file, and where it goes on."""
        text = await _off(lambda: self._text(grant, path))
        found = text.splitlines()
        shown = found[first_line - 1 : first_line - 1 + lines]
        after = first_line - 1 + len(shown)
        rest = f"\n({len(found)} lines in all; go on at {after + 1})" if after < len(found) else ""
        return "\n".join(shown) + rest

    async def write(self, grant: Grant, path: str, text: Text) -> str:
        """Put a text file in place."""
        await _off(lambda: self._put(grant, path, text))
        return f"Wrote {path} ({len(text.splitlines())} lines)."

    async def patch(self, grant: Grant, path: str, old: Text, new: Text) -> str:
        """Replace a piece of a text file that stands there exactly once."""

        def change() -> None:
            text = self._text(grant, path)
            if (count := text.count(old) if old else 0) != 1:
                raise ToolFailed(f"The piece to replace stands {count} times in {path}, not once.")
            self._put(grant, path, text.replace(old, new))

        await _off(change)
        return f"Changed {path}."

    async def list(self, grant: Grant, path: str = "") -> str:
        """List what is beneath a folder, and the roots."""
        beneath, rest = self._folders.find(grant, path)
        found = await _off(lambda: beneath.walk(rest, _LISTED_MOST))
        lines = [f"{name}  {size}" if not name.endswith("/") else name for name, size in found]
        roots = ", ".join(f"/{name}" for name in ("work", *self._folders.roots(grant)))
        return "\n".join([f"(roots: {roots})", *lines])

    async def search(
        self, grant: Grant, text: Annotated[str, Meta(min_length=1, max_length=200)], path: str = ""
    ) -> str:
        """Find lines that contain a text."""
        beneath, rest = self._folders.find(grant, path)

        def look() -> list[str]:
            hits: list[str] = []
            for name, _ in beneath.walk(rest, _LISTED_MOST):
                if name.endswith("/") or len(hits) >= _HITS_MOST:
                    continue
                try:
                    body = beneath.read("/".join(filter(None, (rest, name)))).decode()
                except (ToolFailed, UnicodeDecodeError):
                    continue  # too large, or no text
                hits += [
                    f"{name}:{number}: {line.strip()[:_LINE_MOST]}"
                    for number, line in enumerate(body.splitlines(), 1)
                    if text.casefold() in line.casefold()
                ]
            return hits[:_HITS_MOST]

        return "\n".join(await _off(look)) or "Nothing found."

    def _text(self, grant: Grant, path: str) -> str:
        beneath, rest = self._folders.find(grant, path)
        try:
            return beneath.read(rest).decode()
        except UnicodeDecodeError as error:
            raise ToolFailed(f"{path} is no text.") from error

    def _put(self, grant: Grant, path: str, text: str) -> None:
        beneath, rest = self._folders.find(grant, path, write=True)
        beneath.write(rest, text.encode(errors="replace"))


def tools(folders: Folders) -> tuple[Tool, ...]:
    """Make the tools."""
    files, sinks = Files(folders), (Sink("path", SinkKind.PATH),)

    def reads(name: str, description: str, fn: Reading) -> Tool:
        manifest = Manifest(name=name, effect=Effect.READ, private=True)
        return Tool(manifest=manifest, description=description, read=fn)

    def writes(name: str, description: str, fn: Reading, *, again: bool) -> Tool:
        manifest = Manifest(name=name, effect=Effect.WRITE, sinks=sinks, idempotent=again)
        return Tool(manifest=manifest, description=description, act=fn)

    return (
        reads("files_read", "Read a text file", files.read),
        reads("files_list", "List files; a bare path is in this conversation's folder", files.list),
        reads("files_search", "Find lines in files", files.search),
        writes("files_write", "Write a whole text file", files.write, again=True),
        writes("files_patch", "Replace one piece of a text file", files.patch, again=False),
    )


async def _off(work: Callable[[], T]) -> T:
    """Work on a thread; what the disk refuses is said in one sentence."""
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise ToolFailed(f"The disk refuses: {error.strerror or error}") from error
