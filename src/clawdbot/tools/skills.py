"""Skills: folders whose SKILL.md tells how something is done, in the open agent-skills format.

Only names and descriptions are in sight until one is used. An owner's decision covers every byte
of a folder; those bytes are kept under their hash, and nothing else is ever shown or run. Where a
folder was changed since, its skill waits for the next decision.
"""

import asyncio
import re
from pathlib import Path
from typing import Annotated

import msgspec
import yaml
from msgspec import Meta

from clawdbot.domain.errors import BadInput, PluginFailed, ToolFailed
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.sandbox.profile import Bind
from clawdbot.store.plugins import Trusted
from clawdbot.store.rights import Kept
from clawdbot.tools import packages
from clawdbot.tools.decisions import Decisions
from clawdbot.tools.packages import Package
from clawdbot.tools.registry import Grant, Registry, Tool

MAIN = "SKILL.md"
PLACE = "/skills"
_HEAD = re.compile(r"\ufeff?---\n(.{1,8000}?\n)---(\n|\Z)", re.DOTALL)
_TEXT_MOST = 40_000


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at the head of a SKILL.md; what else may stand there is not ours."""

    name: Annotated[str, Meta(pattern=r"\A[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=64)]
    description: Annotated[str, Meta(min_length=1, max_length=1024)]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A skill as it is listed; `state` is trusted, changed, new, gone or broken."""

    name: str
    state: str
    problem: str = ""
    description: str = ""
    hash: str = ""
    files: tuple[str, ...] = ()
    text: str = ""


