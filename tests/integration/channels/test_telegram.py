"""The bot against the strict stand-in: in order, nothing lost, every answer a decision."""

import asyncio
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from clawdbot.channels.telegram.channel import Telegram
from clawdbot.channels.telegram.settings import Mode, Settings
from clawdbot.config.clock import SystemClock
from clawdbot.domain.bus import Bus
from clawdbot.domain.chunk import cut
from clawdbot.domain.errors import (
    AuthLost,
    Forged,
    Gone,
    Refused,
    Retry,
    SendFailed,
    SettingsInvalid,
    StoreFailed,
    Unknown,
)
from clawdbot.domain.events import Fact
from clawdbot.domain.http import HttpRequest
from clawdbot.domain.inbound import (
    Address,
    ChatKind,
    Inbound,
    InboundKind,
    Outcome,
    Receipt,
    Sender,
)
from clawdbot.domain.messages import Text
from clawdbot.domain.ports import Button, Health, Outgoing
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Net
from clawdbot.net.client import Client
from tests.fakes.telegram import TOKEN, UNLIMITED, Fault, Pace, TelegramServer
from tests.patience import PATIENCE_S

SECRET = "hook-canary_71"
HEADER = "x-telegram-bot-api-secret-token"
ANN = Address(channel="telegram", account="main", chat="5")
HELLO = Outgoing(text="hello")

Make = Callable[..., Telegram]


class Stored:
    """An inbox that keeps what it is given; `failing` texts are not stored."""

    def __init__(self) -> None:
        self.taken: list[Inbound] = []
        self.failing: set[str] = set()
        self._more = asyncio.Condition()

    @property
    def texts(self) -> list[str]:
        return [_text(inbound) for inbound in self.taken]

    async def accept(self, inbound: Inbound) -> Receipt:
        if _text(inbound) in self.failing:
            raise StoreFailed
        async with self._more:
            self.taken.append(inbound)
            self._more.notify_all()
        return Receipt(outcome=Outcome.CONTROL, notice="Noted.")

    async def wait(self, texts: list[str]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: texts == self.texts)


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(pace=UNLIMITED) as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(Net(connect_timeout_s=0.5)) as client:
        yield client


@pytest.fixture
def make(server: TelegramServer, client: Client) -> Make:
    """Make the bot of the stand-in; settings may be given."""

    def telegram(public_url: str = "", bus: Bus | None = None, **settings: object) -> Telegram:
        given = {"token": Secret(TOKEN), "base_url": server.url, "pace": "off"} | settings
        chosen = msgspec.convert(given, Settings)
        return Telegram("main", chosen, client, public_url, SystemClock(), bus or Bus())

    return telegram


