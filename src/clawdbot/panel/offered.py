"""The parts that the pages of whoever runs the place work with."""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from msgspec import Struct

from clawdbot.gateway.boards import Board
from clawdbot.gateway.control import Control
from clawdbot.models.router import Router
from clawdbot.net.client import Client
from clawdbot.ops.load import Load
from clawdbot.ops.reading import Reader
from clawdbot.panel.additions import Additions
from clawdbot.panel.audit import Trail
from clawdbot.panel.channels import Channels
from clawdbot.panel.configured import Configured, Settled
from clawdbot.panel.models import Models
from clawdbot.panel.overview import Overview
from clawdbot.panel.settings import Settings


class Offered(Struct, frozen=True, kw_only=True):
    """The parts."""

    overview: Overview
    channels: Channels
    models: Models
    additions: Additions
    trail: Trail
    reader: Reader
    settings: Settings

    @property
    def boards(self) -> dict[str, Board]:
        """Give what pages may watch, by name."""
        clock = self.overview.control.clock
        return self.overview.boards() | self.channels.boards(clock) | self.models.boards(clock)

    @property
    def parts(self) -> tuple[object, ...]:
        """Give all whose methods are operations."""
        pages = (self.overview, self.channels, self.models, self.additions, self.settings)
        return *pages, self.trail, self.reader


def offered(
    settled: Settled,
    control: Control,
    router: Router,
    client: Client,
    load: Callable[[], Load],
    more: Callable[[], Awaitable[Iterable[object]]],
    home: Path,
) -> Offered:
    """Put them together."""
    configured = Configured(settled, control, control.setup.outside.reload)
    return Offered(
        overview=Overview(control=control, router=router, settings=settled.core, load=load),
        channels=Channels(configured, control.supervisor, client),
        models=Models(configured, router, control.db, control.clock),
        additions=Additions(more),
        trail=Trail(control),
        reader=Reader(home),
        settings=Settings(configured, control),
    )
