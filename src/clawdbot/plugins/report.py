"""Telling how far a call is; whoever listens is set by the worker, outside a box nobody does."""

from collections.abc import Callable

listeners: list[Callable[[str, float | None], None]] = []


def progress(text: str, share: float | None = None) -> None:
    """Tell the user how far it is: some words, and the share that is done (0 to 1)."""
    for listen in listeners:
        listen(text, share)
