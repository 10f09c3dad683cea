"""What people read of their models: the whole service, Telegram and a model server beside it."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from clawdbot.config.load import load
from tests.fakes.models import MODEL, Call, ModelServer, Reply, Rule, Timing
from tests.fakes.telegram import TelegramServer
from tests.integration.test_spine import (
    ANN,
    OWNER,
    final,
    make_owner,
    running,
    telegram,
    words,
)

__all__ = ["telegram"]

DEFAULT = " ".join(f"word{number}" for number in range(1, 43)) + "."


@pytest.fixture
async def models() -> AsyncIterator[ModelServer]:
    async with ModelServer(timing=Timing(first_ms=0)) as server:
        yield server


def routing(url, protocol="openai", *, emergency="main", **more):
    """Write the settings of a provider `main`, and of one that plays when it cannot."""
    main = {"protocol": protocol, "url": f"{url}/v1", "model": MODEL, **more}
    return {
        "providers": {"main": main, "spare": {"protocol": "scripted"}},
        "model_routing": {
            "default": {"provider": "main"},
            "emergency": {"provider": emergency, "max_tokens": 500},
        },
    }


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_a_model_answers_with_a_tool(
    tmp_path, telegram: TelegramServer, models: ModelServer, protocol: str
) -> None:
    calls = [Call("host_facts"), Call("disk_usage")]
    await models.script(
        Rule(last="user", reply=Reply(text="Let me see.", reasoning="hm", calls=calls)),
        Rule(last="tool", reply=Reply(text="Enough room.")),
    )
    async with running(tmp_path / "home", telegram, **routing(models.url, protocol)):
        await telegram.user_says(ANN, ANN, "how full is the disk?")
        await telegram.wait_for(ANN, final("Enough room."))
        await telegram.user_says(ANN, ANN, "/usage")
        chat = await telegram.wait_for(ANN, lambda chat: 2 == len(words(chat)))
    assert f"- main {MODEL}: 2 calls" in chat[-1].text
    log = await models.log()
    told = msgspec.json.encode(log[-1].body).decode()
    assert [200, 200] == [entry.status for entry in log]
    assert '<result tool=\\"disk_usage\\">\\n' in told
    assert "GiB free" in told


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_hello_with_all_tools_is_a_small_request(
    tmp_path, telegram: TelegramServer, models: ModelServer, protocol: str
) -> None:
    async with running(tmp_path / "home", telegram, **routing(models.url, protocol)):
        await telegram.user_says(ANN, ANN, "hello")
        await telegram.wait_for(ANN, final(DEFAULT))
    [entry] = await models.log()
    tools = entry.part("tools")
    assert isinstance(tools, list)
    assert 7 <= len(tools)
    assert 8000 > int(entry.headers["Content-Length"])
    assert 8000 > sum(len(f"{name}: {value}\r\n") for name, value in entry.headers.items()) + int(
        entry.headers["Content-Length"]
    )


async def test_an_answer_that_breaks_off_is_given_whole(
    tmp_path, telegram: TelegramServer, models: ModelServer
) -> None:
    await models.set_timing(Timing(first_ms=0, token_ms=5))
    await models.script(Rule(times=2, reply=Reply(failing="die", at_token=30)))
    async with running(tmp_path / "home", telegram, **routing(models.url)):
        await telegram.user_says(ANN, ANN, "hello")
        await telegram.wait_for(ANN, final(DEFAULT))
    assert 3 == len(await models.log())


async def test_an_answer_of_the_emergency_route_says_so(
    tmp_path, telegram: TelegramServer, models: ModelServer
) -> None:
    await models.script(Rule(contains="die", reply=Reply(failing="die", at_token=30)))
    await models.script(Rule(contains="key", reply=Reply(status=401)))
    settings = routing(models.url, emergency="spare", retries=0)
    async with running(tmp_path / "home", telegram, **settings):
        for text in ("die", "key"):
            await telegram.user_says(ANN, ANN, text)
        echoes = [f"(Emergency model) echo: {text}" for text in ("die", "key")]
        await telegram.wait_for(ANN, final(*echoes))


async def test_a_dead_provider_is_answered_for_and_costs_one_time_out(
    tmp_path, telegram: TelegramServer, models: ModelServer
) -> None:
    await models.script(Rule(reply=Reply(failing="hang")))
    settings = routing(models.url, emergency="spare", timeout_s=0.3)
    async with running(tmp_path / "home", telegram, **settings):
        for text in ("one", "two", "three"):
            await telegram.user_says(ANN, ANN, text)
        echoes = [f"(Emergency model) echo: {text}" for text in ("one", "two", "three")]
        await telegram.wait_for(ANN, final(*echoes))
    assert 1 == len(await models.log())


async def test_the_owner_reads_cause_and_remedy_and_others_a_neutral_sentence(
    tmp_path, telegram: TelegramServer, models: ModelServer
) -> None:
    home = tmp_path / "home"
    await make_owner(home)
    await models.script(Rule(reply=Reply(status=401, message="Incorrect API key: sk-canary")))
    settings = routing(models.url, auth="sk-canary")
    async with running(home, telegram, session={"access": "open"}, **settings):
        for person in (ANN, OWNER):
            await telegram.user_says(person, person, "hello")
        neutral = "I cannot answer right now. Please try again later."
        await telegram.wait_for(ANN, final(neutral))
        cause = (
            "I could not answer: The model endpoint refused the key. Check MODEL_PROVIDER_AUTH.\n"
            "(127.0.0.1: Incorrect API key: ****)"
        )
        await telegram.wait_for(OWNER, final(cause))


async def test_stop_hangs_up_on_the_model(
    tmp_path, telegram: TelegramServer, models: ModelServer
) -> None:
    await models.script(Rule(reply=Reply(failing="stall", at_token=3)))
    settings = routing(models.url)
    async with running(tmp_path / "home", telegram, **settings, outbox={"stub_after_s": 0.01}):
        await telegram.user_says(ANN, ANN, "hello")
        await models.wait_log(lambda log: len(log) == 1)
        await telegram.user_says(ANN, ANN, "/stop")
        await models.wait_log(lambda log: log[-1].status is not None)


def test_the_settings_of_these_tests_are_valid(tmp_path) -> None:
    (tmp_path / "clawdbot.yaml").write_bytes(msgspec.yaml.encode(routing("http://127.0.0.1:1")))
    assert {"main", "spare"} < set(load(tmp_path, {}, {}).core.providers)
