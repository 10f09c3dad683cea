"""Settings that we write: to `settings.yaml`, never to `clawdbot.yaml`; keys are sealed elsewhere.

What would not be valid afterwards is refused before a byte is written.
"""

from collections.abc import Callable, Collection, Mapping

import yaml

from clawdbot.config import dotenv, sources, tree
from clawdbot.config.home import write
from clawdbot.config.load import ENV_FILE, OUR_FILE, Loaded, load
from clawdbot.config.problems import Problems
from clawdbot.config.tree import Node
from clawdbot.domain.settings import Value


def prepared(
    loaded: Loaded, values: Mapping[str, Value], forget: Collection[str] = ()
) -> Callable[[], None]:
    """Check dotted keys for `settings.yaml` (None takes one away); the result writes them.

    Names to `forget` are taken out of `.env`, its other lines stay as they are.
    """
    for name in forget:
        if loaded.environ.get(name):
            _refuse_fixed(name, "environment")
    texts = _texts(loaded, values, forget)
    tried(loaded, texts)

    def save() -> None:
        # What stands above comes last: until it is gone, the old settings hold.
        for name in (OUR_FILE, ENV_FILE):
            if name in texts:
                write(loaded.home / name, texts[name])

    return save


def imagined(loaded: Loaded, values: Mapping[str, Value]) -> Loaded:
    """Load the settings as if dotted keys were written; raises SettingsInvalid."""
    return tried(loaded, _texts(loaded, values, ()))


def tried(loaded: Loaded, texts: Mapping[str, str]) -> Loaded:
    """Load the settings with texts in place of files; raises SettingsInvalid."""
    return load(loaded.home, loaded.environ, loaded.sections, replaced=texts)


def _texts(loaded: Loaded, values: Mapping[str, Value], forget: Collection[str]) -> dict[str, str]:
    """Give the files' new texts; raises SettingsInvalid for what is fixed elsewhere."""
    texts = {}
    env_file = sources.read(loaded.home / ENV_FILE, Problems())
    if (left := dotenv.without(env_file, forget)) != env_file:
        texts[ENV_FILE] = left
        loaded = tried(loaded, texts)
    written = tree.parse(sources.read(loaded.home / OUR_FILE, Problems()), OUR_FILE, Problems())
    root = {key: _plain(node) for key, node in written.items()}
    for key, value in values.items():
        origin = loaded.origins.get(key, "default")
        if not origin.startswith((OUR_FILE, "default")):
            _refuse_fixed(key, origin)
        _put(root, key.split("."), value)
    texts[OUR_FILE] = yaml.safe_dump(root, allow_unicode=True, sort_keys=False)
    return texts


def _refuse_fixed(key: str, origin: str) -> None:
    problems = Problems()
    problems.say("", "{key} is fixed by {origin}. Change it there.", key=key, origin=origin)
    problems.settle()


def _plain(node: Node) -> object:
    if isinstance(node.value, dict):
        return {key: _plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(child) for child in node.value]
    return node.value


def _put(pairs: dict[str, object], path: list[str], value: Value) -> None:
    name, *rest = path
    if not rest and value is None:
        pairs.pop(name, None)
    elif not rest:
        pairs[name] = value
    elif isinstance(below := pairs.setdefault(name, {}), dict):
        _put(below, rest, value)
