"""Settings that we write: keys to `.env`, the rest to `settings.yaml`, never `clawdbot.yaml`.

What would not be valid afterwards is refused before a byte is written.
"""

from collections.abc import Mapping

import yaml

from clawdbot.config import dotenv, sources, tree
from clawdbot.config.home import write
from clawdbot.config.load import ENV_FILE, OUR_FILE, Loaded, load
from clawdbot.config.problems import Problems
from clawdbot.config.tree import Node
from clawdbot.domain.errors import SettingsInvalid
from clawdbot.domain.secret import Secret
from clawdbot.domain.text import say

Value = str | float | bool | list[str] | None


def set_env(loaded: Loaded, values: Mapping[str, Secret]) -> Loaded:
    """Write names to `.env`, its other lines as they were, and load again."""
    revealed = {name: secret.reveal() for name, secret in values.items()}
    for name, value in revealed.items():
        if loaded.environ.get(name):
            raise _fixed(loaded, name, "environment")
        if not value.isprintable():
            raise SettingsInvalid(
                say(loaded.language, "{key}: control characters are not allowed", key=name)
            )
    text = sources.read(loaded.home / ENV_FILE, Problems())
    return _replace(loaded, ENV_FILE, dotenv.updated(text, revealed))


def set_settings(loaded: Loaded, values: Mapping[str, Value]) -> Loaded:
    """Write dotted keys to `settings.yaml` (None takes one away), and load again."""
    text = sources.read(loaded.home / OUR_FILE, Problems())
    written = tree.parse(text, OUR_FILE, Problems())
    root = {key: _plain(node) for key, node in written.items()}
    for key, value in values.items():
        origin = loaded.origins.get(key, "default")
        if not origin.startswith((OUR_FILE, "default")):
            raise _fixed(loaded, key, origin)
        _put(root, key.split("."), value)
    return _replace(loaded, OUR_FILE, yaml.safe_dump(root, allow_unicode=True, sort_keys=False))


def _replace(loaded: Loaded, name: str, text: str) -> Loaded:
    fresh = load(
        loaded.home,
        loaded.environ,
        loaded.sections,
        language=loaded.language,
        replaced={name: text},
    )
    write(loaded.home / name, text)
    return fresh


def _fixed(loaded: Loaded, key: str, origin: str) -> SettingsInvalid:
    return SettingsInvalid(
        say(
            loaded.language,
            "{key} is fixed by {origin}. Change it there.",
            key=key,
            origin=origin,
        )
    )


def _plain(node: Node) -> object:
    if isinstance(node.value, dict):
        return {key: _plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(child) for child in node.value]
    return node.value


def _put(pairs: dict[str, object], path: list[str], value: Value) -> None:
    name, *rest = path
    if not rest:
        pairs[name] = value
    elif isinstance(below := pairs.setdefault(name, {}), dict):
        _put(below, rest, value)
