"""Every built-in tool through the registry: schema from the signature, policy, arguments, rows."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from clawdbot.domain.errors import ToolFailed
from clawdbot.domain.inbound import Address
from clawdbot.domain.messages import Call, Source
from clawdbot.domain.people import User
from clawdbot.domain.policy import Role
from clawdbot.domain.settings import Store
from clawdbot.store import notes, people, sqlite, timers
from clawdbot.store.sqlite import SqliteDb
from clawdbot.tools.builtin import facts, notebook
from clawdbot.tools.registry import Grant, Registry
from clawdbot.tools.schema import arguments_of, schema_of

REGISTRY = Registry((*facts.TOOLS, *notebook.TOOLS))
ANN = User("u1", "Ann", "owner", "en", "Europe/Berlin")
GRANT = Grant(
    user=ANN,
    to=Address(channel="telegram", account="main", chat="5"),
    language="en",
    timezone="Europe/Berlin",
    now=1_750_000_000.0,
    id="t1.0.0",
    source=Source.MODEL,
    tainted=False,
)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDb]:
    async with sqlite.opened(tmp_path / "db", Store()) as opened:
        await opened.write(lambda tx: people.add(tx, ANN, 1.0))
        yield opened


def call(tool: str, arguments: str = "{}") -> Call:
    return Call(id="0.0", tool=tool, arguments=arguments, source=Source.MODEL)


async def write(db: SqliteDb, tool: str, arguments: str, grant: Grant = GRANT) -> str:
    ready = REGISTRY.call(grant, call(tool, arguments))
    return (await db.write(ready.write)).decode()


def test_an_owner_is_offered_everything_and_a_guest_what_is_public() -> None:
    assert 8 == len(REGISTRY.offered(ANN))
    guest = replace(ANN, role="guest")
    assert ["time_now"] == [tool.manifest.name for tool, _ in REGISTRY.offered(guest)]


def test_what_is_offered_follows_the_tools_the_user_and_the_roles() -> None:
    registry = Registry(facts.TOOLS)
    guest = replace(ANN, role="guest")

    def offered(user: User, **roles: Role) -> list[str]:
        return sorted(tool.manifest.name for tool, _ in registry.offered(user, roles))

    before = offered(ANN)
    assert before == offered(ANN) != offered(guest)
    registry.replace("plugin", notebook.TOOLS[:1])
    added = notebook.TOOLS[0].manifest.name
    assert sorted((*before, added)) == offered(ANN)
    assert added not in offered(guest)
    assert [] == offered(replace(ANN, disabled_at=2.0))
    clerk = replace(ANN, role="clerk")
    assert offered(guest) == offered(clerk)
    assert added in offered(clerk, clerk=Role(allowed=frozenset({added})))
    assert offered(guest) == offered(clerk, clerk=Role())
    registry.replace("plugin", ())
    assert before == offered(ANN)


def test_a_schema_comes_from_the_signature() -> None:
    async def tool(grant: Grant, text: str, number: int = 3) -> str:
        """Do nothing."""
        return f"{grant}{text}{number}"

    schema = schema_of(arguments_of(tool, skip=1))
    assert ["text"] == schema["required"]
    assert {"text": {"type": "string"}, "number": {"type": "integer"}} == schema["properties"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("rm", "{}"),
        ("note_add", "{"),
        ("note_add", "[]"),
        ("note_add", '{"text": 1}'),
        ("note_add", '{"text": ""}'),
        ("note_add", '{"text": "a", "user": "u2"}'),
        ("note_remove", '{"number": 0}'),
        ("note_add", '{"text": "' + "x" * 5000 + '"}'),
    ],
)
def test_what_does_not_fit_is_refused_before_it_acts(tool: str, arguments: str) -> None:
    with pytest.raises(ToolFailed):
        REGISTRY.call(GRANT, call(tool, arguments))


async def test_the_time_is_told_here_and_elsewhere() -> None:
    for arguments, expected in (
        ("{}", "2025-06-15 17:06:40 CEST"),
        ('{"timezone": "Asia/Shanghai"}', "2025-06-15 23:06:40 CST"),
    ):
        ready = REGISTRY.call(GRANT, call("time_now", arguments))
        assert expected == (await ready.run()).decode()
        assert not ready.taint


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "/etc/passwd"])
async def test_a_made_up_time_zone_is_an_error(zone: str) -> None:
    with pytest.raises(ToolFailed):
        await REGISTRY.call(GRANT, call("time_now", f'{{"timezone": "{zone}"}}')).run()


@pytest.mark.parametrize("tool", ["disk_usage", "host_facts"])
async def test_host_facts_are_told_and_taint(tool: str) -> None:
    ready = REGISTRY.call(GRANT, call(tool))
    assert "GiB" in (await ready.run()).decode()
    assert ready.taint


async def test_notes_are_kept_with_source_and_taint_listed_and_removed(db: SqliteDb) -> None:
    await write(db, "note_add", '{"text": "milk"}')
    later = replace(GRANT, id="2", now=GRANT.now + 1, tainted=True)
    await write(db, "note_add", '{"text": "from a page"}', later)
    kept = {n.body: (n.source, n.taint) for n in await db.read(lambda tx: notes.listed(tx, "u1"))}
    assert {"milk": ("model", 0), "from a page": ("model", 1)} == kept
    listed = await write(db, "note_list", "{}")
    assert ["1. from a page", "2. milk"] == listed.splitlines()
    assert "Forgotten: milk" == await write(db, "note_remove", '{"number": 2}')
    assert "There is no note 2." == await write(db, "note_remove", '{"number": 2}')


async def test_notes_are_their_users_alone(db: SqliteDb) -> None:
    await write(db, "note_add", '{"text": "mine"}')
    bob = replace(GRANT, user=replace(ANN, id="u2"))
    assert "You have no notes." == await write(db, "note_list", "{}", bob)


async def test_a_reminder_is_one_timer(db: SqliteDb) -> None:
    said = await write(db, "reminder_add", '{"text": "tea", "in_seconds": 90}')
    assert "I will remind you at 2025-06-15 17:08:10: tea" == said
    at = GRANT.now + 91
    [timer] = await db.read(lambda tx: timers.due(tx, notebook.REMINDER, at))
    assert (GRANT.to, "Reminder: tea") == notebook.due(timer)
    assert "tea" in await write(db, "reminder_list", "{}")


@pytest.mark.parametrize(
    "arguments",
    [
        '{"text": "x"}',
        '{"text": "x", "at": "yesterday"}',
        '{"text": "x", "at": "2020-01-01 10:00"}',
        '{"text": "x", "in_seconds": 99999999999}',
        '{"text": "x", "in_seconds": -1}',
    ],
)
async def test_an_impossible_reminder_is_refused(db: SqliteDb, arguments: str) -> None:
    with pytest.raises(ToolFailed):
        await write(db, "reminder_add", arguments)
    assert [] == await db.read(lambda tx: timers.due(tx, notebook.REMINDER, 1e12))
