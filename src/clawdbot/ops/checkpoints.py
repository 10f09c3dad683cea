"""Signs the audit trail's ends in time, and takes the signatures off where nobody here can reach.

A checkpoint that cannot be made is told in the log and tried again; it stops nothing.
"""

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog

from clawdbot.domain.errors import Failure
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.domain.settings import Audit as Settings
from clawdbot.store import audit
from clawdbot.store.audit import Audit, Checkpoint
from clawdbot.store.vault import Vault


class Checkpoints:
    """Makes checkpoints of all chains, after some time or rows, and at the end."""

    def __init__(
        self, db: Db, clock: Clock, vault: Vault, trail: Audit, settings: Settings, home: Path
    ) -> None:
        """Sign for a trail; a relative `audit.export` begins in the home folder."""
        self._db = db
        self._clock = clock
        self._vault = vault
        self._trail = trail
        self._settings = settings
        self._export = home / settings.export if settings.export else None

    async def run(self) -> None:
        """Sign from time to time until cancelled."""
        full, loop = asyncio.Event(), asyncio.get_running_loop()
        self._trail.full = partial(loop.call_soon_threadsafe, full.set)
        while True:
            try:
                async with asyncio.timeout(self._settings.checkpoint_s):
                    await full.wait()
            except TimeoutError:
                pass
            full.clear()
            await self.sign()

    async def sign(self) -> None:
        """Sign what is new, if anything is."""
        log = structlog.get_logger("audit")
        try:
            made = await self._made()
            for each in made:
                log.info("checkpoint", **msgspec.structs.asdict(each))
            if made and self._export:
                await asyncio.to_thread(_append, self._export, made)
        except (Failure, OSError) as error:
            log.error("checkpoint failed", reason=str(error))  # noqa: TRY400 - no fault of ours

    async def _made(self) -> list[Checkpoint]:
        if not await self._db.read(audit.waiting):
            return []
        now = self._clock.now()

        def work(tx: Tx) -> list[Checkpoint]:
            return self._trail.checkpoint(tx, audit.make_signer(tx, self._vault), now)

        return await self._db.write(work)


def _append(path: Path, made: Sequence[Checkpoint]) -> None:
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in made)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, lines)
        os.fsync(file)
    finally:
        os.close(file)
