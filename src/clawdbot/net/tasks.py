"""What a task that tries again and again owes to whoever ends it."""

import asyncio


def stay_ended() -> None:
    """Raise CancelledError where this task was told to end; call it behind what catches failures.

    A task group that is cancelled while a child of it fails raises the failure instead:
    https://github.com/python/cpython/issues/116720 (before Python 3.13). Whoever catches that and
    tries again would live for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
