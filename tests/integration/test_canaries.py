"""Secrets go where they are meant to, and nothing of them is anywhere else, whatever acts.

Controls stand beside each look: the places that were looked at do hold what the secrets' names are.
"""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from msgspec.structs import replace

from clawdbot.app.assembly import doors
from clawdbot.config.key import FILE
from clawdbot.domain.binding import Sink, SinkKind
from clawdbot.domain.policy import Effect, Manifest
from clawdbot.domain.settings import Logs
from clawdbot.ops.lines import Redactor
from clawdbot.ops.logs import logging_to
from clawdbot.sandbox.profile import Box, Profile
from clawdbot.sandbox.run import Process, Sandbox
from clawdbot.tools.registry import Grant, Tool
from tests.fakes.models import Call, ModelServer, Reply, Rule
from tests.integration.gateway.conftest import JSON, PASSWORD, Running, running
from tests.integration.net.stage import site
from tests.integration.panel.conftest import browsing
from tests.patience import PATIENCE_S

MODEL_KEY, API_KEY, WORD = "canary-model-51c0", "canary-api-9e2d", "canary-word-77ab"
LOGIN = "<form method=post><input name=user><input type=password name=password><button>Go</button>"
MAIL = """
from clawdbot.plugins import browser_automation, system_command

@browser_automation.task(hosts=["HOST"])
def check_email(credentials):
    from selenium.webdriver.common.by import By
    driver = get_webdriver()
    driver.get("http://HOST/")
    driver.find_element(By.NAME, "user").send_keys(credentials["username"])
    driver.find_element(By.NAME, "password").send_keys(credentials["password"])
    driver.find_element(By.TAG_NAME, "button").click()
    return [driver.page_source, str(dict(credentials))]
"""
PARROT = """
from clawdbot.plugins import system_command

KEPT = []

@system_command.register
def parrot(text: str):
    KEPT.append(text)
    print("heard", text)
    return text
"""


class Tapped(Sandbox):
    """The sandbox, with all that goes to and from the boxes of others' code kept."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.crossed = bytearray()
        self.pids: list[int] = []

    @asynccontextmanager
    async def opened(
        self, box: Box, sockets: Sequence[socket.socket] = (), *, stdio: bool = False
    ) -> AsyncIterator[Process]:
        """Hold a box open, its lines led through our ear; the browser is not others' code."""
        if box.profile is Profile.BROWSER:
            async with super().opened(box, sockets, stdio=stdio) as process:
                yield process
            return
        async with AsyncExitStack() as stack:
            lines = [await self._tap(stack, line.dup()) for line in sockets]
            process = await stack.enter_async_context(super().opened(box, lines, stdio=stdio))
            process.sock = await self._tap(stack, process.sock)
            self.pids.append(process.pid)
            yield process

    async def _tap(self, stack: AsyncExitStack, far: socket.socket) -> socket.socket:
        """Give another end of a line whose every byte is kept."""
        near, ours = socket.socketpair()
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for end in (near, ours, far):
            stack.callback(end.close)
        for end in (near, far):
            end.setblocking(False)
        for source, sink in ((near, far), (far, near)):
            stack.callback(tasks.create_task(self._carry(source, sink)).cancel)
        return ours

    async def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while piece := await loop.sock_recv(source, 65_536):
                self.crossed += piece
                await loop.sock_sendall(sink, piece)
            sink.shutdown(socket.SHUT_WR)


class Place:
    """A site with a log-in and an interface that wants a key, and whom it let in."""

    def __init__(self) -> None:
        self.let_in: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/api":
            key = request.headers.get("X-Key", "")
            self.let_in += ["api"] * (key == API_KEY)
            return web.Response(text=f"Your key is {key}.")
        form = dict(await request.post())
        self.let_in += ["mail"] * (form == {"user": "ann", "password": WORD})
        return web.Response(text=LOGIN, content_type="text/html")


async def pay(_: Grant, to: str) -> str:
    """Pay somebody."""
    return f"paid {to}"


BANK = Tool(
    manifest=Manifest(name="pay", effect=Effect.MONEY, sinks=(Sink("to", SinkKind.NAME),)),
    description="Pay",
    act=pay,
)


async def script(models: ModelServer, url: str) -> None:
    """Have the model call each kind of tool, with the names of secrets."""
    plays = {
        "look": [
            Call("shell", {"script": "env; cat /proc/1/environ /proc/self/environ; id"}),
            Call("shell", {"command": ["find", "/", "-name", FILE]}),
        ],
        "keep": [
            Call("files_write", {"path": "note.txt", "text": "secret://api"}),
            Call("files_read", {"path": "note.txt"}),
        ],
        "call": [Call("http", {"url": f"{url}/api", "headers": {"X-Key": "secret://api"}})],
        "parrot": [Call("parrot", {"text": "secret://api"})],
        "pay": [Call("pay", {"to": "secret://api"})],
    }
    for words, calls in plays.items():
        await models.script(Rule(contains=words, last="user", reply=Reply(calls=calls)))
    await models.script(Rule(last="tool", reply=Reply(text="Done.")))


async def post(service: Running, call: str, *given: object) -> str:
    """Ask the service as a command does."""
    async with service.local.post(f"http://clawdbot/{call}", json=given) as answer:
        text = await answer.text()
        assert 200 == answer.status, text
        return text


