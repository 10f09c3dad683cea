"""A reminder on our own sockets: shown once when it is due, and kept in the transcript.

Covers clawdbot.app.reminders.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.integration.gateway.conftest import JSON, running
from tests.integration.gateway.test_ws import ask, connected, told
from tests.integration.panel.conftest import add_user, browsing

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
            while "Reminder: tea" != (frame := await socket.receive_json(timeout=10)).get("text"):
                assert frame
            await socket.close()
        with closing(sqlite3.connect(short_home / "data/clawdbot.db", timeout=5)) as db:
            told = db.execute(
                "SELECT user_id FROM transcript WHERE CAST(body AS TEXT) LIKE '%Reminder: tea%'"
            ).fetchall()
        assert ["u-Bob"] not in [list(row) for row in told]
        assert 1 == len(told)
