"""What ails this installation, and the line that mends it: facts become findings.

A finding that is not `ok` needs the user; one that is may still name what could be better.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from clawdbot.domain.errors import Failure
from clawdbot.domain.settings import Budgets, Core, Protocol
from clawdbot.domain.text import say, told
from clawdbot.gateway.control import Status
from clawdbot.models.catalog import price_of
from clawdbot.sandbox.profile import CHROMIUM, DRIVER
from clawdbot.sandbox.selftest import Mechanism
from clawdbot.store.proof import Verdict
from clawdbot.tools.servers import Shown as Server
from clawdbot.tools.trust import Shown as Plugin

_SHOWN_MOST = 3
# What stands there is the user's own, or was made in a box; the folders above close it.
_OPEN_TO_ALL = {"plugins", "skills", "work"}
_SERVED = {Protocol.OPENAI, Protocol.ANTHROPIC}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one area, and the line that mends or betters it.

    What is `missing` is an optional part: nothing is wrong without it.
    """

    area: str
    ok: bool
    text: str
    remedy: str = ""
    missing: bool = False

    @property
    def how(self) -> str:
        """Say it in a word or two."""
        if self.missing:
            return "not installed"
        return "well" if self.ok else "ill"


def files(home: Path, language: str) -> Finding:
    """Look for files and folders that others on this machine could read."""
    loose = [str(path) for path in _tree(home) if _mode(path) & 0o077]
    if not loose:
        text = say(language, "{home} is closed to others.", home=home)
        return Finding(area=say(language, "Files"), ok=True, text=text)
    more = f" (+{len(loose) - _SHOWN_MOST})" if len(loose) > _SHOWN_MOST else ""
    names = ", ".join(loose[:_SHOWN_MOST]) + more
    text = say(language, "Others can read: {files}", files=names)
    return Finding(area=say(language, "Files"), ok=False, text=text, remedy=f"chmod -R go= {home}")


def programs(language: str) -> Iterator[Finding]:
    """Look for what the browser and other servers' tools need; nothing else needs them."""
    there = [path for path in (CHROMIUM, DRIVER) if not Path(path).exists()]
    needs: tuple[tuple[str, bool, str], ...] = (
        ("Chromium", not there, "install.sh --with browser"),
        ("selenium", find_spec("selenium") is not None, "install.sh --with browser"),
        ("mcp", find_spec("mcp") is not None, "install.sh --with mcp"),
    )
    for name, found, remedy in needs:
        if found:
            yield Finding(area=name, ok=True, text=say(language, "installed"))
        else:
            text = say(language, "what needs it is not offered")
            yield Finding(area=name, ok=True, text=text, remedy=remedy, missing=True)


def master_key(keys: Sequence[bytes], language: str) -> Finding:
    """Tell whether there is one, and only one: a second is an older one that still opens."""
    area, remedy = say(language, "Master key"), ""
    text = say(language, "there" if keys else "none yet: it is made with the first secret")
    if len(keys) > 1:
        text = say(language, "an older one is still there: its rotation did not end")
        remedy = "clawdbot secret rotate"
    return Finding(area=area, ok=len(keys) < 2, text=text, remedy=remedy)


def routes(core: Core, language: str) -> Iterator[Finding]:
    """Tell which model answers on each route, and where none can."""
    for name, route in core.model_routing.items():
        area = say(language, "Model route {name}", name=name)
        provider = core.providers.get(route.provider)
        if provider is None or (provider.protocol in _SERVED and not provider.url):
            text = say(language, "The provider {name} has no address.", name=route.provider)
            yield Finding(area=area, ok=False, text=text, remedy="clawdbot setup")
        elif name == "default" and provider.protocol is Protocol.OFFLINE:
            text = say(language, "No language model is set; the offline assistant answers.")
            yield Finding(area=area, ok=True, text=text, remedy="clawdbot setup")
        elif core.budgets != Budgets() and not price_of(provider, route.model or provider.model):
            text = say(language, "Its price is unknown, so budgets do not count it.")
            remedy = f"providers: {{{route.provider}: {{price: {{in: ..., out: ...}}}}}}"
            yield Finding(area=area, ok=False, text=text, remedy=remedy)
        else:
            text = f"{route.provider} {route.model or provider.model}".strip()
            yield Finding(area=area, ok=True, text=text)


