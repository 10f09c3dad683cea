"""Settings from the environment, `.env`, `clawdbot.yaml` and `settings.yaml`, highest first.

The one reader of the environment. Tells every problem at once; the working folder is never read.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from clawdbot.config import dotenv, shape, sources, tree
from clawdbot.config.problems import Problems
from clawdbot.config.tree import Node
from clawdbot.domain.errors import SettingsInvalid
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Core
from clawdbot.domain.text import LANGUAGES, language_of

ENV_FILE, OWN_FILE, OUR_FILE = ".env", "clawdbot.yaml", "settings.yaml"
_AUTHORITIES = "SSL_CERT_FILE"

Sections = Mapping[str, type[msgspec.Struct]]
S = TypeVar("S", bound=msgspec.Struct)


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Valid settings; `origins` tells where a value was written (`clawdbot.yaml:3`, `.env`)."""

    core: Core
    channels: dict[str, dict[str, msgspec.Struct]]
    origins: dict[str, str]
    secrets: tuple[Secret, ...]
    home: Path
    environ: Mapping[str, str]
    sections: Sections

    def __repr__(self) -> str:
        """Show no secret: the environment may hold some."""
        return f"Loaded({self.home})"


def environment() -> dict[str, str]:
    """Take the process environment as it is now."""
    return dict(os.environ)


def announce(language: str) -> None:
    """Tell libraries that ask the environment for it the user's language."""
    os.environ["LANGUAGE"] = language


@contextmanager
def without_authorities() -> Iterator[None]:
    """Have no library read the host's authorities while it is imported.

    aiohttp does so twice, for a fifth of a start's CPU; `net/client.py` reads its own when needed.
    """
    given = os.environ.get(_AUTHORITIES)
    os.environ[_AUTHORITIES] = os.devnull
    try:
        yield
    finally:
        del os.environ[_AUTHORITIES]
        if given is not None:
            os.environ[_AUTHORITIES] = given


def load(
    home: Path,
    environ: Mapping[str, str],
    sections: Sections,
    *,
    replaced: Mapping[str, str] = MappingProxyType({}),
) -> Loaded:
    """Read, check and convert all sources; raises SettingsInvalid with a line for each problem.

    `sections` are the channel kinds' structs, `replaced` are texts to try in place of files.
    """
    problems = Problems()
    texts = {
        name: replaced[name] if name in replaced else sources.read(home / name, problems)
        for name in (ENV_FILE, OWN_FILE, OUR_FILE)
    }
    own, ours = (tree.parse(texts[name], name, problems) for name in (OWN_FILE, OUR_FILE))
    own_url = any([_own_url(own, problems), _own_url(ours, problems)])
    env_file = dotenv.parse(texts[ENV_FILE], ENV_FILE, problems)
    names, pair = sources.names(environ, env_file, problems, own_url=own_url)
    written = _merged(own, _yielding(ours) if pair else ours)
    root = sources.substituted(Node(_with_defaults(written, pair), ""), names, problems)
    core, channels = _checked(_pairs(root), sections, problems)
    problems.settle()
    secrets: list[Secret] = []
    return Loaded(
        core=_convert(Core, core, secrets),
        channels={
            kind: {name: _convert(sections[kind], data, secrets) for name, data in accounts.items()}
            for kind, accounts in channels.items()
        },
        origins=dict(_origins(root)),
        secrets=tuple(secrets),
        home=home,
        environ=environ,
        sections=sections,
    )


def user_language(home: Path, environ: Mapping[str, str]) -> str:
    """Tell the user's language: the settings' (valid or not), else the terminal's."""
    own, ours = (
        tree.parse(sources.read(home / name, Problems()), name, Problems())
        for name in (OWN_FILE, OUR_FILE)
    )
    return _language(_merged(own, ours), environ)


def likely_secrets(home: Path, environ: Mapping[str, str]) -> list[Secret]:
    """Guess what to mask where the settings cannot be loaded: all of `.env`, and the key."""
    text = sources.read(home / ENV_FILE, Problems())
    values = dotenv.parse(text, ENV_FILE, Problems()).values()
    return [Secret(value) for value in (*values, environ.get(sources.AUTH, ""))]


