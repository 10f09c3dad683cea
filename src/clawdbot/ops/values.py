"""Settings as people see them: dotted keys and texts, a secret masked unless it is only named."""

from collections.abc import Iterator, Mapping

import msgspec

from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Core
from clawdbot.store.secrets import PREFIX

Channels = Mapping[str, Mapping[str, msgspec.Struct]]


def texts(core: Core, channels: Channels) -> dict[str, str]:
    """Give every setting in force by its dotted key."""
    return dict(_all(core, channels))


def _all(core: Core, channels: Channels) -> Iterator[tuple[str, str]]:
    yield from _flat(msgspec.to_builtins(core, enc_hook=_masked), "")
    yield from _flat(msgspec.to_builtins(channels, enc_hook=_masked), "channels")


def _flat(value: object, key: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for name, below in value.items():
                yield from _flat(below, f"{key}.{name}" if key else name)
        case list() | tuple():
            yield key, ", ".join(map(str, value))
        case None:
            return
        case bool():
            yield key, str(value).lower()
        case _:
            yield key, f"{value:g}" if isinstance(value, float) else str(value)


def _masked(value: object) -> str:
    if isinstance(value, Secret):
        named = value.reveal().startswith(PREFIX)  # which is no secret
        return value.reveal() if named else str(value) if value else ""
    raise TypeError(value)
