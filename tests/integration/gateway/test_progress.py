"""A plugin tells how far it is: whoever waits sees it, a little at a time, and never more.

Covers clawdbot.agent.acting._Telling and clawdbot.gateway.stream.
"""

from pathlib import Path

from tests.integration.gateway.conftest import JSON, running
from tests.integration.gateway.test_ws import ask, connected

RULES: list[JSON] = [
    {"when": "count", "calls": [{"tool": "count"}]},
    {"when": "flood", "calls": [{"tool": "flood"}]},
]
CODE = """
from clawdbot.plugins import progress, system_command

@system_command.register
def count():
    progress("half\\x1b[2J way", 0.5)
    return "counted"

@system_command.register
def flood():
    for number in range(300):
        progress("x" * 1000)
    return "flooded"
"""


async def test_a_running_turn_shows_how_far_a_plugin_is_and_no_flood(short_home: Path) -> None:
    (short_home / "plugins").mkdir(mode=0o700, parents=True)
    (short_home / "plugins" / "counting.py").write_text(CODE)
    async with running(short_home, RULES) as service:
        await service.set_up()
        async with service.local.post("http://clawdbot/Trust.trust", json=["counting"]) as answer:
            assert 200 == answer.status, await answer.text()
        socket = await connected(service)
        await socket.send_json({"type": "open", "conversation": "c"})
        frames = await ask(socket, "count", "1")
        assert [("count", ""), ("count", "half[2J way (50%)")] == [
            (frame["name"], frame.get("text", "")) for frame in frames if frame["type"] == "tool"
        ]
        assert "counted" == frames[-1]["text"]
        frames = await ask(socket, "flood", "2")
        assert "flooded" == frames[-1]["text"]
        texts = [str(f["text"]) for f in frames if f["type"] == "tool" and f.get("text")]
        assert 200 == len(texts[0])
        assert 60 > len(texts)  # one each half second, of three hundred
