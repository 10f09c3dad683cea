"""A message goes in, an answer comes out: the real service in this process, Telegram beside it.

Covers clawdbot.gateway.inbox, clawdbot.gateway.controls, clawdbot.gateway.pairing,
clawdbot.gateway.courtesy, clawdbot.conversation.arrival, clawdbot.conversation.lane,
clawdbot.conversation.turn, clawdbot.conversation.scenes, clawdbot.conversation.shown,
clawdbot.conversation.answer, clawdbot.conversation.commands, clawdbot.agent.loop,
clawdbot.agent.state, clawdbot.app.adapters and clawdbot.models.providers.scripted.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clawdbot.app.assembly import assembled, doors
from clawdbot.app.sections import SECTIONS
from clawdbot.app.serving import serve
from clawdbot.config.load import load
from clawdbot.domain.events import LiveKind
from clawdbot.domain.inbound import Address, ChatKind, Inbound, Sender
from clawdbot.domain.messages import Source, Text
from clawdbot.domain.people import Level, User
from clawdbot.domain.settings import Store
from clawdbot.store import people, sqlite
from tests.fakes.telegram import UNLIMITED, Fault, Shown, TelegramServer
from tests.integration.crash.stage import NOTHING, Rules, write

ANN, BOB, OWNER = 1001, 1002, 1009
GROUP = -1001234567890
DELAYED: Rules = [{"when": "slow", "delay_s": 0.5}]


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(pace=UNLIMITED) as server:
        yield server


@asynccontextmanager
async def running(
    home: Path,
    telegram: TelegramServer,
    rules: Rules = (),
    session: Mapping[str, object] = NOTHING,
    **core: object,
) -> AsyncIterator[None]:
    """Run the service while the block runs."""
    home.mkdir(mode=0o700, exist_ok=True)
    write(home, telegram.url, rules, session, core=core)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        loaded = load(home, {}, SECTIONS)
        tasks.create_task(serve(loaded, doors(), stop=stop, started=lambda _: None))
        try:
            yield
        finally:
            stop.set()


def final(*texts: str) -> Callable[[list[Shown]], bool]:
    """Tell whether the bot has said just this, word for word."""
    return lambda chat: list(texts) == [shown.text for shown in chat if shown.from_bot]


def words(chat: list[Shown]) -> list[str]:
    return [shown.text for shown in chat if shown.from_bot]


async def test_a_message_is_answered(tmp_path: Path, telegram: TelegramServer) -> None:
    async with running(tmp_path / "home", telegram):
        await telegram.user_says(ANN, ANN, "hello")
        [_, answer] = await telegram.wait_for(ANN, final("echo: hello"))
    assert answer.reply_to is None


async def test_what_was_accepted_is_answered_though_nobody_waits_for_it(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    write(home, telegram.url, [], NOTHING)
    ann = User("u1", "Ann", Level.OWNER, "en", "UTC")
    inbound = Inbound(
        receiver="web",
        event="1",
        to=Address(channel="web", account="", chat="u1"),
        chat=ChatKind.DIRECT,
        sender=Sender(id="u1"),
        parts=(Text(text="hello", source=Source.OWN),),
    )
    async with (
        assembled(load(home, {}, SECTIONS), doors()) as service,
        asyncio.TaskGroup() as tasks,
    ):
        await service.db.write(lambda tx: people.add(tx, ann, 1.0))
        asked = tasks.create_task(service.control.inbox.accept(inbound))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asked.cancel()  # its transaction is under way, and no engine runs yet
        async with service.stream.listen(inbound.to.key) as frames:
            engine = tasks.create_task(service.engine.run(lambda _: None))
            async for live in frames:
                if live.kind is LiveKind.FINAL:
                    break
        engine.cancel()
    assert "echo: hello" == live.text


async def test_messages_of_a_chat_are_answered_in_order(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path / "home", telegram, DELAYED):
        asked = ["slow 0", *(f"fast {number}" for number in range(1, 6))]
        for text in asked:
            await telegram.user_says(ANN, ANN, text)
        await telegram.wait_for(ANN, final(*(f"echo: {text}" for text in asked)))


async def test_an_update_that_comes_again_is_answered_once(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path / "home", telegram):
        await telegram.user_says(ANN, ANN, "first")
        await telegram.wait_for(ANN, final("echo: first"))
        # The confirmation never reaches Telegram: the next life is given the update again.
        await telegram.fault(Fault(kind="drop", method="getUpdates", count=0))
        said = await telegram.user_says(ANN, ANN, "second")
    await telegram.clear_faults()
    async with running(tmp_path / "home", telegram):
        await telegram.fault(
            Fault(
                kind="drop", method="getUpdates", contains=f'"offset":{said.update_id + 1}', count=0
            )
        )
        await telegram.wait_for(ANN, final("echo: first", "echo: second"))
    await telegram.clear_faults()
    assert [said.update_id] == [update["update_id"] for update in telegram.world.queue]
    async with running(tmp_path / "home", telegram):
        await telegram.user_says(ANN, ANN, "third")
        await telegram.wait_for(ANN, final("echo: first", "echo: second", "echo: third"))


async def test_new_begins_a_new_conversation(tmp_path: Path, telegram: TelegramServer) -> None:
    async with running(tmp_path / "home", telegram):
        await telegram.user_says(ANN, ANN, "/new")
        await telegram.wait_for(ANN, final("A new conversation begins."))


async def test_help_lists_the_commands(tmp_path: Path, telegram: TelegramServer) -> None:
    async with running(tmp_path / "home", telegram):
        await telegram.user_says(ANN, ANN, "/help")
        chat = await telegram.wait_for(ANN, lambda chat: "/help - this list" in chat[-1].text)
    assert ["/new", "/stop", "/model", "/usage", "/help"] == re.findall(
        r"^/\w+", chat[-1].text, re.MULTILINE
    )


async def test_usage_tells_what_was_used(tmp_path: Path, telegram: TelegramServer) -> None:
    async with running(tmp_path / "home", telegram):
        await telegram.user_says(ANN, ANN, "/usage")
        await telegram.wait_for(ANN, final("Nothing used in the last seven days."))
        await telegram.user_says(ANN, ANN, "hello")
        await telegram.user_says(ANN, ANN, "/usage")
        await telegram.wait_for(ANN, lambda chat: "scripted: 1 calls" in chat[-1].text)


async def test_a_model_is_chosen_for_a_conversation(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    routes = {"default": {"provider": "play"}, "clever": {"provider": "play", "model": "x"}}
    async with running(tmp_path / "home", telegram, model_routing=routes):
        await telegram.user_says(ANN, ANN, "/model nonsense")
        await telegram.user_says(ANN, ANN, "/model clever")
        await telegram.user_says(ANN, ANN, "/model")
        chat = await telegram.wait_for(
            ANN, lambda chat: "Choose with /model NAME." in chat[-1].text
        )
    assert [
        "There is no route nonsense.",
        "This conversation now uses clever.",
        "In use: clever",
    ] == [text.splitlines()[0] for text in words(chat)]


async def test_a_stranger_is_answered_after_pairing(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    home = tmp_path / "home"
    await make_owner(home)
    async with running(home, telegram, session={"access": "pairing"}):
        await telegram.add_user(BOB, "Bob")
        await telegram.user_says(BOB, BOB, "let me in")
        first = code_in(await telegram.wait_for(BOB, lambda chat: len(words(chat)) == 1))
        # A stranger's own message never pairs; it only replaces the code.
        await telegram.user_says(BOB, BOB, f"/pair {first}")
        second = code_in(await telegram.wait_for(BOB, lambda chat: len(words(chat)) == 2))
        await telegram.user_says(OWNER, OWNER, f"/pair {first}")
        await telegram.user_says(OWNER, OWNER, f"/pair {second}")
        too_old = "This pairing code is unknown or too old. Let the person write again."
        await telegram.wait_for(OWNER, final(too_old, "Bob is let in."))
        await telegram.user_says(BOB, BOB, "thank you")
        await telegram.wait_for(
            BOB, lambda chat: ["echo: let me in", "echo: thank you"] == words(chat)[2:]
        )


async def test_an_edit_before_the_answer_is_begun_changes_the_question(
    tmp_path: Path, telegram: TelegramServer
) -> None:
    async with running(tmp_path / "home", telegram, DELAYED):
        await telegram.user_says(ANN, ANN, "slow")
        second = await telegram.user_says(ANN, ANN, "secund")
        await telegram.user_edits(ANN, second.message_id, "second")
        await telegram.wait_for(ANN, final("echo: slow", "echo: second"))


async def test_an_album_gets_one_honest_sentence(tmp_path: Path, telegram: TelegramServer) -> None:
    async with running(tmp_path / "home", telegram):
        for content in (b"one", b"two", b"three"):
            await telegram.user_sends(ANN, ANN, "photo", content, album="holiday")
        await telegram.user_says(ANN, ANN, "hello")
        await telegram.wait_for(
            ANN, final("I can only read text so far; please write it to me.", "echo: hello")
        )


async def test_a_group_hears_only_answers_to_it(tmp_path: Path, telegram: TelegramServer) -> None:
    async with running(tmp_path / "home", telegram):
        await telegram.add_group(GROUP, "Friends")
        await telegram.user_says(GROUP, ANN, "did you see the game?")
        await telegram.user_sends(GROUP, ANN, "photo", b"game")
        await telegram.user_says(GROUP, BOB, "@clawdbot_test_bot a stranger asks")
        asked = await telegram.user_says(GROUP, ANN, "@clawdbot_test_bot who won?")
        chat = await telegram.wait_for(GROUP, final("echo: who won?"))
    assert asked.message_id == chat[-1].reply_to


async def test_a_flood_is_refused_and_told_once(tmp_path: Path, telegram: TelegramServer) -> None:
    limits = {"messages_per_minute": 2}
    async with running(tmp_path / "home", telegram, limits=limits):
        for number in range(5):
            await telegram.user_says(ANN, ANN, f"{number}")
        told = "Too many messages at once; this one is not answered."
        await telegram.wait_for(ANN, lambda chat: {"echo: 0", "echo: 1", told} == set(words(chat)))
        await telegram.wait_log(lambda log: any(each.part("offset") == 700_000_006 for each in log))
        assert 3 == len(words(await telegram.chat(ANN)))


async def test_stop_ends_the_answer(tmp_path: Path, telegram: TelegramServer) -> None:
    rules: Rules = [{"when": "slow", "say": "one two three four", "pause_s": 5}]
    async with running(tmp_path / "home", telegram, rules, outbox={"stub_after_s": 0.01}):
        await telegram.user_says(ANN, ANN, "/stop")
        await telegram.wait_for(ANN, final("Nothing is running."))
        await telegram.user_says(ANN, ANN, "slow")
        await telegram.user_says(ANN, ANN, "hello")
        await telegram.wait_view(ANN, lambda view: view.action == "typing")
        await telegram.user_says(ANN, ANN, "/stop")
        await telegram.wait_for(ANN, final("Nothing is running.", "one \n(stopped)", "echo: hello"))


def code_in(chat: list[Shown]) -> str:
    """Read the pairing code in a chat's last message."""
    [code] = re.findall(r"code (\w{8});", chat[-1].text)
    return str(code)


async def make_owner(home: Path) -> None:
    """Make the owner before the first start, as set-up does."""
    (home / "data").mkdir(mode=0o700, parents=True)
    async with sqlite.opened(home / "data" / "clawdbot.db", Store(), sqlite.connect) as db:
        owner = User("owner", "Olga", Level.OWNER, "en", "UTC")
        await db.write(lambda tx: people.add(tx, owner, 0.0))
        await db.write(
            lambda tx: people.identify(tx, "owner", "telegram", str(OWNER), name="Olga", now=0.0)
        )