async def talk(service: Running, words: str) -> str:
    """Say something in a conversation of its own and say yes to all that is asked."""
    frames = ""
    async with service.local.ws_connect("http://clawdbot/socket") as socket_:
        await socket_.send_json({"type": "hello", "version": 1, "agent": "test"})
        await socket_.send_json({"type": "open", "conversation": words})
        line: JSON = {"conversation": words, "key": words}
        await socket_.send_json(line | {"type": "send", "text": words})
        while (frame := await socket_.receive_json(timeout=PATIENCE_S))["type"] != "final":
            frames += json.dumps(frame)
            for choice in frame.get("choices", ()):
                if choice["verb"] == "yes":
                    yes = {"type": "answer", "token": choice["token"], "key": f"{words}.yes"}
                    await socket_.send_json(line | yes)
        assert "Done." == frame["text"]
        return frames


def memory(pids: Sequence[int]) -> Iterator[bytes]:
    """Read what the processes of boxes can write to."""
    parents = {int(p.name): _parent(p) for p in Path("/proc").iterdir() if p.name.isdigit()}
    family = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    for pid in family:
        with suppress(OSError), Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
            for line in Path(f"/proc/{pid}/maps").read_text("ascii").splitlines():
                span, rights = line.split()[:2]
                if rights.startswith("rw"):
                    start, end = (int(each, 16) for each in span.split("-"))
                    with suppress(OSError):
                        file.seek(start)
                        yield file.read(end - start)


def _parent(process: Path) -> int:
    with suppress(OSError):
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return 0


def forms(secret: str) -> set[bytes]:
    """Write a secret as it could be written elsewhere."""
    data = secret.encode()
    return {data, data[::-1], data.hex().encode(), base64.b64encode(data).rstrip(b"=")[:-1]}


@pytest.fixture
def short_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home whose socket path is short."""
    return tmp_path_factory.mktemp("h", numbered=True) / "home"


async def test_no_secret_is_anywhere_but_where_it_is_meant_for(short_home: Path) -> None:
    (short_home / "plugins").mkdir(mode=0o700, parents=True)
    place, boxes = Place(), list[Tapped]()

    def tapped(folder: Path) -> Sandbox:
        boxes.append(Tapped(folder))
        return boxes[0]

    outside = replace(doors(), sandbox=tapped)
    async with (
        ModelServer(key=MODEL_KEY) as models,
        site(place.answer) as url,
    ):
        host = url.removeprefix("http://")
        await script(models, url)
        env = f"MODEL_ENDPOINT_URL={models.url}/v1\nMODEL_PROVIDER_AUTH={MODEL_KEY}\n"
        (short_home / ".env").write_text(env)
        (short_home / "plugins" / "mail.py").write_text(MAIL.replace("HOST", host))
        (short_home / "plugins" / "bird.py").write_text(PARROT)
        settings: dict[str, dict[str, object]] = {
            "net": {"private": [host]},
            "web": {"http_hosts": [host]},
            "providers": {},
            "model_routing": {},
        }
        # Nothing is masked here: what is never logged need not be found.
        with logging_to(short_home, Logs(level="debug"), Redactor()):
            async with (
                running(short_home, [], outside, tools=(BANK,), **settings) as service,
                browsing(service) as browser,
            ):
                await service.set_up()
                credentials = json.dumps({"username": "ann", "password": WORD})
                secrets = {"api": API_KEY, "mail": credentials}
                for name, text in secrets.items():
                    wish = {"name": name, "text": text, "origins": [url]}
                    await post(service, "Custody.keep_secret", wish)
                shown = [await post(service, "Trust.trust", name) for name in ("mail", "bird")]
                for words in ("look", "keep", "call", "parrot", "pay"):
                    shown += [await talk(service, words)]
                given = {"credentials": "secret://mail"}
                shown.append(await post(service, "Plugins.run", "check_email", given, ""))
                assert {"api", "mail"} == set(place.let_in)
                await browser.log_in()
                pages = ("/chat", "/chat/call", "/approvals", "/aside", "/metrics", "/readyz")
                shown += [(await browser.get(page)).text for page in pages]
                shown.append(await post(service, "Custody.trail", {"content": True}))
                shown += [await post(service, call) for call in ("status", "Custody.secrets")]
                living = b"".join(memory(boxes[0].pids))
                kept = _files(short_home)
        asked = json.dumps([entry.body for entry in await models.log()])
    for path, content in _files(short_home).items():
        kept[path.with_name(f"{path.name} at the end")] = content
    looked = {
        "memory": living,
        "sockets": bytes(boxes[0].crossed),
        "model": asked.encode(),
        "shown": "".join(shown).encode(),
        **{str(path): text for path, text in kept.items()},
    }
    # What was looked at is the right thing: the secrets' names are there.
    for part in ("memory", "sockets", "model", "shown"):
        assert b"secret://api" in looked[part], part
        assert part == "model" or b"secret://mail" in looked[part], part
    names = " ".join(looked)
    assert all(part in names for part in ("clawdbot.db", "clawdbot.db-wal", "clawdbot.log"))
    master = (short_home / FILE).read_text().split()[0]
    found = [
        (secret, place_)
        for secret in (MODEL_KEY, API_KEY, WORD, master, PASSWORD)
        for place_, text in looked.items()
        if any(form in text for form in forms(secret))
    ]
    assert [] == found


def _files(home: Path) -> dict[Path, bytes]:
    """Copy the home folder, but for the two files that hold keys openly."""
    return {
        path: path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and path.name not in {".env", FILE}
    }