def _language(written: tree.Mapping, environ: Mapping[str, str]) -> str:
    node = written.get("language")
    if node and isinstance(node.value, str) and node.value in LANGUAGES:
        return node.value
    tags = (environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return language_of(next(filter(None, tags), ""))


def _merged(upper: tree.Mapping, lower: tree.Mapping) -> tree.Mapping:
    """Lay a mapping over another; who writes a `url` of its own takes no `auth` from below."""
    merged = {key: node for key, node in lower.items() if key != "auth" or "url" not in upper}
    for key, node in upper.items():
        below = merged.get(key)
        if below and isinstance(below.value, dict) and isinstance(node.value, dict):
            merged[key] = Node(_merged(node.value, below.value), node.where)
        else:
            merged[key] = node
    return merged


def _with_defaults(written: tree.Mapping, pair: str) -> tree.Mapping:
    """Add the providers and routes that exist without being written."""

    def entry(where: str = "default", **texts: str) -> Node:
        return Node({key: Node(text, where) for key, text in texts.items()}, where)

    endpoint = f"${{{sources.URL}}}"
    written_providers, written_routes = (
        _pairs(written.get(key)) for key in ("providers", "model_routing")
    )
    external = entry(pair, url=endpoint, auth=f"env:{sources.AUTH}") if pair else entry()
    providers = {"fallback": entry(protocol="offline")} | _merged(
        written_providers, {"external": external}
    )
    url = _pairs(providers["external"]).get("url")
    routes = {
        "default": entry(
            provider="external" if pair or (url and url.value != endpoint) else "fallback"
        ),
        "emergency": entry(provider="fallback", max_tokens="500"),
    }
    root = dict(written)
    for key, pairs in (("providers", providers), ("model_routing", routes | written_routes)):
        node = root.setdefault(key, Node({}, "default"))
        if isinstance(node.value, dict):
            root[key] = Node(pairs, node.where)
    return root


def _yielding(ours: tree.Mapping) -> tree.Mapping:
    """Let go of what set-up wrote of `external`: environment and `.env` stand above it."""
    providers = _pairs(ours.get("providers"))
    if "external" not in providers:
        return ours
    kept = {k: v for k, v in _pairs(providers["external"]).items() if k not in {"url", "auth"}}
    external = Node(kept, providers["external"].where)
    return ours | {"providers": Node(providers | {"external": external}, ours["providers"].where)}


def _own_url(written: tree.Mapping, problems: Problems) -> bool:
    """Tell whether an entry sends MODEL_PROVIDER_AUTH to an address of its own."""
    found = False
    for name, provider in _pairs(written.get("providers")).items():
        auth, url = (_pairs(provider).get(key) for key in ("auth", "url"))
        if auth and not url:
            key = f"providers.{name}.auth"
            problems.say(auth.where, "{key}: needs its url in the same entry", key=key)
        elif auth and url and sources.AUTH in str(auth.value):
            found |= sources.URL not in str(url.value)
    return found


def _checked(
    root: tree.Mapping, sections: Sections, problems: Problems
) -> tuple[object, dict[str, dict[str, object]]]:
    """Give the core's and the channels' plain data; what does not fit goes to the problems."""
    known = [field.encode_name for field in msgspec.structs.fields(Core)]
    for key, node in root.items():
        if key not in {*known, "channels"}:
            problems.unknown(node.where, key, [*known, "channels"])
    core = {key: node for key, node in root.items() if key in known}
    channels: dict[str, dict[str, object]] = {}
    kinds = shape.mapping(root.get("channels", Node({}, "")), "channels", problems)
    for kind, accounts in kinds.items():
        key = f"channels.{kind}"
        if kind in sections:
            channels[kind] = shape.named(sections[kind], accounts, key, problems)
        else:
            problems.unknown(accounts.where, key, list(sections))
    _check_references(root, problems)
    return shape.plain(Core, Node(core, ""), "", problems), channels


def _check_references(root: tree.Mapping, problems: Problems) -> None:
    providers = _pairs(root.get("providers"))
    for route in _pairs(root.get("model_routing")).values():
        node = _pairs(route).get("provider")
        if node and isinstance(node.value, str) and node.value not in providers:
            problems.unknown(node.where, node.value, list(providers))
    node = root.get("timezone")
    if node and node.value != "UTC":
        try:
            ZoneInfo(str(node.value))
        except (KeyError, OSError, ValueError):
            problems.say(node.where, "{key}: unknown time zone", key="timezone")


def _convert(kind: type[S], data: object, secrets: list[Secret]) -> S:
    def decode(kind: type, value: object) -> object:
        secret = shape.decode(kind, value)
        if not secret.reveal().startswith("secret://"):  # the name of one is none
            secrets.append(secret)
        return secret

    try:
        return msgspec.convert(data, kind, strict=False, dec_hook=decode)
    except msgspec.ValidationError as error:  # what a section checks as a whole
        raise SettingsInvalid(str(error)) from error


def _origins(node: Node, key: str = "") -> Iterator[tuple[str, str]]:
    if not isinstance(node.value, dict):
        yield key, node.where
        return
    for name, child in node.value.items():
        yield from _origins(child, f"{key}.{name}" if key else name)


def _pairs(node: Node | None) -> tree.Mapping:
    return node.value if node and isinstance(node.value, dict) else {}
