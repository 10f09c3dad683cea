"""What the decorators record: a function and what its author declares about it; nothing happens.

The host reads the record in a box, decides, and calls the function there.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypedDict, TypeVar, Unpack, overload

F = TypeVar("F", bound=Callable[..., object])


class Options(TypedDict, total=False):
    """What an author may declare; a function gets what it declares and its owner has trusted.

    `effect` is what it does to the world, at least what its permissions allow it to do; `timeout`
    is in seconds. `hosts` (`api.example.com`, `*.example.com:8443`), `paths` (`/srv/data`,
    `/srv/out:write`) and `secrets` are the permissions. `every` (`10m`, or a cron line) and `on`
    (an event's name) are offered to the user as a schedule and a trigger.
    """

    name: str
    effect: Literal["read", "write", "exec", "egress", "money", "admin"]
    timeout: float
    hosts: Sequence[str]
    paths: Sequence[str]
    secrets: Sequence[str]
    every: str
    on: str


class Record(NamedTuple):
    """A function and what was declared; `kind` is `command` or `browser`."""

    kind: str
    function: Callable[..., object]
    options: Options


RECORDS: list[Record] = []


class Recorder:
    """A decorator, bare or with options, that records a function and leaves it as it is."""

    def __init__(self, kind: str) -> None:
        """Record functions of a kind."""
        self._kind = kind

    @overload
    def __call__(self, function: F, /) -> F: ...

    @overload
    def __call__(
        self, function: None = None, /, **options: Unpack[Options]
    ) -> Callable[[F], F]: ...

    def __call__(
        self, function: Callable[..., object] | None = None, /, **options: Unpack[Options]
    ) -> object:
        """Record a function, or make the decorator that does."""
        if unknown := set(options) - set(Options.__annotations__):
            raise TypeError(f"there is no option {', '.join(sorted(unknown))}")

        def record(found: F) -> F:
            RECORDS.append(Record(self._kind, found, options))
            return found

        return record if function is None else record(function)
