"""The assistant logs in on a page, in one turn: what a person is asked, and what nobody sees."""

import json
from pathlib import Path

from aiohttp import web

from clawdbot.domain.settings import Logs
from clawdbot.ops.lines import Redactor
from clawdbot.ops.logs import logging_to
from tests.fakes.models import Call, ModelServer, Reply, Rule
from tests.integration.gateway.conftest import JSON, Running, running
from tests.integration.net.stage import site
from tests.integration.test_canaries import MODEL_KEY, forms, post, short_home
from tests.patience import PATIENCE_S

__all__ = ["short_home"]

WORD = "canary-word-2c71"
LOGIN = """<title>Log in</title><form method=post action=/login>
<input name=user aria-label=Name><input type=password name=password>
<button>Log in</button></form><a href=/help>Help</a>"""
ASKED = ["browser_click", "browser_type", "browser_fill_secret", "browser_click"]


class Place:
    """A site with a log-in, and what it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.sent.append(dict(await request.post()))
            good = {"user": "ann", "password": WORD} == self.sent[-1]
            text = "<h1>Inbox</h1><p>Lunch at one?</p>" if good else "<h1>No</h1>"
        else:
            text = LOGIN if request.path == "/" else '<a href="/">Back to the log-in</a>'
        return web.Response(text=text, content_type="text/html")


async def script(models: ModelServer, url: str) -> None:
    """Have the model look around, fill in the form and send it, step by step."""
    calls = [
        Call("browser_open", {"url": f"{url}/help"}),
        Call("browser_click", {"ref": 1}),
        Call("browser_outline"),
        Call("browser_type", {"ref": 1, "text": "ann"}),
        Call("browser_fill_secret", {"ref": 2, "secret": "secret://mail"}),
        Call("browser_click", {"ref": 3}),
    ]
    rules = [Rule(reply=Reply(calls=[call]), times=1) for call in calls]
    await models.script(*rules, Rule(reply=Reply(text="Done."), times=1))


async def talk(service: Running, lane: str, words: str, refuse: str = "") -> tuple[list[str], str]:
    """Say something, and yes to all that is asked but one; give what was asked, and every frame."""
    asked: dict[str, str] = {}
    frames = ""
    async with service.local.ws_connect("http://clawdbot/socket") as socket:
        await socket.send_json({"type": "hello", "version": 1, "agent": "test"})
        await socket.send_json({"type": "open", "conversation": lane})
        line: JSON = {"conversation": lane, "key": lane}
        await socket.send_json(line | {"type": "send", "text": words})
        while (frame := await socket.receive_json(timeout=PATIENCE_S))["type"] != "final":
            frames += json.dumps(frame)
            if frame["type"] != "approval" or frame["id"] in asked:
                continue
            tool = "browser_" + frame["text"].partition("browser_")[2].partition(" ")[0]
            asked[frame["id"]] = tool
            verb = "no" if tool == refuse else "yes"
            tokens = [each["token"] for each in frame["choices"] if each["verb"] == verb]
            answer = {"type": "answer", "token": tokens[0], "key": f"{lane}{len(asked)}"}
            await socket.send_json(line | answer)
        assert "Done." == frame["text"]
    return list(asked.values()), frames


async def test_it_logs_in_as_far_as_it_may_and_the_secret_is_nowhere_else(short_home: Path) -> None:
    short_home.mkdir(mode=0o700, parents=True)
    place = Place()
    async with ModelServer(key=MODEL_KEY) as models, site(place.answer) as url:
        host = url.removeprefix("http://")
        env = f"MODEL_ENDPOINT_URL={models.url}/v1\nMODEL_PROVIDER_AUTH={MODEL_KEY}\n"
        (short_home / ".env").write_text(env)
        settings: dict[str, dict[str, object]] = {
            "net": {"private": [host]},
            "web": {"hosts": ["*", host]},
            "providers": {},
            "model_routing": {},
        }
        with logging_to(short_home, Logs(level="debug"), Redactor()):
            async with running(short_home, [], tools=(), **settings) as service:
                await service.set_up()
                wish = {"name": "mail", "text": WORD, "origins": [url]}
                await post(service, "Custody.keep_secret", wish)
                words = f"Look at {url}/help and log in as ann"
                await script(models, url)
                asked, refused = await talk(service, "a", words, "browser_fill_secret")
                assert [] == [sent for sent in place.sent if sent["password"]]
                await script(models, url)
                asked, shown = await talk(service, "b", words)
                assert ASKED == asked
                assert [{"user": "ann", "password": WORD}] == place.sent[-1:]
                trail = await post(service, "Custody.trail", {"content": True})
                requests = json.dumps([entry.body for entry in await models.log()])
    kept = {
        str(path): path.read_bytes()
        for path in short_home.rglob("*")
        if path.is_file() and path.name not in {".env", "clawdbot-key"}
    }
    looked = kept | {
        "frames": (refused + shown).encode(),
        "trail": trail.encode(),
        "model": requests.encode(),
    }
    for part in ("frames", "trail", "model"):
        assert b"secret://mail" in looked[part], part
    assert "Lunch at one?" in requests
    found = [each for each, text in looked.items() if any(form in text for form in forms(WORD))]
    assert [] == found
