"""A reminder on our own sockets: shown once when it is due, and kept in the transcript.

Covers clawdbot.app.reminders.
"""

from pathlib import Path

from tests.integration.gateway.conftest import JSON, running
from tests.integration.gateway.test_ws import ask, connected, told

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
