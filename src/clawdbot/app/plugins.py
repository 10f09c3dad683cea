"""What an owner adds, put together: plugins and where they get, trust, skills, tool servers."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import structlog
from msgspec import Struct

from clawdbot.app.hands import Hands
from clawdbot.app.servers import reaching
from clawdbot.config.load import Loaded
from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.ports import Clock, Db
from clawdbot.domain.settings import Net
from clawdbot.net import proxy
from clawdbot.net.client import Client, authorities
from clawdbot.net.egress import Rules
from clawdbot.net.fetch import Guard
from clawdbot.net.proxy import Pass, Passage, Proxy
from clawdbot.sandbox.broker import Broker, Errand, Page
from clawdbot.sandbox.chromium import Browsers
from clawdbot.sandbox.profile import Bind
from clawdbot.sandbox.python import selenium
from clawdbot.sandbox.worker import Around, Line, Order, Pool, Program
from clawdbot.store.audit import Audit
from clawdbot.store.plugins import SERVER, SKILL
from clawdbot.store.vault import Vault
from clawdbot.tools.builtin.browser import Gear
from clawdbot.tools.decisions import Decisions
from clawdbot.tools.keyring import Keyring
from clawdbot.tools.plugins import Plugins
from clawdbot.tools.servers import Servers
from clawdbot.tools.skills import Skills
from clawdbot.tools.trust import Trust


class Added(Struct, frozen=True, kw_only=True):
    """What an owner may add, and what it shares with the browser."""

    gear: Gear
    plugins: Plugins
    trust: Trust
    skills: Skills
    servers: Servers

    @property
    def parts(self) -> tuple[object, ...]:
        """List what a command may ask."""
        return (self.plugins, self.trust, self.skills, self.servers)


@asynccontextmanager
async def extended(
    loaded: Loaded,
    db: Db,
    clock: Clock,
    vault: Vault,
    audit: Audit,
    hands: Hands,
    client: Client,
) -> AsyncIterator[Added]:
    """Offer what is trusted among the tools; workers and their connections end with this."""
    net, home, registry = loaded.core.net, loaded.home, hands.registry
    keyring = Keyring(db, vault)
    sandbox, trusted = hands.sandbox(), authorities(net.ca_file)
    browsers = Browsers(sandbox, home / "data" / "browser", certificates=trusted)
    async with proxy.opened(Guard(net), net, _passed) as egress, browsers.opened():
        ways = _Ways(egress, net, browsers, keyring)
        async with Pool(sandbox, ways.around).opened() as pool:
            plugins = Plugins(
                home,
                db,
                clock,
                pool=pool,
                registry=registry,
                keyring=keyring,
                record=audit.append,
            )
            trust = Trust(home, db, clock, sandbox=sandbox, plugins=plugins, record=audit.append)
            decisions = partial(Decisions, db, clock, audit.append)
            reach = reaching(loaded, sandbox, client, egress)
            skills = _taught(home, hands, decisions(SKILL))
            servers = Servers(loaded.core.mcp.servers, decisions(SERVER), registry, clock, reach)
            for each in (plugins, skills, servers):
                await each.begin()
            gear = Gear(ways.page, keyring, browsers.downloads)
            yield Added(gear=gear, plugins=plugins, trust=trust, skills=skills, servers=servers)


def _taught(home: Path, hands: Hands, decisions: Decisions) -> Skills:
    """Give the skills, which the shell sees too where a box can have a path elsewhere."""
    skills = Skills(home, decisions, hands.registry)

    async def seen() -> tuple[Bind, ...]:
        return await skills.binds() if await hands.sandbox().moves() else ()

    hands.shell.more = seen
    return skills


class _Ways(Struct, frozen=True):
    """Where plugins get: to granted hosts, by a socket or the browser, and nowhere else."""

    egress: Proxy
    net: Net
    browsers: Browsers
    keyring: Keyring

    @asynccontextmanager
    async def around(self, program: Program) -> AsyncIterator[Around]:
        """Give a worker its lines."""
        if program.browser:
            if not selenium():
                raise ToolFailed("Selenium is not installed: run install.sh --with browser")
            with Broker.opened(self.browsers) as (broker, line):
                lines = {"browser": line}
                yield Around(lines=lines, call=lambda order: broker.call(self._errand(order)))
        elif program.hosts:
            with self.egress.box(self._pass(program.main, program.hosts)) as line:
                yield Around(lines={"net": line})
        else:
            yield Around()

    @asynccontextmanager
    async def page(self, rules: Rules) -> AsyncIterator[Page]:
        """Open a page of the browser's."""
        passed = Pass(who="browser", rules=rules)
        async with self.browsers.task(lambda way: self.egress.browser(way, passed)) as tab:
            yield Page(tab)

    def _errand(self, order: Order) -> Errand:
        def carry(way: Line) -> AbstractContextManager[None]:
            return self.egress.browser(way, self._pass(order.name, order.hosts))

        return Errand(keyring=self.keyring, carry=carry, secrets=order.secrets)

    def _pass(self, who: str, hosts: tuple[str, ...]) -> Pass:
        near = tuple(host for host in hosts if host in self.net.private)
        return Pass(who=f"plugin {who}", rules=Rules.of(hosts, near))


def _passed(passage: Passage) -> None:
    log = structlog.get_logger("egress")
    log.info(
        "passed",
        who=passage.who,
        host=passage.host,
        failure=passage.failure,
        out=passage.moved[0],
        into=passage.moved[1],
    )
