"""One outbox row, one attempt: what to call on the channel, what its answer means for the row."""

import random
from typing import TypeGuard

import structlog
from msgspec import Struct

from clawdbot.domain.caps import Caps
from clawdbot.domain.errors import AuthLost, Gone, Moved, Refused, Retry, SendFailed, Window
from clawdbot.domain.ports import Channel, Editable
from clawdbot.domain.settings import Outbox
from clawdbot.store.outbox import Mark, Row, RowKind, RowState

_LOG = structlog.get_logger("outbox")


class Attempt(Struct, frozen=True, kw_only=True):
    """One row's next send; `shown` is the platform's id of the stub it replaces, if known."""

    channel: Channel
    row: Row
    shown: str
    settings: Outbox

    async def make(self, now: float) -> Mark | None:
        """Send once and tell the row's new state; None where its stub is gone. Raises Moved."""
        row = self.row
        try:
            ref = await self._call()
        except Gone:
            return None
        except Moved:
            raise
        except (Refused, Window) as error:
            return Mark(state=RowState.DEAD, attempts=row.attempts + 1, reason=str(error))
        except AuthLost as error:
            # Kept as it is: it goes out when the key is right again.
            return self._later(now, self.settings.backoff_max_s, str(error))
        except Retry as error:
            return self._later(now, error.after, str(error))
        except SendFailed as error:
            return self._unsure(now, str(error))
        except Exception as error:  # noqa: BLE001 - bulkhead: a channel's fault is not others'
            _LOG.exception("channel failed inside", row=row.id, channel=row.to.channel)
            return self._unsure(now, f"{type(error).__name__}: {error}")
        return Mark(state=RowState.SENT, attempts=row.attempts + 1, ref=ref, sent_at=now)

    async def _call(self) -> str:
        row, channel = self.row, self.channel
        if not self.shown:
            return await channel.send(row.to, row.message, row.id)
        if not is_editable(channel):
            raise SendFailed
        await channel.edit(row.to, self.shown, row.message)
        return self.shown

    def _unsure(self, now: float, reason: str) -> Mark:
        """Repeat what may be sent twice; of anything else we do not know what was sent."""
        if repeatable(self.row, self.channel.caps):
            return self._later(now, None, reason)
        return Mark(state=RowState.UNKNOWN, attempts=self.row.attempts + 1, reason=reason)

    def _later(self, now: float, after: float | None, reason: str) -> Mark:
        row, settings = self.row, self.settings
        if row.attempts + 1 >= settings.attempts:
            return Mark(state=RowState.DEAD, attempts=row.attempts + 1, reason=reason)
        backoff = min(settings.backoff_s * 2**row.attempts, settings.backoff_max_s)
        wait = after if after is not None else backoff * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        return Mark(
            state=RowState.PENDING,
            attempts=row.attempts + 1,
            reason=reason,
            not_before=now + wait,
        )


def repeatable(row: Row, caps: Caps) -> bool:
    """Tell whether a row may be sent twice without harm."""
    return row.kind == RowKind.STUB or bool(row.stub_id) or caps.idempotent_send


def is_editable(channel: object) -> TypeGuard[Editable]:
    """Tell by its shape whether a channel can replace what it showed."""
    return hasattr(channel, "edit")
