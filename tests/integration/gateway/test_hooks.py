"""A bot by webhook: forged deliveries end before parsing, a repeated one is answered once.

Covers clawdbot.gateway.hooks.
"""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.telegram import TOKEN, UNLIMITED, TelegramServer
from tests.integration.gateway.conftest import Running, running
from tests.patience import PATIENCE_S

SECRET = "s3cret-of_the-hook"
HEADER = "X-Telegram-Bot-Api-Secret-Token"
UPDATE = (
    b'{"update_id":77,"message":{"message_id":5,"date":1,"chat":{"id":5,"type":"private"},'
    b'"from":{"id":5,"is_bot":false,"first_name":"Ann"},"text":"hello"}}'
)


def channel(telegram: TelegramServer, **more: object) -> dict[str, object]:
    session = {"access": "allowlist", "allow": ["5"]}
    account = {
        "token": TOKEN,
        "base_url": telegram.url,
        "mode": "webhook",
        "secret": SECRET,
        "pace": "off",
        "session": session,
    }
    return {"telegram": {"main": account | more}}


async def post(service: Running, body: bytes, headers: dict[str, str]) -> int:
    async with service.web.post(
        service.url + "/hooks/telegram/main", data=body, headers=headers
    ) as answer:
        assert "Traceback" not in await answer.text()
        return answer.status


@pytest.fixture
async def telegram() -> TelegramServer:
    return TelegramServer(pace=UNLIMITED)


async def until_ready(service: Running) -> None:
    """Wait until the bot knows itself: until then an honest delivery is told to come again."""
    probe = UPDATE.replace(b"77", b"1").replace(b"hello", b"/stop")
    async with asyncio.timeout(PATIENCE_S):
        while await post(service, probe, {HEADER: SECRET}) == 503:
            await asyncio.sleep(0.02)


async def test_an_honest_delivery_is_answered_once_however_often_it_comes(
    telegram: TelegramServer, short_home: Path
) -> None:
    async with telegram:
        await telegram.add_user(5, first_name="Ann")
        await telegram.user_says(5, 5, "open the chat")
        settings = channel(telegram)
        async with running(
            short_home, channels=settings, gateway={"port": 0, "public_url": "https://bot.example"}
        ) as service:
            await until_ready(service)
            codes = await asyncio.gather(
                *(post(service, UPDATE, {HEADER: SECRET}) for _ in range(5))
            )
            assert [200] * 5 == codes
            await telegram.wait_for(
                5, lambda chat: any(m.from_bot and m.text == "echo: hello" for m in chat)
            )
            texts = [m.text for m in await telegram.chat(5) if m.from_bot]
    assert 1 == texts.count("echo: hello")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({}, 401), ({HEADER: ""}, 401), ({HEADER: "wrong"}, 401), ({HEADER: SECRET + "x"}, 401)],
)
async def test_a_forged_delivery_is_refused_before_it_is_parsed(
    telegram: TelegramServer, short_home: Path, headers: dict[str, str], expected: int
) -> None:
    async with telegram:
        settings = channel(telegram)
        async with running(
            short_home, channels=settings, gateway={"port": 0, "public_url": "https://bot.example"}
        ) as service:
            assert expected == await post(service, b"{not json", headers)
            async with service.local.post("http://clawdbot/status", data="[]") as answer:
                assert {} == (await answer.json())["turns"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[" * 5000,
        b'{"update_id": 1e400}',
        b'{"update_id":9,"update_id":10}',
        b"\xff\xfe",
        b'{"update_id":12,"message":{"text":"\\ud800"}}',
    ],
)
async def test_an_undecodable_delivery_is_kept_and_blocks_nothing(
    telegram: TelegramServer, short_home: Path, body: bytes
) -> None:
    async with telegram:
        settings = channel(telegram)
        async with running(
            short_home, channels=settings, gateway={"port": 0, "public_url": "https://bot.example"}
        ) as service:
            await until_ready(service)
            assert 200 == await post(service, body, {HEADER: SECRET})
            assert 200 == await post(service, UPDATE, {HEADER: SECRET})


async def test_a_webhook_without_a_secret_never_starts(
    telegram: TelegramServer, short_home: Path
) -> None:
    async with telegram:
        settings = channel(telegram, secret="")
        async with running(
            short_home, channels=settings, gateway={"port": 0, "public_url": "https://bot.example"}
        ) as service:
            assert 401 == await post(service, UPDATE, {HEADER: ""})


async def test_an_unknown_hook_is_not_there(short_home: Path) -> None:
    async with running(short_home) as service:
        assert 404 == await post(service, UPDATE, {HEADER: SECRET})


async def test_the_secret_of_the_hook_is_not_told(
    telegram: TelegramServer, short_home: Path
) -> None:
    async with telegram:
        settings = channel(telegram)
        async with (
            running(
                short_home,
                channels=settings,
                gateway={"port": 0, "public_url": "https://bot.example"},
            ) as service,
            service.web.post(
                service.url + "/hooks/telegram/main", data=b"x", headers={HEADER: "no"}
            ) as answer,
        ):
            assert isinstance(answer, aiohttp.ClientResponse)
            assert SECRET not in await answer.text()
