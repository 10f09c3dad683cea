"""The settings of a Telegram bot: one section an account."""

from enum import StrEnum
from typing import Literal

from msgspec import field

from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Account


class Mode(StrEnum):
    """How updates come: we ask for them, or Telegram calls our public address."""

    POLLING = "polling"
    WEBHOOK = "webhook"


class Settings(Account, frozen=True):
    """A bot: `token` is BotFather's, `secret` what a webhook's deliveries must carry.

    `pace: "off"` lifts the send limits, for a private Bot API server.
    """

    token: Secret = field(default_factory=lambda: Secret(""))
    base_url: str = "https://api.telegram.org"
    mode: Mode = Mode.POLLING
    secret: Secret = field(default_factory=lambda: Secret(""))
    pace: Literal["platform", "off"] = "platform"
