"""A store as it is after years: one conversation that the product itself wrote, copied many times.

Every row of the template is copied with its chat's number, its ids and its hashes changed alike, so
that whatever the schema becomes, the copies are what the product writes. Not for a running service.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

TEMPLATE_CHAT = 900_000_000
_AGED_S = 86_400.0
_KEPT = {"meta", "logins"}
_INDEXED_S = 30.0
_ULID = "[0-9A-HJKMNP-TV-Z]" * 26 + "*"
_HASH = "[0-9a-f]" * 64


async def indexed(database: Path) -> None:
    """Wait until a running service has indexed what was said: nobody should index the copies."""
    with closing(sqlite3.connect(database)) as db:
        async with asyncio.timeout(_INDEXED_S):
            while db.execute("SELECT EXISTS (SELECT 1 FROM unindexed)").fetchone() != (0,):
                await asyncio.sleep(0.1)


def multiply(database: Path, copies: int) -> None:
    """Give chats TEMPLATE_CHAT + 1 to + copies the template's past; the odd ones are a day old."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            db.execute(f"PRAGMA {pragma}").fetchall()
        db.execute("BEGIN EXCLUSIVE")
        # The tables within the search index are the index's own business.
        tables = db.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type <> 'shadow'"
            " AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        for (table,) in tables:
            if table not in _KEPT:
                _copy(db, table, copies)
        db.execute(
            "UPDATE conversations SET session_from = session_from - :s,"
            " session_last = session_last - :s WHERE CAST(substr(id, 11, 6) AS INTEGER) % 2 = 1",
            {"s": _AGED_S},
        )
        db.execute("COMMIT")
        db.execute("ANALYZE")
        db.execute("PRAGMA journal_mode = WAL").fetchall()


def _copy(db: sqlite3.Connection, table: str, copies: int) -> None:
    columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
    db.execute(f"CREATE TEMP TABLE template AS SELECT * FROM main.{table}")
    db.execute(
        "WITH RECURSIVE copy (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < ?)"
        f" INSERT INTO main.{table} ({', '.join(columns)})"
        f" SELECT {', '.join(map(_moved, columns))} FROM copy CROSS JOIN template",
        (copies,),
    )
    db.execute("DROP TABLE template")


def _moved(column: str) -> str:
    """Write a column's value for copy `n`."""
    renamed = f"replace(CAST({column} AS TEXT), '{TEMPLATE_CHAT}', {TEMPLATE_CHAT} + n)"
    return (
        f"CASE WHEN typeof({column}) = 'blob' THEN CAST({renamed} AS BLOB)"
        f" WHEN typeof({column}) <> 'text' THEN {column}"
        f" WHEN {column} GLOB '{_HASH}' THEN printf('%08x', n) || substr({column}, 9)"
        f" WHEN {column} GLOB '{_ULID}'"
        f" THEN substr({column}, 1, 10) || printf('%06d', n) || substr({column}, 17)"
        f" ELSE {renamed} END"
    )
