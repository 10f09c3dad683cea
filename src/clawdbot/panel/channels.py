"""Channel accounts: how each fares and what it is set to; added, tested, paused, taken away.

Saving checks by the settings' own rules, and starts the service anew with them.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol, TypeGuard

import msgspec
from aiohttp import web

from clawdbot.domain.errors import BadInput, Missing
from clawdbot.domain.people import Area
from clawdbot.domain.ports import Clock, Health, Webhook
from clawdbot.domain.settings import Value
from clawdbot.domain.text import say, told
from clawdbot.gateway.boards import Board
from clawdbot.gateway.hooks import is_hooked
from clawdbot.gateway.route import Caller
from clawdbot.gateway.setup import Finding
from clawdbot.gateway.supervisor import Beat, Supervisor
from clawdbot.net.client import Client, NetFailed
from clawdbot.panel.configured import Configured, Given, Setting, changes, checked

_REACH_S = 10.0


class Hooking(Protocol):
    """A channel that can ask its platform which address it calls."""

    async def webhook(self) -> Webhook:
        """Ask the platform; raises as `send`."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An account; `fixed` names the file of the user's that part of it is written in."""

    kind: str
    account: str
    health: Health
    beats: tuple[Beat, ...]
    troubles: tuple[Beat, ...]
    settings: tuple[Setting, ...]
    hook: str
    fixed: str


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account as a form sends it; a secret that is not typed stays as it is."""

    kind: str
    account: str
    settings: Given = {}

    def __repr__(self) -> str:
        """Print no secret."""
        return f"Account({self.kind}/{self.account})"


class Channels(msgspec.Struct, frozen=True):
    """The accounts of one service."""

    configured: Configured
    supervisor: Supervisor
    client: Client

    def boards(self, clock: Clock) -> dict[str, Board]:
        """Make the board that pages watch: it changes with every look at an account."""

        async def read() -> list[object]:
            return [(shown.health, shown.beats[-1:]) for shown in await self.listed()]

        return {"channels": Board("channels", Area.CHANNELS, read, clock)}

    async def listed(self) -> list[Shown]:
        """List the accounts with how they fare and what they are set to."""
        accounts = self.configured.settled.channels.items()
        return [self._shown(kind, name) for kind, names in accounts for name in names]

    async def kinds(self) -> dict[str, tuple[Setting, ...]]:
        """Tell what an account of each kind can be set to."""
        return {kind: self._settings(kind, "") for kind in self.configured.settled.sections}

    async def add(self, caller: Caller, wish: Account) -> None:
        """Make an account; starts the service anew."""
        if checked(wish.account) in self._accounts(wish.kind):
            raise BadInput("There is an account of that name already.")
        at, blank = _at(wish.kind, wish.account), self._settings(wish.kind, wish.account)
        made: dict[str, Value] = {f"{at}.paused": False}
        await self.configured.change(caller.who, at, blank, wish.settings, made)

    async def change(self, caller: Caller, wish: Account) -> None:
        """Set an account otherwise; starts the service anew."""
        at = self._known(wish.kind, wish.account)
        before = self._settings(wish.kind, wish.account)
        await self.configured.change(caller.who, at, before, wish.settings)

    async def test(self, caller: Caller, wish: Account) -> Finding:
        """Ask the platform once with what the form says, and write nothing."""
        changed, secrets = changes(self._settings(wish.kind, wish.account), wish.settings)
        at = _at(wish.kind, checked(wish.account))
        values: dict[str, Value] = {f"{at}.paused": False}
        values |= {f"{at}.{key}": value for key, value in (changed | secrets).items()}
        settled = self.configured.settled
        settings = settled.imagine(values).channels[wish.kind][wish.account]
        health = await settled.channel(wish.account, settings).health()
        language = caller.who.language
        found = [told(language, text) for text in (health.reason, health.remedy) if text]
        text = " · ".join(found) or say(language, "The platform answers, and the key is good.")
        return Finding(good=health.up and not health.reason, text=text)

    async def pause(self, caller: Caller, kind: str, account: str) -> None:
        """Let an account rest: it neither receives nor sends; starts the service anew."""
        await self._rest(caller, kind, account, paused=True)

    async def resume(self, caller: Caller, kind: str, account: str) -> None:
        """Let an account work again; starts the service anew."""
        await self._rest(caller, kind, account, paused=False)

    async def remove(self, caller: Caller, kind: str, account: str) -> None:
        """Take an account away; starts the service anew."""
        at = self._known(kind, account)
        await self.configured.remove(await self.configured.custody.who(caller), at)

    async def webhook(self, caller: Caller, kind: str, account: str) -> Finding:
        """Look at an account's webhook from both sides: the platform's, and our address."""
        watched, address = self.supervisor.watched(kind, account), self._hook(kind, account)
        if watched is None or not address or not _is_hooking(watched.channel):
            raise web.HTTPNotFound
        language, known = caller.who.language, await watched.channel.webhook()
        if not known.used:
            text = say(language, "This account asks the platform itself and needs no webhook.")
            return Finding(good=True, text=text)
        faults = [told(language, known.problem)] if known.problem else []
        if known.registered != address:
            text, other = "The platform calls another address: {address}.", known.registered
            faults.append(say(language, text, address=other or say(language, "none")))
        if fault := await self._reached(address):
            faults.append(f"{address}: {told(language, fault)}")
        text = say(language, "The platform calls this address, and it answers.")
        return Finding(good=not faults, text=" ".join(faults) or text)

    async def _rest(self, caller: Caller, kind: str, account: str, *, paused: bool) -> None:
        at = self._known(kind, account)
        who = await self.configured.custody.who(caller)
        await self.configured.write(who, at, {f"{at}.paused": paused})

    async def _reached(self, address: str) -> str:
        """Knock at an address as a stranger, and tell what is wrong where it is not us."""
        try:
            answer = await self.client.request("POST", address, json={}, timeout_s=_REACH_S)
        except NetFailed as failure:
            return str(failure)
        # What carries no signature is refused: that is us.
        return "" if answer.status == HTTPStatus.UNAUTHORIZED else f"HTTP {answer.status}"

    def _shown(self, kind: str, account: str) -> Shown:
        watched = self.supervisor.watched(kind, account)
        return Shown(
            kind=kind,
            account=account,
            health=watched.health if watched else Health(up=False),
            beats=tuple(watched.beats) if watched else (),
            troubles=tuple(reversed(watched.troubles)) if watched else (),
            settings=self._settings(kind, account),
            hook=self._hook(kind, account),
            fixed=self.configured.fixed(_at(kind, account)),
        )

    def _settings(self, kind: str, account: str) -> tuple[Setting, ...]:
        section = self.configured.settled.sections.get(kind)
        if section is None:
            raise web.HTTPNotFound
        now = self._accounts(kind).get(account)
        return self.configured.settings(section, now, _at(kind, account))

    def _hook(self, kind: str, account: str) -> str:
        watched = self.supervisor.watched(kind, account)
        public = self.configured.settled.core.gateway.public_url.rstrip("/")
        if not public or watched is None or not is_hooked(watched.channel):
            return ""
        return f"{public}/hooks/{kind}/{account}"

    def _accounts(self, kind: str) -> Mapping[str, msgspec.Struct]:
        return self.configured.settled.channels.get(kind, {})

    def _known(self, kind: str, account: str) -> str:
        if account not in self._accounts(kind):
            raise Missing("There is no account of that name. See `clawdbot status`.")
        return _at(kind, account)


def _at(kind: str, account: str) -> str:
    return f"channels.{kind}.{account}"


def _is_hooking(channel: object) -> TypeGuard[Hooking]:
    return hasattr(channel, "webhook")