def sandbox(mechanisms: Sequence[Mechanism], language: str) -> Iterator[Finding]:
    """Tell what each mechanism's self-test found; one that works is enough."""
    works = any(each.usable for each in mechanisms)
    for each in mechanisms:
        text = say(language, "stops all {number} probes", number=len(each.probes))
        if each.opened:
            text = say(
                language, "switched off: it does not stop {probes}", probes=", ".join(each.opened)
            )
            text = "; ".join(filter(None, (text, told(language, each.reason))))
        elif not each.usable:
            text = say(language, "switched off: {reason}", reason=told(language, each.reason))
        area = say(language, "Sandbox: {name}", name=each.name)
        yield Finding(area=area, ok=works, text=text, remedy=each.remedy)


def service(status: Status, language: str) -> Iterator[Finding]:
    """Tell whether it runs, has room, and reaches its channels."""
    silent = not status.address and bool(status.channels)
    text = say(language, "runs") if status.address else say(language, "does not run")
    remedy = "" if status.address else "clawdbot start"
    yield Finding(area=say(language, "Service"), ok=not silent, text=text, remedy=remedy)
    room = (
        say(language, "enough room")
        if status.room_left
        else say(language, "almost full: nothing is accepted")
    )
    yield Finding(area=say(language, "Disk"), ok=status.room_left, text=room)
    for each in status.channels if status.address else ():
        text = (
            say(language, "works")
            if each.up
            else say(language, "down: {reason}", reason=told(language, each.reason))
        )
        text = say(language, "paused") if each.paused else text
        remedy, ok = told(language, each.remedy), each.up or each.paused
        yield Finding(area=f"{each.kind}/{each.account}", ok=ok, text=text, remedy=remedy)


def servers(found: Iterable[Server], language: str) -> Iterator[Finding]:
    """Tell of each tool server whether it works, or what it waits for."""
    for each in found:
        area, untrusted = f"MCP: {each.name}", each.state in {"new", "changed"}
        text, remedy = say(language, "tools: {number}", number=len(each.tools)), ""
        if untrusted:
            text = say(language, "its tools wait for a look and a yes")
            remedy = f"clawdbot mcp show {each.name}; clawdbot mcp trust {each.name}"
        elif each.problem:
            text = say(language, "down: {reason}", reason=told(language, each.problem))
        ok = not untrusted and not each.problem
        yield Finding(area=area, ok=ok, text=text, remedy=remedy)


def plugins(found: Iterable[Plugin], language: str) -> Iterator[Finding]:
    """Tell which plugins run, and which do no more."""
    for each in found:
        area = say(language, "Plugin {name}", name=each.name)
        trust = f"clawdbot plugin trust {each.name}"
        match each.state:
            case "trusted":
                yield Finding(area=area, ok=True, text=say(language, "trusted"))
            case "new":
                text = say(language, "does not run: nobody trusted it yet")
                yield Finding(area=area, ok=True, text=text, remedy=trust)
            case "changed":
                text = say(language, "does not run any more: it changed since it was trusted")
                yield Finding(area=area, ok=False, text=text, remedy=trust)
            case "gone":
                text = say(language, "was trusted, and is not there any more")
                remedy = f"clawdbot plugin remove {each.name}"
                yield Finding(area=area, ok=False, text=text, remedy=remedy)
            case _:
                remedy = f"clawdbot plugin show {each.name}"
                text = told(language, each.problem)
                yield Finding(area=area, ok=False, text=text, remedy=remedy)


def record(verdict: Verdict, language: str) -> Finding:
    """Tell whether the audit trail is as it was written."""
    area = say(language, "Record")
    if bad := verdict.bad:
        place = say(language, "Chain {chain}, row {place}", chain=bad.chain, place=bad.place)
        text = f"{place}: {say(language, bad.fault)}"
        return Finding(area=area, ok=False, text=text, remedy="clawdbot audit verify")
    text = say(
        language,
        "{rows} rows and {number} checkpoints are as they were written.",
        rows=verdict.rows,
        number=verdict.checkpoints,
    )
    return Finding(area=area, ok=True, text=text)


def failed(area: str, error: Failure, language: str) -> Finding:
    """Tell of a part that could not even be looked at."""
    text, remedy = error.told(language)[0], told(language, error.remedy)
    return Finding(area=area, ok=False, text=text, remedy=remedy)


def _tree(home: Path) -> Iterable[Path]:
    yield home
    for folder, folders, names in os.walk(home):
        folders[:] = [name for name in folders if name not in _OPEN_TO_ALL]
        yield from (Path(folder, name) for name in (*folders, *names))


def _mode(path: Path) -> int:
    try:
        found = path.lstat().st_mode
    except OSError:  # it went while we looked
        return 0
    return 0 if stat.S_ISLNK(found) else found
