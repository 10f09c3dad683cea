"""Named statements (`queries/*.sql`), numbered steps (`schema/*.sql`), and a transaction of them.

Each is written once, with `:name` parameters, in SQL that SQLite and PostgreSQL read alike; where
they cannot (the search index), each has a file of its own beside it (`search.sqlite.sql`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Generic, Literal, Protocol, TypeVar

from clawdbot.domain.errors import SchemaNewer

Engine = Literal["sqlite", "postgres"]
R = TypeVar("R")
Q = TypeVar("Q")
Q_contra = TypeVar("Q_contra", contravariant=True)

_NAME = re.compile(r"^-- name: (\S+)\n", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")


class _Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...

    def fetchall(self) -> Sequence[Sequence[object]]: ...


class _Connection(Protocol[Q_contra]):
    def execute(self, query: Q_contra, values: Mapping[str, object], /) -> _Cursor: ...


class SqlTx(Generic[Q]):
    """The `Tx` port on one connection: an open transaction that speaks the named statements."""

    __slots__ = ("_connection", "_queries")

    def __init__(self, connection: _Connection[Q], queries: Mapping[str, Q]) -> None:
        """Speak on a connection, with the statements as its engine writes them."""
        self._connection = connection
        self._queries = queries

    def one(self, kind: Callable[..., R], query: str, /, **values: object) -> R | None:
        """Run a named query and build its first row, or None."""
        # fetchall: a statement left half-read would block the COMMIT.
        rows = self._connection.execute(self._queries[query], values).fetchall()
        return kind(*rows[0]) if rows else None

    def all(self, kind: Callable[..., R], query: str, /, **values: object) -> list[R]:
        """Run a named query and build every row."""
        rows = self._connection.execute(self._queries[query], values).fetchall()
        return [kind(*row) for row in rows]

    def run(self, query: str, /, **values: object) -> int:
        """Run a named statement and tell how many rows it changed."""
        return self._connection.execute(self._queries[query], values).rowcount


@cache
def queries(engine: Engine) -> dict[str, str]:
    """Load an engine's every statement by its name (`turns.claim`)."""
    found: dict[str, str] = {}
    for text in _texts("queries", engine).values():
        parts = _NAME.split(text)[1:]
        found.update(zip(parts[::2], (_statement(body) for body in parts[1::2]), strict=True))
    return found


@cache
def pyformat() -> dict[str, bytes]:
    """Give PostgreSQL's every statement with its parameters written as psycopg wants them."""
    return {
        name: _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%")).encode()
        for name, statement in queries("postgres").items()
    }


def missing(version: int, engine: Engine) -> list[tuple[int, str]]:
    """List the steps that a store of a version lacks; number N brings version N-1 to N.

    Raises SchemaNewer. A store one version ahead is used as it is: data outlives a code roll-back.
    """
    steps = list(_texts("schema", engine).values())
    if version > len(steps) + 1:
        raise SchemaNewer
    return list(enumerate(steps[version:], version + 1))


def _texts(folder: str, engine: Engine) -> dict[str, str]:
    """Read a folder's files by their first names, an engine's own part after the common one."""
    found: dict[str, str] = {}
    for file in sorted((files("clawdbot.store") / folder).iterdir(), key=lambda f: f.name[:-4]):
        name, _, of = file.name.removesuffix(".sql").partition(".")
        if of in {"", engine}:
            found[name] = found.get(name, "") + file.read_text("utf-8")
    return found


def _statement(body: str) -> str:
    lines = [line for line in body.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip().rstrip(";")
