"""Schemathesis asks every operation of the API what its description allows, and what it does not.

No server error, no answer that the description does not tell of. It runs in an environment of its
own, in the slow suite.
"""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from clawdbot.panel.api import OPERATIONS
from tests.integration.gateway.conftest import Running, running
from tests.integration.panel.conftest import browsing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LOCK = Path(__file__).with_name("requirements-schemathesis.lock")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make Schemathesis' own environment."""
    folder = tmp_path_factory.mktemp("schemathesis")
    install = ("-m", "pip", "install", "-q", "--require-hashes", "-r", str(LOCK))
    asyncio.run(_run(sys.executable, "-m", "venv", str(folder)))
    asyncio.run(_run(str(folder / "bin/python"), *install))
    return folder / "bin/python"


async def test_every_operation_answers_as_it_is_described(python: Path, short_home: Path) -> None:
    async with running(short_home, limits={"messages_per_minute": 10_000}) as service:
        await service.set_up()
        headers = await _owners(service)
        given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
        code, told = await _run(
            *(str(python), "-m", "schemathesis.cli", "run", f"{service.url}/api/v1/openapi.json"),
            *(*given, "--checks", ",".join(CHECKS), "--max-examples", "60", "--seed", "1"),
            *("--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color"),
            checked=False,
            folder=python.parents[1],  # it leaves a cache behind
        )
    assert 0 == code, told[-6000:]
    assert f"Tested: {len(OPERATIONS)}" in told


async def _owners(service: Running) -> dict[str, str]:
    """Give the headers of the owner's log-in."""
    async with browsing(service) as browser:
        await browser.log_in()
        csrf = re.search(r'data-csrf="([^"]+)"', (await browser.get("/approvals")).text)
        assert csrf is not None
        [cookie] = browser.session.cookie_jar
        return {
            "Cookie": f"{cookie.key}={cookie.value}",
            "Origin": service.url,
            "X-CSRF-Token": csrf[1],
        }


async def _run(*argv: str, checked: bool = True, folder: Path | None = None) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder
    )
    told, _ = await process.communicate()
    code = process.returncode or 0
    assert not checked or code == 0, told.decode()
    return code, told.decode()
