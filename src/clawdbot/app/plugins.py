"""Plugins put together: their workers, the network that a manifest grants, trust, tools."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from clawdbot.app.hands import Hands
from clawdbot.config.load import Loaded
from clawdbot.domain.ports import Clock, Db
from clawdbot.net import proxy
from clawdbot.net.egress import Rules
from clawdbot.net.fetch import Guard
from clawdbot.net.proxy import Pass, Passage, Proxy
from clawdbot.sandbox.worker import Line, Lines, Pool, Program
from clawdbot.store.audit import Audit
from clawdbot.tools.plugins import Plugins
from clawdbot.tools.trust import Trust


@asynccontextmanager
async def extended(
    loaded: Loaded, db: Db, clock: Clock, audit: Audit, hands: Hands
) -> AsyncIterator[tuple[Plugins, Trust]]:
    """Offer what is trusted among the tools; workers and their connections end with this."""
    net = loaded.core.net
    async with (
        proxy.opened(Guard(net), net, _passed) as egress,
        Pool(hands.sandbox, _lines(egress, net.private)).opened() as pool,
    ):
        home, registry, record = loaded.home, hands.registry, audit.append
        plugins = Plugins(home, db, clock, pool=pool, registry=registry, record=record)
        trust = Trust(home, db, clock, sandbox=hands.sandbox, plugins=plugins, record=record)
        await plugins.begin()
        yield plugins, trust


def _lines(egress: Proxy, private: tuple[str, ...]) -> Lines:
    """Lead a worker to the hosts that it was granted, and nowhere else."""

    @asynccontextmanager
    async def lines(program: Program) -> AsyncIterator[Mapping[str, Line]]:
        if not program.hosts:
            yield {}
            return
        near = tuple(host for host in program.hosts if host in private)
        rules = Rules.of(program.hosts, near)
        with egress.box(Pass(who=f"plugin {program.main}", rules=rules)) as line:
            yield {"net": line}

    return lines


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