@asynccontextmanager
async def running(telegram: Telegram, inbox: Stored) -> AsyncIterator[None]:
    """Receive while the block runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(telegram.run(inbox))
        yield
        task.cancel()


@asynccontextmanager
async def scripted(answers: list[tuple[int, bytes]]) -> AsyncIterator[tuple[str, list[object]]]:
    """Answer whatever is asked with the next of the answers; keep what was asked."""
    asked: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(msgspec.json.decode(await request.read()))
        status, body = answers.pop(0)
        return web.Response(status=status, body=body)

    async with _site(answer) as url:
        yield url, asked


async def test_messages_arrive_in_order_and_are_confirmed_once_they_are_stored(
    server: TelegramServer, make: Make
) -> None:
    inbox = Stored()
    await server.user_says(5, 5, "before the start")
    async with running(make(), inbox):
        await inbox.wait(["before the start"])
        for n in range(5):
            await server.user_says(5, 5, f"message {n}")
        await inbox.wait(["before the start", *(f"message {n}" for n in range(5))])
        await server.wait_log(lambda _: not server.world.queue)
    assert ANN == inbox.taken[0].to
    assert "telegram:700000" == inbox.taken[0].receiver


async def test_a_batch_is_handed_over_at_once_and_in_order(
    server: TelegramServer, make: Make
) -> None:
    everyone = asyncio.Barrier(50)

    class Waiting(Stored):
        async def accept(self, inbound: Inbound) -> Receipt:
            self.taken.append(inbound)
            async with asyncio.timeout(PATIENCE_S):
                await everyone.wait()
            return Receipt(outcome=Outcome.TURN)

    texts = [f"message {n}" for n in range(50)]
    for text in texts:
        await server.user_says(5, 5, text)
    inbox = Waiting()
    async with running(make(), inbox):
        await server.wait_log(lambda _: not server.world.queue)
    assert texts == inbox.texts


async def test_what_could_not_be_stored_is_asked_for_again(
    server: TelegramServer, make: Make
) -> None:
    inbox = Stored()
    inbox.failing = {"two"}
    for text in ("one", "two", "three"):
        await server.user_says(5, 5, text)
    telegram = make()
    async with running(telegram, inbox):
        await inbox.wait(["one", "three"])
        await server.wait_log(lambda log: len([e for e in log if e.method == "getUpdates"]) > 1)
        assert 2 == len(server.world.queue)
        assert "could not be written" in (await telegram.health()).reason
        inbox.failing = set()
        await inbox.wait(["one", "three", "two", "three"])
        await server.wait_log(lambda _: not server.world.queue)
        assert Health(up=True) == await telegram.health()


async def test_a_click_is_answered_after_its_commit(server: TelegramServer, make: Make) -> None:
    inbox = Stored()
    telegram = make()
    async with running(telegram, inbox):
        await server.user_says(5, 5, "hi")
        buttons = (Button(label="Yes", token="t0"),)
        ref = await telegram.send(ANN, Outgoing(text="Sure?", buttons=buttons), "k")
        said = await server.user_clicks(5, 5, int(ref), "Yes")
        await server.wait_log(lambda _: server.world.queries.get(said.query_id) == "Noted.")
    click = inbox.taken[-1]
    assert (InboundKind.CLICK, "t0", ref) == (click.kind, click.token, click.ref)


async def test_a_webhook_left_by_another_is_removed_first(
    server: TelegramServer, make: Make, client: Client
) -> None:
    await _method(client, server, "setWebhook", url="http://127.0.0.1:9/hook")
    inbox = Stored()
    async with running(make(), inbox):
        await server.user_says(5, 5, "hi")
        await inbox.wait(["hi"])


async def test_commands_are_offered_in_both_languages(server: TelegramServer, make: Make) -> None:
    async with running(make(), Stored()):
        # The first poll does not wait; the second begins when the commands are offered.
        await server.wait_log(lambda log: sum(e.method == "getUpdates" for e in log) > 1)
    commands = (await server.state()).commands
    assert {"", "zh"} == set(commands)
    assert all(
        ["new", "stop", "model", "usage", "help"] == [c["command"] for c in offered]
        for offered in msgspec.convert(commands, dict[str, list[dict[str, str]]]).values()
    )


async def test_another_poller_is_told_and_waited_for(
    server: TelegramServer, make: Make, client: Client
) -> None:
    inbox, telegram = Stored(), make()
    async with running(telegram, inbox), asyncio.TaskGroup() as tasks:
        # The first poll does not wait; the other poller comes while the second does.
        await server.wait_log(lambda log: sum(e.method == "getUpdates" for e in log) > 1)
        url = f"{server.url}/bot{TOKEN}/getUpdates"
        tasks.create_task(client.request("POST", url, json={"timeout": 1}))
        await server.wait_log(lambda log: any(e.status == 409 for e in log))
        health = await telegram.health()
        assert health.up
        assert "only one bot instance" in health.reason
        assert "one program" in health.remedy
        await server.user_says(5, 5, "still here")
        await inbox.wait(["still here"])


async def test_trouble_on_the_way_is_waited_out(server: TelegramServer, make: Make) -> None:
    facts: list[Fact] = []
    bus = Bus()
    bus.subscribe(facts.append)
    inbox = Stored()
    for fault in (
        Fault(kind="status", status=502),
        Fault(kind="drop", method="deleteWebhook"),
        Fault(kind="drop", method="getUpdates"),
        Fault(kind="status", method="getUpdates", status=429, retry_after=1),
    ):
        await server.fault(fault)
    async with running(make(bus=bus), inbox):
        await server.user_says(5, 5, "hi")
        await inbox.wait(["hi"])
    labels = [fact.labels for fact in facts]
    unknown, retry = (("telegram", "main", kind) for kind in ("Unknown", "Retry"))
    assert [unknown, unknown, unknown, retry] == labels


async def test_one_update_that_cannot_be_read_blocks_nothing(make: Make) -> None:
    bad = '{"update_id":1,"message":{"text":"\\ud800"}}'
    good = msgspec.json.encode(
        {
            "update_id": 2,
            "message": {
                "message_id": 1,
                "from": {"id": 5, "first_name": "Ann"},
                "chat": {"id": 5, "type": "private"},
                "text": "hi",
            },
        }
    ).decode()
    answers = [*_STARTED, _updates(bad, good), _updates(bad), _updates(good), *_DOWN]
    inbox = Stored()
    async with scripted(answers) as (url, asked), running(make(base_url=url), inbox):
        await inbox.wait(["", "hi"])
        assert [(0, 100), (0, 1), (2, 100)] == [
            (poll["offset"], poll["limit"])
            for poll in msgspec.convert(asked[5:8], list[dict[str, object]])
        ]
    assert (InboundKind.UNREADABLE, "1") == (inbox.taken[0].kind, inbox.taken[0].event)


async def test_an_update_without_a_number_is_not_asked_for_in_a_circle(make: Make) -> None:
    facts: list[Fact] = []
    bus = Bus()
    bus.subscribe(facts.append)
    inbox = Stored()
    answers = [*_STARTED, _updates('{"x":1}'), *_DOWN]
    async with scripted(answers) as (url, _), running(make(bus=bus, base_url=url), inbox):
        await inbox.wait([""])
        await asyncio.wait_for(_until(lambda: bool(facts)), PATIENCE_S)
    assert InboundKind.UNREADABLE == inbox.taken[0].kind
    assert ("telegram", "main", "Unknown") == facts[0].labels


async def test_a_refused_token_ends_it_and_is_never_shown(make: Make) -> None:
    telegram = make(token=Secret("700000:canary-9d1"))
    health = await telegram.health()
    with pytest.raises(AuthLost) as caught:
        await telegram.run(Stored())
    shown = "".join(traceback.format_exception(caught.value))
    assert (False, True) == (health.up, "BotFather" in health.remedy)
    assert "canary-9d1" not in f"{shown}{health}{telegram!r}{vars(telegram)}"


async def test_a_message_is_sent_replaced_and_found_unchanged(
    server: TelegramServer, make: Make
) -> None:
    asked = await server.user_says(5, 5, "hi")
    telegram = make()
    await telegram.typing(ANN)
    view = await server.wait_view(5, lambda view: view.action == "typing")
    message = Outgoing(text="**Hi** & welcome", reply_to=str(asked.message_id))
    ref = await telegram.send(ANN, message, "k")
    for text in ("*Hi* again", "*Hi* again"):
        await telegram.edit(ANN, ref, Outgoing(text=text))
    [_, shown] = await server.chat(5)
    assert "typing" == view.action
    assert (ref, asked.message_id) == (str(shown.id), shown.reply_to)
    assert ["Hi & welcome", "Hi again"] == shown.history
    assert [("italic", 0, 2)] == [(e.type, e.offset, e.length) for e in shown.entities]


async def test_a_topic_is_answered_in_the_topic(server: TelegramServer, make: Make) -> None:
    await server.add_group(-100, "Friends")
    asked = await server.user_says(-100, 5, "@clawdbot_test_bot hi", thread_id=7)
    inbox, telegram = Stored(), make()
    async with running(telegram, inbox):
        await inbox.wait(["hi"])
    to = inbox.taken[0].to
    await telegram.typing(to)
    await telegram.send(to, Outgoing(text="Yes?", reply_to=str(asked.message_id)), "k")
    [_, answer] = server.world.chats[-100].messages.values()
    typing = (await server.log("sendChatAction"))[-1].body
    assert (7, True) == (answer.body["message_thread_id"], to.group)
    assert {"chat_id": -100, "action": "typing", "message_thread_id": 7} == typing


async def test_a_long_answer_arrives_whole(server: TelegramServer, make: Make) -> None:
    await server.user_says(5, 5, "hi")
    telegram = make()
    code = "\n".join(f"print({n}, '<&>')" for n in range(300))
    text = f"# 标题 👍\n\n{'很长的文字。' * 900}\n\n```python\n{code}\n```\n**End**"
    pieces = cut(text, telegram.caps.text_max, telegram.caps.unit)
    for piece in pieces:
        await telegram.send(ANN, Outgoing(text=piece), "k")
    shown = "".join(message.text for message in await server.chat(5) if message.from_bot)
    expected = f"标题 👍 {'很长的文字。' * 900} {code} End"
    assert "".join(expected.split()) == "".join(shown.split())


async def test_what_was_taken_away_is_gone(
    server: TelegramServer, make: Make, client: Client
) -> None:
    await server.user_says(5, 5, "hi")
    telegram = make()
    ref = await telegram.send(ANN, HELLO, "k")
    await _method(client, server, "deleteMessage", chat_id=5, message_id=int(ref))
    with pytest.raises(Gone):
        await telegram.edit(ANN, ref, Outgoing(text="new"))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(kind="status", status=500), Unknown),
        (Fault(kind="status", status=502, when="after"), Unknown),
        (Fault(kind="drop"), Unknown),
        (Fault(kind="drop", when="after"), Unknown),
        (Fault(kind="status", status=429, retry_after=7), Retry),
        (Fault(kind="status", status=404), AuthLost),
    ],
)
async def test_every_trouble_of_a_send_is_a_decision(
    fault: Fault, kind: type[SendFailed], server: TelegramServer, make: Make
) -> None:
    await server.user_says(5, 5, "hi")
    await server.fault(msgspec.structs.replace(fault, method="sendMessage"))
    with pytest.raises(kind) as caught:
        await make().send(ANN, HELLO, "k")
    assert (fault.retry_after or None) == caught.value.after
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


async def test_a_send_that_never_left_may_be_repeated(make: Make) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        telegram = make(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}")
        with pytest.raises(Retry):
            await telegram.send(ANN, HELLO, "k")
        await telegram.typing(ANN)
        health = await telegram.health()
    assert (False, "Check the network and net.proxy.") == (health.up, health.remedy)


async def test_what_telegram_will_never_take_is_refused(server: TelegramServer, make: Make) -> None:
    await server.user_says(5, 5, "hi")
    await server.user_blocks(5)
    with pytest.raises(Refused, match="blocked"):
        await make().send(ANN, HELLO, "k")
    with pytest.raises(Refused, match="chat not found"):
        await make().send(msgspec.structs.replace(ANN, chat="99"), HELLO, "k")


async def test_refused_markup_goes_as_plain_text(make: Make) -> None:
    refusal = b'{"ok":false,"error_code":400,"description":"Bad Request: can\'t parse entities"}'
    answers = [(400, refusal), (200, b'{"ok":true,"result":{"message_id":3}}')]
    async with scripted(answers) as (url, asked):
        ref = await make(base_url=url).send(ANN, Outgoing(text="**x**"), "k")
    [first, second] = msgspec.convert(asked, list[dict[str, object]])
    assert "3" == ref
    assert (("<b>x</b>", "HTML"), ("**x**", None)) == (
        (first["text"], first["parse_mode"]),
        (second["text"], second.get("parse_mode")),
    )


async def test_the_pace_keeps_below_what_telegram_takes(make: Make) -> None:
    caps, strict = make(pace="platform").caps, Pace()
    assert caps.pace is not None
    assert make().caps.pace is None
    assert strict.per_second >= caps.pace.per_s
    assert strict.chat_burst > caps.pace.chat_burst
    assert strict.group_per_minute >= 60 * caps.pace.group_per_s


async def test_a_webhook_delivers_and_forgeries_do_not(server: TelegramServer, make: Make) -> None:
    inbox = Stored()
    hooked: list[Telegram] = []

    async def hook(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = HttpRequest(
            method="POST", path=request.path, headers=headers, body=await request.read()
        )
        hooked[0].verify(asked)
        inbound = hooked[0].decode(asked)
        answer = hooked[0].reply(inbound, await inbox.accept(inbound))
        return web.Response(status=answer.status, body=answer.body)

    async with _site(hook) as url:
        telegram = make(f"{url}/", mode=Mode.WEBHOOK, secret=Secret(SECRET))
        hooked.append(telegram)
        async with running(telegram, inbox):
            await server.user_says(5, 5, "hi")
            await inbox.wait(["hi"])
            assert Health(up=True) == await telegram.health()
        assert f"{url}/hooks/telegram/main" == server.world.webhook.url


@pytest.mark.parametrize(
    "headers", [{}, {HEADER: ""}, {HEADER: "wrong"}, {HEADER: SECRET + "x"}, {HEADER: "\udcff"}]
)
async def test_a_delivery_without_the_secret_is_forged(headers: dict[str, str], make: Make) -> None:
    request = HttpRequest(method="POST", path="/", headers=headers, body=b"{}")
    for telegram in (make(mode=Mode.WEBHOOK, secret=Secret(SECRET)), make(mode=Mode.WEBHOOK)):
        with pytest.raises(Forged):
            telegram.verify(request)


async def test_a_delivery_before_we_know_ourselves_must_come_again(make: Make) -> None:
    with pytest.raises(Retry):
        make().decode(HttpRequest(method="POST", path="/", headers={}, body=b"{}"))


async def test_a_click_by_webhook_is_answered_in_the_reply(make: Make) -> None:
    inbound = Inbound(
        receiver="telegram:7",
        event="1",
        to=ANN,
        chat=ChatKind.DIRECT,
        sender=Sender(id="5"),
        click="q1",
    )
    reply = make().reply(inbound, Receipt(outcome=Outcome.CONTROL, notice="n" * 300))
    assert {"method": "answerCallbackQuery", "callback_query_id": "q1", "text": "n" * 200} == (
        msgspec.json.decode(reply.body)
    )


async def test_a_webhook_that_telegram_cannot_reach_is_told(
    server: TelegramServer, make: Make
) -> None:
    telegram = make("http://127.0.0.1:9", mode=Mode.WEBHOOK, secret=Secret(SECRET))
    async with running(telegram, Stored()):
        await server.wait_log(lambda _: bool(server.world.webhook.url))
        await server.user_says(5, 5, "hi")
        await server.wait_log(lambda _: server.world.webhook.last_error_message is not None)
        health = await telegram.health()
    assert (True, "Connection refused") == (health.up, health.reason)


@pytest.mark.parametrize(("url", "secret"), [("", SECRET), ("https://bot.example", "")])
async def test_an_unguarded_webhook_does_not_start(url: str, secret: str, make: Make) -> None:
    telegram = make(url, mode=Mode.WEBHOOK, secret=Secret(secret))
    with pytest.raises(SettingsInvalid):
        await telegram.run(Stored())
    assert "needs `secret`" in (await telegram.health()).reason


_DOWN = [(500, b"")] * 9
_DONE = (200, b'{"ok":true,"result":true}')
_ME = (200, b'{"ok":true,"result":{"id":700000,"is_bot":true,"username":"x_bot"}}')
# getMe, deleteWebhook, what waits, the commands in two languages
_STARTED = [_ME, _DONE, (200, b'{"ok":true,"result":[]}'), _DONE, _DONE]


def _updates(*bodies: str) -> tuple[int, bytes]:
    return 200, f'{{"ok":true,"result":[{",".join(bodies)}]}}'.encode()


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


def _text(inbound: Inbound) -> str:
    return "".join(part.text for part in inbound.parts if isinstance(part, Text))


async def _method(client: Client, server: TelegramServer, method: str, **arguments: object) -> None:
    url = f"{server.url}/bot{TOKEN}/{method}"
    answer = await client.request("POST", url, json=arguments)
    assert 200 == answer.status


@asynccontextmanager
async def _site(
    handler: Callable[[web.Request], Awaitable[web.Response]],
) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
