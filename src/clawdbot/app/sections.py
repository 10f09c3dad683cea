"""The settings sections of the adapters, by their kind; light to import."""

import msgspec

from clawdbot.channels.telegram.settings import Settings as TelegramSettings

SECTIONS: dict[str, type[msgspec.Struct]] = {"telegram": TelegramSettings}
