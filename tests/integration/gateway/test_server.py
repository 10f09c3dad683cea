"""The one server's entrances: hosts, origins, headers, sizes, levels, the Unix socket.

Covers clawdbot.gateway.control and clawdbot.gateway.monitor.
"""

import io
import stat

import aiohttp
import pytest

from clawdbot.domain.errors import SettingsInvalid
from clawdbot.domain.settings import Gateway
from clawdbot.gateway.route import Permission
from clawdbot.gateway.server import check_binding
from tests.integration.gateway.conftest import PASSWORD, Running


async def test_health_and_readiness_are_told(service: Running) -> None:
    for path, text in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
        async with service.web.get(service.url + path) as answer:
            assert (200, text) == (answer.status, await answer.text())


async def test_metrics_are_prometheus_text(service: Running) -> None:
    async with service.web.get(service.url + "/metrics") as answer:
        text = await answer.text()
    assert "# TYPE clawdbot_outbox_depth gauge" in text
    assert "clawdbot_turns_waiting 0.0" in text


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/login"])
async def test_every_answer_carries_the_strict_headers(service: Running, path: str) -> None:
    async with service.web.get(service.url + path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "nosniff" == answer.headers["X-Content-Type-Options"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80"])
async def test_a_foreign_host_name_is_refused(service: Running, host: str) -> None:
    async with service.web.get(service.url + "/healthz", headers={"Host": host}) as answer:
        assert 421 == answer.status


async def test_an_oversized_body_is_refused(service: Running) -> None:
    body = io.BytesIO(b"x" * (1_048_576 + 10))
    async with service.local.post("http://clawdbot/set_up", data=body) as answer:
        assert 413 == answer.status


@pytest.mark.parametrize("body", [b"{", b"[]", b'[{"name": 1}]', b"\xff", b'[{"name":"a","x":1}]'])
async def test_a_malformed_body_gets_a_clear_error(service: Running, body: bytes) -> None:
    async with service.local.post("http://clawdbot/set_up", data=body) as answer:
        assert 400 == answer.status
        assert "BadInput" == answer.headers["X-Failure"]
        assert "Traceback" not in await answer.text()


async def test_local_routes_are_not_on_the_port(service: Running) -> None:
    for path in ("/status", "/adopt", "/Users.knocking"):
        async with service.web.get(service.url + path) as answer:
            assert 404 == answer.status


async def test_the_socket_is_the_owners_alone(service: Running) -> None:
    mode = (service.home / "clawdbot.sock").stat().st_mode
    assert 0o600 == stat.S_IMODE(mode)
    assert 0o700 == stat.S_IMODE(service.home.stat().st_mode)


async def test_status_tells_how_the_service_fares(service: Running) -> None:
    async with service.local.post("http://clawdbot/status", data="[]") as answer:
        status = await answer.json()
    assert "Ann" == status["owner"]
    assert service.url == status["address"]
    assert 0 == status["outbox"]


async def test_a_change_from_another_origin_is_refused(service: Running) -> None:
    form = {"name": "Ann", "password": PASSWORD}
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        async with service.web.post(
            service.url + "/login", data=form, headers=headers, allow_redirects=False
        ) as answer:
            assert 403 == answer.status


async def test_a_websocket_from_another_origin_is_refused(service: Running) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await service.web.ws_connect(service.url + "/socket", headers={"Origin": "http://evil"})
    assert refused.value.status in {401, 403}


async def test_forwarded_headers_make_nobody_local(service: Running) -> None:
    headers = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost"}
    async with service.web.get(service.url + "/chat", headers=headers, allow_redirects=False) as a:
        assert 303 == a.status


def test_another_address_needs_a_proxy_in_front() -> None:
    with pytest.raises(SettingsInvalid, match="trusted_proxies"):
        check_binding(Gateway(host="0.0.0.0"))
    check_binding(Gateway(host="0.0.0.0", trusted_proxies=("10.0.0.1",)))
    check_binding(Gateway())


def test_every_permission_is_known() -> None:
    assert {"public", "signed", "user", "local"} == set(Permission)
