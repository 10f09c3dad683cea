"""Searching the web through the engine of the settings: SearXNG, or any that answers in JSON."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta

from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.errors import SettingsInvalid, ToolFailed
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.domain.settings import Search
from clawdbot.domain.text import say
from clawdbot.net.client import NetFailed, Request
from clawdbot.net.egress import Rules, read
from clawdbot.net.fetch import Caps, Fetch
from clawdbot.tools.readable import visible
from clawdbot.tools.registry import Grant, Tool

_TEXT_MOST = 400


class _Engine:
    def __init__(self, fetch: Fetch, search: Search) -> None:
        self._fetch = fetch
        self._search = search
        self._url = search.url
        if "{query}" not in search.url:
            self._url = f"{search.url.rstrip('/')}/search?format=json&q={{query}}"
        try:
            target = read(self._url.replace("{query}", "x"))
        except ValueError as error:
            raise SettingsInvalid(f"search.url: {error}") from error
        host = f"[{target.host}]" if ":" in target.host else target.host
        # What the settings name may be private; nothing else is asked.
        self._rules = Rules.of([f"{host}:{target.port}"], private=[f"{host}:{target.port}"])

    async def search(
        self, grant: Grant, query: Annotated[str, Meta(min_length=1, max_length=500)]
    ) -> str:
        """Search the web."""
        search = self._search
        headers = {search.key_header: search.key.reveal()} if search.key else {}
        url = self._url.replace("{query}", quote(query, safe=""))
        request = Request(method="GET", url=url, headers=headers)
        try:
            page = await self._fetch.send(request, self._rules, Caps(timeout_s=search.timeout_s))
        except NetFailed as error:
            raise ToolFailed(str(error)) from error
        if page.status != 200:
            raise ToolFailed(
                say(grant.language, "The search engine answered {status}.", status=page.status)
            )
        try:
            found = msgspec.json.decode(page.body)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ToolFailed(
                say(grant.language, "The search engine did not answer in JSON.")
            ) from error
        return self._listed(found) or say(grant.language, "Nothing was found.")

    def _listed(self, found: object) -> str:
        for name in self._search.list.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        results = (
            [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
        )
        return "\n\n".join(map(self._line, results[: self._search.results]))

    def _line(self, result: Mapping[str, object]) -> str:
        names = (self._search.title, self._search.link, self._search.text)
        lines = (" ".join(visible(str(result.get(name) or "")).split()) for name in names)
        return "\n".join(line[:_TEXT_MOST] for line in lines if line)


def tools(fetch: Fetch, search: Search) -> tuple[Tool, ...]:
    """Give the tool where an engine is set; raises SettingsInvalid."""
    if not search.url:
        return ()
    sinks = (Sink("query", SinkKind.NAME),)
    manifest = Manifest(name="web_search", effect=Effect.EGRESS, sinks=sinks, idempotent=True)
    act = _Engine(fetch, search).search
    return (Tool(manifest=manifest, description="Search the web", act=act),)
