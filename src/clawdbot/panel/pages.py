"""Pages in the reader's language, and the static files that they use, under a versioned address.

Knows no conversation and no log-in beyond who asks. Everything is escaped but what `markdown` made.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache, partial
from importlib.resources import files
from importlib.util import cache_from_source
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aiohttp import web
from markupsafe import Markup, escape

from clawdbot.domain.people import User
from clawdbot.domain.text import LANGUAGES, language_of, say, told
from clawdbot.gateway.route import Caller

if TYPE_CHECKING:
    from jinja2 import Environment

_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_NONE: Mapping[str, object] = MappingProxyType({})
_CODE = Markup("<code>{}</code>")
_FOREVER = "public, max-age=31536000, immutable"


def page(
    template: str,
    request: web.Request,
    caller: Caller,
    values: Mapping[str, object] = _NONE,
    *,
    status: int = 200,
) -> web.Response:
    """Fill in a template for whoever asks."""
    language = language_for(request, caller)
    text = (
        _environment()
        .get_template(f"{template}.html")
        .render(
            caller=caller,
            language=language,
            languages=LANGUAGES,
            static=f"/static/{_static()[0]}",
            t=partial(say, language),
            coded=coded,
            **values,
        )
    )
    return web.Response(text=text, status=status, content_type="text/html")


def html(text: str) -> str:
    """Make safe HTML of Markdown; what it takes is loaded with the first text, as a page's is."""
    from clawdbot.panel.markdown import render  # noqa: PLC0415

    return render(text)


def coded(text: str) -> Markup:
    """Show what stands between backticks as code."""
    parts = (_CODE.format(p) if n % 2 else escape(p) for n, p in enumerate(text.split("`")))
    return Markup("").join(parts)


def to(path: str) -> web.Response:
    """Send the browser to another page, to be asked for anew."""
    return web.Response(status=303, headers={"Location": path})


def language_for(request: web.Request, caller: Caller) -> str:
    """Choose the user's language, of a stranger the one asked for or the browser's first."""
    if caller.user is not None:
        return caller.user.language
    if (wish := request.query.get("lang", "")) in LANGUAGES:
        return wish
    for tag in request.headers.get("Accept-Language", "").split(","):
        if tag.strip().lower()[:2] in LANGUAGES:
            return language_of(tag.strip())
    return "en"


def when(at: float, now: float, zone: ZoneInfo, language: str, *, exact: bool = False) -> str:
    """Tell a moment: today's by the clock, an older one by its day, or both where it is `exact`."""
    then, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    clock = f"{then:%H:%M}"
    days = (today.date() - then.date()).days
    if days == 0:
        return clock
    day = f"{then.month}月{then.day}日" if language == "zh" else f"{then:%b} {then.day}"
    if days == 1:
        day = say(language, "Yesterday")
    elif then.year != today.year:
        day = say(language, "{day}, {year}", day=day, year=then.year)
    return f"{day} {clock}" if exact else day


def moments(user: User, now: float) -> Callable[..., str]:
    """Give a way to tell moments as a user reads them."""
    zone = ZoneInfo(user.timezone)

    def moment(at: float, *, exact: bool = False) -> str:
        return when(at, now, zone, user.language, exact=exact)

    return moment


def fault(request: web.Request, caller: Caller, status: int, text: str) -> web.Response:
    """Tell what went wrong, in a page."""
    from clawdbot.gateway import misfit  # noqa: PLC0415 - first needed here

    language = language_for(request, caller)
    words = misfit.told(language, told(language, text))
    return page("fault", request, caller, {"words": words}, status=status)


async def static(request: web.Request, _: Caller) -> web.Response:
    """Serve a static file; its address changes with its content."""
    version, found = _static()
    body = found.get(request.match_info["name"])
    if body is None or request.match_info["version"] != version:
        raise web.HTTPNotFound
    kind = _KINDS[request.match_info["name"].rpartition(".")[2]]
    headers = {"Cache-Control": _FOREVER}
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)


@cache
def _static() -> tuple[str, dict[str, bytes]]:
    folder = files("clawdbot.panel") / "static"
    found = {
        file.name: file.read_bytes() for file in sorted(folder.iterdir(), key=lambda f: f.name)
    }
    return hashlib.sha256(repr(found).encode()).hexdigest()[:12], found


@cache
def _environment() -> "Environment":
    # Loaded with the first page: many a service never shows one.
    from jinja2 import (  # noqa: PLC0415
        Environment,
        FileSystemBytecodeCache,
        PackageLoader,
        StrictUndefined,
    )
    from jinja2.bccache import Bucket  # noqa: PLC0415

    class Compiled(FileSystemBytecodeCache):
        """Pages compiled once an installation, where Python keeps this module's code if we may."""

        def load_bytecode(self, bucket: Bucket) -> None:
            with suppress(OSError):
                super().load_bytecode(bucket)

        def dump_bytecode(self, bucket: Bucket) -> None:
            with suppress(OSError):
                super().dump_bytecode(bucket)

    return Environment(
        loader=PackageLoader("clawdbot.panel", "pages"),
        bytecode_cache=Compiled(str(Path(cache_from_source(__file__)).parent), "%s.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
