"""Where texts of the settings come from: files, and the names that YAML takes by `${NAME}`.

`MODEL_ENDPOINT_URL` and `MODEL_PROVIDER_AUTH` come as a pair: no key meets another's address.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from clawdbot.config.problems import Problems
from clawdbot.config.tree import Node

URL, AUTH = "MODEL_ENDPOINT_URL", "MODEL_PROVIDER_AUTH"

_LIMIT = 1_048_576
_TAKEN = re.compile(r"\$\{([^}]*)\}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def read(path: Path, problems: Problems) -> str:
    """Give a file's text, empty where there is none; never waits for a pipe."""
    try:
        if not path.exists():
            return ""
        if not path.is_file():
            problems.say(path.name, "not a file")
            return ""
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        problems.say(path.name, "cannot be read: {reason}", reason=error.strerror or str(error))
        return ""
    if len(data) > _LIMIT:
        problems.say(path.name, "larger than 1 MiB")
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.say(f"{path.name}:{line}", "not UTF-8 text")
        return ""


def names(
    environ: Mapping[str, str], env_file: Mapping[str, str], problems: Problems, *, own_url: bool
) -> tuple[dict[str, str], str]:
    """Merge the names that YAML may take, and tell the origin of the endpoint's pair (or nothing).

    `own_url` says that YAML sends the key to an address of its own: then it may stand alone.
    """
    merged = {**env_file, **environ, URL: "", AUTH: ""}
    for origin, source in (("environment", environ), (".env", env_file)):
        url, key = source.get(URL, ""), source.get(AUTH, "")
        if not url and not key:
            continue
        if (url and AUTH not in source) or (key and not url and not own_url):
            problems.say(
                origin,
                "MODEL_ENDPOINT_URL and MODEL_PROVIDER_AUTH belong together, and only {name} is set"
                " here; an endpoint without a key has MODEL_PROVIDER_AUTH= (empty)",
                name=URL if url else AUTH,
            )
        return merged | {URL: url, AUTH: key}, origin if url else ""
    if own_url:
        del merged[AUTH]
    return merged, ""


def substituted(node: Node, known: Mapping[str, str], problems: Problems) -> Node:
    """Replace `${NAME}` and `env:NAME` in every text below a node."""
    value = node.value
    if isinstance(value, dict):
        below = {key: substituted(child, known, problems) for key, child in value.items()}
        return Node(below, node.where)
    if isinstance(value, list):
        return Node([substituted(child, known, problems) for child in value], node.where)

    def take(found: re.Match[str]) -> str:
        if known.get(found[1]) is None:
            problems.say(
                node.where,
                "{name} is set neither in the environment nor in .env",
                name=found[1],
            )
        return known.get(found[1], "")

    text = _TAKEN.sub(take, re.sub(r"\Aenv:(.*)\Z", r"${\1}", value))
    if _CONTROL.search(text):
        problems.say(node.where, "control characters are not allowed")
    return Node(text, node.where)
