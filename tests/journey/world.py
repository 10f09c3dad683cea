"""A home after a busy year: people of all levels, conversations, what they used and asked.

Rows go in behind the service's back, in the shape that it writes; names are long, Chinese, or try
to be markup.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from argon2 import PasswordHasher

NAMES = (
    *("Ann", "王小明", "Zoë Ångström-Fitzgerald de la Vega y Montenegro", "陈".ljust(20, "龙")),
    *('<img src=x onerror="alert(1)">', "O'Neill & Sons </script>", "{{ 7 * 7 }}", "محمد"),
)
TITLES = (
    *("How full is my disk?", "磁盘还剩多少，什么时候需要清理？", "Rechnung " * 9),
    *("<b>bold</b> and <script>alert(1)</script>", "x" * 200, "${jndi:ldap://x}", "明天提醒我开会"),
)
DAY_S = 86_400.0

Row = dict[str, object]


def fill(
    home: Path, now: float, *, conversations: int = 10_000, people: int = 50, password: str = ""
) -> None:
    """Fill a home that has an owner; `now` in seconds since 1970."""
    with closing(sqlite3.connect(home / "data/clawdbot.db", timeout=20)) as db, db:
        [(owner,)] = db.execute("SELECT id FROM users WHERE role = 'owner'").fetchall()
        hashed = PasswordHasher().hash(password) if password else ""
        _many(db, "users", _people(people, hashed, now))
        _many(db, "identities", _identities(people, now))
        _many(db, "pairings", _knocks(now))
        lanes = list(_lanes(conversations, owner, people, now))
        _many(db, "conversations", lanes)
        _many(db, "transcript", _transcript(lanes))
        _many(db, "usage", _usage(owner, people, now))


def _many(db: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    for row in rows:
        names, given = ", ".join(row), ", ".join(f":{name}" for name in row)
        db.execute(f"INSERT INTO {table} ({names}) VALUES ({given})", row)


def _people(many: int, hashed: str, now: float) -> Iterator[Row]:
    for n in range(1, many):
        yield {
            "id": f"u{n:025}",
            "name": f"{NAMES[n % len(NAMES)]} {n}",
            "role": ("member", "guest", "admin", "member")[n % 4],
            "language": ("en", "zh")[n % 2],
            "timezone": "Asia/Shanghai",
            "password": hashed if n < 4 else "",
            "created_at": now - n * DAY_S,
            "disabled_at": now - DAY_S if n % 10 == 9 else None,
        }


def _identities(many: int, now: float) -> Iterator[Row]:
    for n in range(1, many):
        yield {
            "platform": "telegram",
            "external": str(4_000 + n),
            "user_id": f"u{n:025}",
            "name": NAMES[n % len(NAMES)],
            "created_at": now - n * DAY_S,
        }


def _knocks(now: float) -> Iterator[Row]:
    for n, name in enumerate(NAMES[:3]):
        yield {
            "code_hash": f"{n:064x}",
            "platform": "telegram",
            "external": str(9_000 + n),
            "name": name,
            "language": "en",
            "held": "",
            "state": "open",
            "created_at": now,
            "expires_at": now + DAY_S,
        }


def _lanes(many: int, owner: str, people: int, now: float) -> Iterator[Row]:
    for n in range(many):
        user = owner if n % 2 == 0 else f"u{n % (people - 1) + 1:025}"
        address = {"channel": "web", "account": "main", "chat": f"{user}:c{n}"}
        yield {
            "id": f"c{n:025}",
            "receiver": "web",
            "scope": f"direct:{user}:c{n}::{user}",
            "user_id": user,
            "address": msgspec.json.encode(address),
            "title": f"{TITLES[n % len(TITLES)]} {n}"[:200],
            "model": "",
            "session_id": f"s{n:025}",
            "session_from": now - n * 60,
            "session_last": now - n * 60,
            "next_position": 1,
            "created_at": now - n * 60,
        }


def _transcript(lanes: list[Row]) -> Iterator[Row]:
    for lane in lanes:
        for seq, role in enumerate(("user", "assistant")):
            part = {"type": "text", "source": "own" if not seq else "model", "text": lane["title"]}
            yield {
                "conversation_id": lane["id"],
                "position": 0,
                "seq": seq,
                "session_id": lane["session_id"],
                "turn_id": f"t{str(lane['id'])[1:]}",
                "user_id": lane["user_id"],
                "body": msgspec.json.encode({"role": role, "parts": [part]}),
                "taint": 0,
                "tokens": 5,
                "at": lane["created_at"],
            }


def _usage(owner: str, people: int, now: float) -> Iterator[Row]:
    for n in range(3_000):
        yield {
            "id": f"{n}",
            "turn_id": f"t{n:025}",
            "user_id": owner if n % 3 == 0 else f"u{n % (people - 1) + 1:025}",
            "route": "default",
            "provider": ("external", "claude")[n % 2],
            "model": ("qwen3-235b-a22b-instruct-2507-fp8-with-a-long-name", "claude-5")[n % 2],
            "tokens_in": 900 + n % 700,
            "tokens_out": 80 + n % 300,
            "first_token_s": 0.2 + (n % 50) / 100,
            "whole_s": 1.5 + (n % 70) / 20,
            "at": now - (n % 30) * DAY_S / 1.01,
            "cost": (n % 90) / 1_000,
        }
