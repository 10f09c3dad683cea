"""A long session is summarised by a recorded step, and what was said stays.

Covers clawdbot.agent.compact.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.integration.gateway.conftest import JSON, running
from tests.integration.gateway.test_ws import ask, connected

RULES: list[JSON] = [{"when": "user: ", "say": "SUMMARY OF OLD TIMES"}, {"say": "word " * 200}]


async def test_older_turns_become_one_summary_and_stay_in_the_transcript(short_home: Path) -> None:
    budgets = {"compact_tokens": 1000, "context_tokens": 4000}
    async with running(short_home, RULES, turns=budgets) as service:
        await service.set_up()
        socket = await connected(service)
        await socket.send_json({"type": "open", "conversation": "c"})
        for number in range(8):
            await ask(socket, f"question {number}", f"k{number}")
    with closing(sqlite3.connect(short_home / "data" / "clawdbot.db")) as db:
        summaries = db.execute("SELECT body, source, upto FROM summaries ORDER BY upto").fetchall()
        steps = db.execute("SELECT COUNT(*) FROM steps WHERE key = 'compact'").fetchone()[0]
        said = db.execute("SELECT COUNT(*) FROM transcript").fetchone()[0]
    assert {("SUMMARY OF OLD TIMES", "model")} == {row[:2] for row in summaries}
    assert len(summaries) == steps >= 1
    assert 16 == said


async def test_a_short_session_is_left_alone(short_home: Path) -> None:
    async with running(short_home, RULES) as service:
        await service.set_up()
        socket = await connected(service)
        await socket.send_json({"type": "open", "conversation": "c"})
        await ask(socket, "question", "k")
    with closing(sqlite3.connect(short_home / "data" / "clawdbot.db")) as db:
        assert 0 == db.execute("SELECT COUNT(*) FROM summaries").fetchone()[0]
