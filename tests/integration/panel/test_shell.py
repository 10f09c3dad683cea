"""The panel's frame: what is open to whoever asks, and what waits there.

Covers clawdbot.panel.shell, clawdbot.panel.overview.
"""

import asyncio
import re

from tests.integration.panel.conftest import Browser, Running, add_user, browsing, let_knock
from tests.patience import PATIENCE_S


def listed(text: str) -> list[str]:
    """List the places that a page offers."""
    places = text.partition('<ul class="places">')[2].partition("</ul>")[0]
    return re.findall(r'href="([^"]+)"', places)


async def test_a_place_is_listed_for_whom_it_opens(service: Running, browser: Browser) -> None:
    add_user(service, "Gil", role="guest")
    owners = listed((await browser.get("/approvals")).text)
    assert {"/chat", "/approvals"} <= set(owners)
    async with browsing(service) as guest:
        await guest.log_in("Gil")
        assert ["/chat", "/approvals"] == listed((await guest.get("/approvals")).text)
        for place in set(owners) - {"/chat", "/approvals"}:
            assert 403 == (await guest.get(place)).status
        assert 403 == (await guest.get("/components")).status


async def test_the_place_of_a_page_is_marked(browser: Browser) -> None:
    text = (await browser.get("/approvals")).text
    assert ["/approvals"] == re.findall(r'href="([^"]+)" aria-current="page"', text)


async def test_every_part_stands_on_one_page_in_both_languages(
    service: Running, browser: Browser
) -> None:
    add_user(service, "Lin", role="owner", language="zh")
    assert "Are you sure?" in (await browser.get("/components")).text
    async with browsing(service) as lin:
        await lin.log_in("Lin")
        assert "确定吗？" in (await lin.get("/components")).text


async def test_open_pages_hear_of_who_knocks(service: Running, browser: Browser) -> None:
    socket = await browser.socket()
    await socket.send_json({"type": "watch", "boards": ["pulse", "no-such-board"]})
    first = await socket.receive_json(timeout=PATIENCE_S)
    assert ("pulse", 0) == (first["board"], first["data"]["knocks"])
    let_knock(service, "Mallory")
    second = await socket.receive_json(timeout=PATIENCE_S)
    assert ("pulse", 1) == (second["board"], second["data"]["knocks"])
    await socket.close()


async def test_only_the_chat_may_hear(browser: Browser) -> None:
    heard = {
        path: "microphone=(self)" in (await browser.get(path)).headers["Permissions-Policy"]
        for path in ("/chat", "/overview", "/settings", "/me", "/nowhere")
    }
    assert ["/chat"] == [path for path, may in heard.items() if may]


async def test_a_page_that_is_left_while_its_socket_opens_is_no_fault(
    service: Running, browser: Browser
) -> None:
    [cookie] = browser.session.cookie_jar
    host = f"127.0.0.1:{service.started.port}"
    lines = (
        f"GET /socket HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}",
        f"Cookie: {cookie.key}={cookie.value}",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", service.started.port)
        writer.write("\r\n".join(lines).encode())
        writer.transport.abort()
    assert "/chat" == (await browser.get("/chat")).path
    async with service.web.get(service.url + "/metrics") as answer:
        told = re.findall(r"(?m)^clawdbot_http_failures_total (\S+)$", await answer.text())
    assert [0.0] == [*map(float, told)]