class Skills:
    """The skills of an installation, and the tool that shows those that are trusted."""

    def __init__(self, home: Path, decisions: Decisions, registry: Registry) -> None:
        self._folder = home / "skills"
        self._kept = home / "data" / "skills"
        self._decisions = decisions
        self._registry = registry
        self._decided: dict[str, Trusted] = {}
        self._usable: dict[str, Trusted] = {}

    async def begin(self) -> None:
        """Offer what is trusted, and forget what is kept of anything else."""
        await self._refresh()
        hashes = {row.hash for row in self._decided.values()}
        await asyncio.to_thread(packages.forget, hashes, self._kept)

    async def listed(self) -> list[Shown]:
        """List the skills that are there, and those that were trusted and are gone."""
        await self._refresh()
        found = await asyncio.to_thread(_discovered, self._folder)
        return [
            msgspec.structs.replace(self._shown(name, found.get(name)), text="")
            for name in sorted({*found, *self._decided})
        ]

    async def shown(self, name: str) -> Shown:
        """Tell all about a skill."""
        await self._refresh()
        return self._shown(name, await self._found(name))

    async def trust(self, name: str, *, by: str = "") -> Shown:
        """Keep the owner's decision for exactly these bytes."""
        package = await self._found(name)
        if isinstance(package, PluginFailed):
            raise package
        await asyncio.to_thread(packages.kept, package, self._kept)
        told = msgspec.json.encode(_front(package))
        await self._decisions.trust(name, package.hash, told, _runs_skills, by=by)
        return await self.shown(name)

    async def remove(self, name: str) -> None:
        """Forget a skill and the decision on it; its files go too."""
        package = await asyncio.to_thread(_discovered, self._folder)
        known = await self._decisions.withdraw(name, _runs_skills)
        if name in package:
            await asyncio.to_thread(packages.removed, name, self._folder)
        elif not known:
            raise BadInput("There is no skill of that name. See `clawdbot skill list`.")
        await self._refresh()

    async def distrust(self, name: str, *, by: str = "") -> None:
        """Take the trust in a skill back, and the standing yeses of all; its files stay."""
        await self._decisions.withdraw(name, _runs_skills, by=by)
        await self._refresh()

    async def binds(self) -> tuple[Bind, ...]:
        """Give what a box sees of the skills that may be used now."""
        await self._refresh()
        return tuple(
            Bind(host=str(self._kept / row.hash), inside=f"{PLACE}/{name}")
            for name, row in self._usable.items()
        )

    async def _refresh(self) -> None:
        """Offer the skills that are trusted and unchanged."""
        self._decided = await self._decisions.all()
        self._usable = await asyncio.to_thread(self._unchanged)
        self._registry.replace("skills", (self._tool(),) if self._usable else ())

    def _unchanged(self) -> dict[str, Trusted]:
        found = _discovered(self._folder) if self._decided else {}
        return {
            name: row
            for name, row in self._decided.items()
            if isinstance(package := found.get(name), Package)
            and package.hash == row.hash
            and packages.whole(row.hash, MAIN, self._kept)
        }

    def _tool(self) -> Tool:
        fronts = [msgspec.json.decode(row.manifest, type=Front) for row in self._usable.values()]
        listed = "\n".join(f"{each.name}: {each.description}" for each in fronts)
        return Tool(
            manifest=Manifest(name="skill", effect=Effect.READ, trusted=True),
            description=f"Read how something is done before doing it. There are:\n{listed}",
            read=self._read,
        )

    async def _read(
        self,
        grant: Grant,
        name: str,
        file: Annotated[str, Meta(description="another file of the skill")] = MAIN,
    ) -> str:
        await self._refresh()
        if (row := self._usable.get(name)) is None:
            raise ToolFailed(f"There is no skill {name!r} that an owner trusts as it is now.")
        kept = await asyncio.to_thread(_package, name, self._kept / row.hash)
        if kept.hash != row.hash:
            raise ToolFailed(f"What is kept of {name} is not what was trusted.")
        if (data := kept.files.get(file)) is None:
            raise ToolFailed(f"{name} has no file {file!r}; it has: {', '.join(kept.files)}.")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise ToolFailed(f"{file} is no text.") from error
        more = [each for each in kept.files if each != file] if file == MAIN else []
        told = text if len(text) <= _TEXT_MOST else f"{text[:_TEXT_MOST]}\n(cut)"
        return f"{told}\n(More in {PLACE}/{name} of the shell: {', '.join(more)})" if more else told

    async def _found(self, name: str) -> Package | PluginFailed:
        found = (await asyncio.to_thread(_discovered, self._folder)).get(name)
        if found is None:
            raise BadInput("There is no skill of that name. See `clawdbot skill list`.")
        return found

    def _shown(self, name: str, package: Package | PluginFailed | None) -> Shown:
        if package is None:
            return Shown(name=name, state="gone")
        if isinstance(package, PluginFailed):
            return Shown(name=name, state="broken", problem=str(package))
        state = "trusted" if name in self._usable else "new"
        return Shown(
            name=name,
            state="changed" if state == "new" and name in self._decided else state,
            description=_front(package).description,
            hash=package.hash,
            files=tuple(package.files),
            text=package.files[MAIN].decode(errors="replace"),
        )


def _runs_skills(kept: Kept) -> bool:
    """Tell whether a standing yes is for a command that names the skills' place."""
    return PLACE in " ".join(kept.pattern.values())


def _discovered(folder: Path) -> dict[str, Package | PluginFailed]:
    """Read every skill, whole, once."""
    found: dict[str, Package | PluginFailed] = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        try:
            _front(package := _package(entry.name, entry))
            found[entry.name] = package
        except PluginFailed as error:
            found[entry.name] = error
    return found


def _package(name: str, folder: Path) -> Package:
    try:
        return Package(name=name, main=MAIN, files=dict(packages.files_of(folder)))
    except OSError as error:
        raise PluginFailed(f"{name} cannot be read: {error.strerror or error}") from error


def _front(package: Package) -> Front:
    """Read the head of a SKILL.md; raises PluginFailed."""
    text = package.files.get(MAIN, b"").decode(errors="replace").replace("\r\n", "\n")
    found = _HEAD.match(text)
    try:
        front = msgspec.convert(yaml.safe_load(found[1] if found else ""), Front)
    except (ValueError, RecursionError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise PluginFailed(f"{MAIN} does not begin with a name and a description.") from error
    if front.name != package.name:
        raise PluginFailed(f"{MAIN} names another skill than its folder.")
    return front
