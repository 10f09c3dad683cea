"""A home after a busy year: people of all levels, conversations, what they used and asked.

Rows go in behind the service's back, in the shape that it writes; names are long, Chinese, or try
to be markup.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from argon2 import PasswordHasher

from clawdbot.config.key import MasterKey
from clawdbot.domain.approval import Plan, Planned
from clawdbot.store import sql
from clawdbot.store.audit import Audit, Entry, Kind
from clawdbot.store.vault import Vault

NAMES = (
    *("Ann", "王小明", "Zoë Ångström-Fitzgerald de la Vega y Montenegro", "陈".ljust(20, "龙")),
    *('<img src=x onerror="alert(1)">', "O'Neill & Sons </script>", "{{ 7 * 7 }}", "محمد"),
)
TITLES = (
    *("How full is my disk?", "磁盘还剩多少，什么时候需要清理？", "Rechnung " * 9),
    *("<b>bold</b> and <script>alert(1)</script>", "x" * 200, "${jndi:ldap://x}", "明天提醒我开会"),
)
DAY_S = 86_400.0
_DONE = (
    ("user.alter", Kind.ADMIN, "allow", "role"),
    ("shell", Kind.DECISION, "ask", "needs an admin"),
    ("web_fetch", Kind.DECISION, "allow", "read"),
    ("http", Kind.DECISION, "deny", "something private could leave"),
    ("settings.change", Kind.ADMIN, "allow", "role"),
)

DISK = """\"\"\"Tell how full the disk is.\"\"\"

from clawdbot.plugins import system_command


@system_command.register(effect="read", paths=["/srv"])
def disk_usage(params):
    \"\"\"磁盘还剩多少。\"\"\"
    import shutil

    return shutil.disk_usage("/")
"""
WEATHER = DISK.replace('effect="read", paths=["/srv"]', 'effect="egress", hosts=["api.example"]')

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
        [(epoch,)] = db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchall()
        _many(db, "approvals", _approvals(owner, lanes, epoch, now))
        _many(db, "standings", _standings(owner, now))
        _many(db, "refusals", _refusals(owner, now))
        _many(db, "group_chats", _groups(now))
        _audit(db, home, owner, now)
    _plugins(home / "plugins")
    _logs(home / "logs/clawdbot.log", now)


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


def _approvals(owner: str, lanes: list[Row], epoch: str, now: float) -> Iterator[Row]:
    words = ["rm", "-rf", "--", "build/" + "a-long-name/" * 12, "磁盘"]
    sent: dict[str, object] = {
        "url": "https://bank.example/transfers",
        "method": "POST",
        "body": TITLES[3],
    }
    run: dict[str, object] = {"command": words}
    asked = [("shell", "exec", run), ("http", "egress", sent)]
    states = ["open", "open", "open", "granted", "denied", "expired", "cancelled"]
    for n, (state, lane) in enumerate(zip(states, lanes, strict=False)):
        calls = tuple(
            Planned(
                tool=tool,
                effect=effect,
                arguments=msgspec.json.encode(arguments).decode(),
                sinks={name: str(value) for name, value in arguments.items()},
                why="tainted",
            )
            for tool, effect, arguments in (asked if n == 1 else [asked[n % 2]])
        )
        plan = Plan(calls=calls, admin=n == 2)
        yield {
            "id": f"01APPROVAL{n:016}",
            "turn_id": f"t{str(lane['id'])[1:]}",
            "conversation_id": lane["id"],
            "user_id": lane["user_id"] if n else owner,
            "epoch": epoch,
            "code": f"{4000 + n}",
            "hash": plan.hash,
            "body": msgspec.json.encode(plan),
            "state": state,
            "scope": "once" if state == "granted" else "",
            "decided_by": owner if state in {"granted", "denied"} else "",
            "created_at": now - n * 600,
            "expires_at": now + DAY_S,
            "decided_at": None if state == "open" else now - n * 60,
        }


def _standings(owner: str, now: float) -> Iterator[Row]:
    for n, pattern in enumerate(({"url": "https://shop.example"}, {"path": "/srv/照片/" * 4})):
        yield {
            "id": f"01STANDING{n:016}",
            "user_id": owner,
            "tool": ("http", "files_write")[n],
            "pattern": msgspec.json.encode(pattern),
            "conversation_id": "",
            "granted_by": owner,
            "created_at": now,
            "expires_at": now + DAY_S if n else None,
        }


def _refusals(owner: str, now: float) -> Iterator[Row]:
    yield {
        "id": f"01REFUSAL{0:017}",
        "user_id": owner,
        "tool": "shell",
        "pattern": msgspec.json.encode({"=": '{"command":["rm","-rf","/"]}'}),
        "granted_by": owner,
        "created_at": now,
        "expires_at": None,
    }


def _groups(now: float) -> Iterator[Row]:
    for n, name in enumerate(("家庭群", "Quarterly planning and " * 3, NAMES[4])):
        yield {
            "id": f"01GROUP{n:019}",
            "receiver": "telegram:1",
            "chat": str(-100 - n),
            "channel": "telegram",
            "account": "main",
            "name": name,
            "answers": ("paired", "everybody", "nobody")[n],
            "speaks": ("mentioned", "always", "mentioned")[n],
            "ceiling": ("member", "guest", "owner")[n],
            "language": ("zh", "", "en")[n],
            "created_at": now,
            "seen_at": now - n * DAY_S,
        }


def _audit(db: sqlite3.Connection, home: Path, owner: str, now: float) -> None:
    """Append to the trail as the product does, in a chain of its own."""
    tx = sql.SqlTx(db, sql.queries("sqlite"))
    trail = Audit(Vault(MasterKey(home, {})), "local:earlier")
    for n in range(60):
        what, kind, decision, rule = _DONE[n % len(_DONE)]
        trail.append(
            tx,
            Entry(
                at=now - (60 - n) * 600,
                kind=kind,
                what=what,
                user_id=owner if n % 3 else f"u{n + 1:025}",
                decision=decision,
                rule=rule,
                outcome=NAMES[n % len(NAMES)] if kind is Kind.ADMIN else "",
            ),
        )


def _logs(file: Path, now: float) -> None:
    """Write what a service logs in a bad hour, before its own lines."""
    lines = [
        {
            "at": datetime.fromtimestamp(now - 600 + n, UTC).isoformat().replace("+00:00", "Z"),
            "level": ("info", "warning", "error", "debug")[n % 4],
            "event": ("turn done", "model failed", "turn failed", "said")[n % 4],
            "turn": f"01TURN{n:020}",
            "error": f"{NAMES[n % len(NAMES)]}: " + "nothing answers at the address " * (n % 5),
            "logger": ("turn", "models", "turn", "mcp")[n % 4],
        }
        for n in range(300)
    ]
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with file.open("ab") as opened:
        opened.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def _plugins(folder: Path) -> None:
    """Lay down plugins that nobody has trusted yet: one reads, one reaches out, one is broken."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "disk.py").write_text(DISK)
    (folder / "weather_of_every_place.py").write_text(WEATHER)
    (folder / "broken.py").write_text("def (:\n")
