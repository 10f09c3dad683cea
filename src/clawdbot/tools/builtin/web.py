"""The web: pages as readable text, and plain requests to granted hosts.

What comes back is others' text. A secret is put into a header once its host is allowed, and taken
out of whatever comes back.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Literal
from urllib.parse import urljoin

from msgspec import Meta

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.errors import SettingsInvalid, ToolFailed
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Net, Web
from clawdbot.domain.text import say
from clawdbot.net.client import NetFailed, Request
from clawdbot.net.egress import Refuse, Rules, judge
from clawdbot.net.fetch import Caps, Fetch, Page
from clawdbot.tools.readable import decoded, readable, visible
from clawdbot.tools.registry import Grant, Tool

Reveal = Callable[[str, str], Awaitable[Secret]]  # (secret://name, the URL it is for); or Denied

_SHOWN = 20_000
_PARSED_MOST = 400_000
_HTML = {"text/html", "application/xhtml+xml"}
_TEXT = re.compile(r"text/.+|application/(.+\+)?(json|xml|yaml|x-yaml|javascript|x-ndjson)")
_SECRET = re.compile(r"secret://[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_VALUE = re.compile(r"[\t\x20-\x7e]{0,4096}")
_TOLD = {"content-type", "date", "etag", "last-modified", "location", "retry-after"}
_OURS = {
    "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer",
    "transfer-encoding", "upgrade",
}  # fmt: skip

Url = Annotated[str, Meta(min_length=8, max_length=4096)]


class _Web:
    def __init__(self, fetch: Fetch, net: Net, web: Web, reveal: Reveal) -> None:
        self._fetch = fetch
        self._reveal = reveal
        self._pages = rules("web.hosts", web.hosts, net)
        self._granted = rules("web.http_hosts", web.http_hosts, net)
        self._caps = Caps(
            timeout_s=web.timeout_s, body_bytes=web.body_max_bytes, redirects=web.redirects
        )

    async def page(
        self,
        grant: Grant,
        url: Url,
        start: Annotated[int, Meta(ge=0, description="where to go on in a long page")] = 0,
    ) -> str:
        """Read a page."""
        request = Request(method="GET", url=url.strip(), headers={"Accept": "text/html, text/*"})
        page = await _sent(self._fetch, request, self._pages, self._caps)
        if not 200 <= page.status < 300:
            raise ToolFailed(say(grant.language, "The page answered {status}.", status=page.status))
        # A page may be made to take long: the others' turns go on meanwhile.
        text = await asyncio.to_thread(_readable, page)
        part = text[start : start + _SHOWN]
        if start + _SHOWN < len(text):
            part += f"\n\n[Cut. Go on with start={start + _SHOWN}; {len(text)} in all.]"
        return f"{page.url}\n\n{part}"

    async def http(
        self,
        grant: Grant,
        url: Url,
        method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET",
        headers: Annotated[dict[str, str], Meta(description="a value may hold secret://name")] = {},  # noqa: B006 - never changed
        body: Annotated[str, Meta(max_length=1_000_000)] = "",
    ) -> str:
        """Make a request."""
        if isinstance(judged := judge(url, self._granted), Refuse):
            raise ToolFailed(f"{judged.reason}.")
        revealed: dict[str, str] = {}
        for reference in set(_SECRET.findall(" ".join(headers.values()))):
            revealed[reference] = (await self._reveal(reference, judged.target.url)).reveal()
        request = Request(
            method=method, url=url, headers=_filled(headers, revealed), data=body.encode()
        )
        caps = Caps(timeout_s=self._caps.timeout_s, body_bytes=self._caps.body_bytes)
        page = await _sent(self._fetch, request, self._granted, caps)
        kept = (
            f"{name}: {value}\n" for name, value in page.headers.items() if name.lower() in _TOLD
        )
        text = f"{page.status}\n{''.join(kept)}\n{_text(page)}"
        for reference, secret in revealed.items():
            text = text.replace(secret, reference)
        return text[:_SHOWN]


def tools(fetch: Fetch, net: Net, web: Web, reveal: Reveal) -> tuple[Tool, ...]:
    """Give the tools, over these doors; raises SettingsInvalid."""
    ours = _Web(fetch, net, web, reveal)
    sinks = (Sink("url", SinkKind.URL),)
    pages = Manifest(
        name="web_fetch", effect=Effect.EGRESS, sinks=sinks, hosts=web.hosts, idempotent=True
    )
    asks = Manifest(name="http", effect=Effect.EGRESS, sinks=sinks, hosts=web.http_hosts)
    found = (
        Tool(manifest=pages, description="Read a web page as text", act=ours.page),
        Tool(
            manifest=asks,
            description=f"{', '.join(web.http_hosts)}: make an HTTP request there",
            act=ours.http,
        ),
    )
    return found if web.http_hosts else found[:1]


def rules(setting: str, hosts: Iterable[str], net: Net) -> Rules:
    """Read the rules of a setting; raises SettingsInvalid."""
    try:
        return Rules.of(hosts, net.private)
    except ValueError as error:
        raise SettingsInvalid(f"{setting}: {error}") from error


async def _sent(fetch: Fetch, request: Request, allowed: Rules, caps: Caps) -> Page:
    try:
        return await fetch.send(request, allowed, caps)
    except NetFailed as error:
        raise ToolFailed(str(error)) from error


def _filled(headers: Mapping[str, str], revealed: Mapping[str, str]) -> dict[str, str]:
    """Put secrets in their places; raises ToolFailed for what is no header of a request."""
    filled = {}
    for name, text in headers.items():
        value = _SECRET.sub(lambda found: revealed[found[0]], text)
        ours = name.lower() in _OURS or name.lower().startswith("proxy-")
        if ours or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ToolFailed(f"The header {name[:64]!r} cannot be sent.")
        filled[name] = value
    return filled


def _media(page: Page) -> tuple[str, str]:
    """Give an answer's type and its charset."""
    media, _, rest = page.headers.get("content-type", "").partition(";")
    found = re.search(r"charset\s*=\s*[\"']?([\w-]+)", rest, re.IGNORECASE)
    if not media.strip():
        media = "text/html" if page.body.lstrip()[:1] == b"<" else "text/plain"
    return media.strip().lower(), found[1] if found else ""


def _text(page: Page) -> str:
    media, charset = _media(page)
    if media not in _HTML and not _TEXT.fullmatch(media):
        return f"({len(page.body)} bytes of {visible(media)[:80]})"
    return visible(decoded(page.body, charset)) + ("" if page.whole else "\n[Cut.]")


def _readable(page: Page) -> str:
    media, charset = _media(page)
    if media not in _HTML:
        return _text(page)

    def link(href: str) -> str:
        try:
            whole = urljoin(page.url, href)
        except ValueError:
            return ""
        return whole if whole.startswith(("http://", "https://")) and href[0] != "#" else ""

    title, text = readable(decoded(page.body, charset)[:_PARSED_MOST], link)
    return f"# {title}\n\n{text}" if title else text
