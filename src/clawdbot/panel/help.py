"""What each setting is for: one English text for the panel, the documents and the catalogue."""

from functools import cache
from importlib.resources import files


def help_of(key: str) -> str:
    """Tell what a dotted setting is for."""
    parts = key.split(".")
    return next((text for pattern, text in told().items() if _fits(pattern, parts)), "")


@cache
def told() -> dict[str, str]:
    """Read all texts by the settings' keys, `*` where a name of the user's stands."""
    text = (files("clawdbot.panel") / "help.tsv").read_text("utf-8")
    lines = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return dict((key, words) for key, words in lines)  # noqa: C402 - for the types


def _fits(pattern: str, parts: list[str]) -> bool:
    known = pattern.split(".")
    return len(known) == len(parts) and all(
        k in {"*", p} for k, p in zip(known, parts, strict=True)
    )
