"""A reminder on our own sockets: shown once when it is due, and kept in the transcript.

Covers clawdbot.app.reminders.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import JSON, running
from tests.integration.gateway.test_ws import ask, connected, told
from tests.integration.panel.conftest import add_user, browsing, write
from tests.patience import PATIENCE_S

RULES: list[JSON] = [
    {
        "when": "remind",
        "calls": [{"tool": "reminder_add", "arguments": {"text": "tea", "in_seconds": 0.4}}],
    }
]


async def test_a_due_reminder_is_shown_once_and_stays(short_home: Path) -> None:
    async with running(short_home, RULES) as service:
        await service.set_up()
        socket = await connected(service)
        await socket.send_json({"type": "open", "conversation": "c"})
        await ask(socket, "remind me")
        [*_, due] = await told(socket, "final")
        assert ("Reminder: tea", 2) == (due["text"], due["event"])
        again = await connected(service)
        await again.send_json({"type": "open", "conversation": "c", "after": 1})
        [*_, kept] = await told(again, "final")
        assert ("Reminder: tea", due["turn"]) == (kept["text"], kept["turn"])
        await again.send_json({"type": "open", "conversation": "c", "after": 2})
        await again.send_json({"type": "ping", "n": 1})
        assert ["ping"] == [frame["type"] for frame in await told(again, "ping")]


async def test_nobody_is_reminded_once_they_are_shut_out(short_home: Path) -> None:
    arguments = {"text": "tea", "in_seconds": 1.5}
    rules: list[JSON] = [
        {"when": "remind", "calls": [{"tool": "reminder_add", "arguments": arguments}]}
    ]
    async with running(short_home, rules) as service:
        await service.set_up()
        add_user(service, "Bob")
        async with browsing(service) as ann, browsing(service) as bob:
            await ann.log_in()
            await bob.log_in("Bob")
            await bob.say("c", "remind me")
            assert 200 == (await ann.call("PATCH", "/people/u-Bob", {"disabled": True})).status
            await ann.say("c", "remind me")
            socket = await ann.socket("c")
            # Hers is due later than his.
            frame: dict[str, object] = {}
            while "Reminder: tea" != frame.get("text"):
                frame = await socket.receive_json(timeout=PATIENCE_S)
            await socket.close()
        with closing(sqlite3.connect(short_home / "data/clawdbot.db", timeout=5)) as db:
            told = db.execute(
                "SELECT user_id FROM transcript WHERE CAST(body AS TEXT) LIKE '%Reminder: tea%'"
            ).fetchall()
        assert ["u-Bob"] not in [list(row) for row in told]
        assert 1 == len(told)


REFUSED = "A reminder was due that you may no longer have. Ask an owner of this assistant."
LATER: list[JSON] = [
    {"when": word, "calls": [{"tool": "reminder_add", "arguments": {"text": "tea", **due}}]}
    for word, due in (("remind", {"in_seconds": 3600}), ("soon", {"in_seconds": 0.05}))
]


@pytest.mark.parametrize(
    ("changes", "told", "refused"),
    [
        ([{"role": "guest"}], [REFUSED], True),
        ([{"role": "guest"}, {"role": "member"}], ["Reminder: tea"], False),
        ([{"disabled": True}], [], False),
        ([{"role": "guest", "disabled": True}], [], False),
    ],
)
async def test_a_reminder_is_told_as_its_user_may_when_it_is_due(
    short_home: Path, changes: list[JSON], told: list[str], *, refused: bool
) -> None:
    async with running(short_home, LATER) as service:
        await service.set_up()
        add_user(service, "Bob")
        async with browsing(service) as ann, browsing(service) as bob:
            await ann.log_in()
            await bob.log_in("Bob")
            await bob.say("c", "remind me")
            for change in changes:
                assert 200 == (await ann.call("PATCH", "/people/u-Bob", change)).status
            write(service, "UPDATE timers SET due_at = ?", (1.0,))
            socket = await ann.socket("c")
            await ann.say("c", "soon")  # hers is due after his
            while "Reminder: tea" != (await socket.receive_json(timeout=PATIENCE_S)).get("text"):
                pass
            await socket.close()
            rows = json.loads((await ann.call("GET", "/audit?decision=deny")).text)
        with closing(sqlite3.connect(short_home / "data/clawdbot.db", timeout=5)) as db:
            said = db.execute(
                "SELECT CAST(body AS TEXT) FROM transcript"
                " WHERE user_id = 'u-Bob' AND turn_id LIKE '%:reminder'"
            ).fetchall()
        assert told == [json.loads(body)["parts"][0]["text"] for (body,) in said]
        denied = [(row["what"], row["rule"]) for row in rows if row["user_id"] == "u-Bob"]
        assert ([("reminder_add", "guest may not write")] if refused else []) == denied
