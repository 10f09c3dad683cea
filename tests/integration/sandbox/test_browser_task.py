"""A plugin's browser task in its box: warm, alone, and without a trace of the secret."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from clawdbot.domain.errors import PluginFailed
from clawdbot.sandbox.broker import Broker
from clawdbot.sandbox.python import selenium
from clawdbot.sandbox.run import Sandbox
from clawdbot.sandbox.worker import Around, Order, Pool, Program
from tests.integration.sandbox.browsing import Desk, desk

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLUGIN = """
import os, socket
from clawdbot.plugins import browser_automation
from selenium.webdriver.common.by import By

@browser_automation.task
def log_in(url, credentials):
    driver = get_webdriver()
    driver.implicitly_wait(10)
    driver.get(url)
    driver.find_element(By.ID, "user").send_keys(credentials["username"])
    driver.find_element(By.ID, "password").send_keys(credentials["password"])
    driver.find_element(By.ID, "go").click()
    return [os.getpid(), [each.text for each in driver.find_elements(By.CLASS_NAME, "mail")]]

@browser_automation.task
def hang(url):
    get_webdriver().get(url)
    while True:
        pass

@browser_automation.task
def network():
    socket.create_connection(("127.0.0.1", 80), 1)

@browser_automation.task
def noise():
    line = get_webdriver().command_executor._line
    line.send((1 << 31).to_bytes(4, "big"))
    return get_webdriver().title
"""
TOKENS = {"username": "secret://mail#username", "password": "secret://mail#password"}
HELD = frozenset({"mail"})


@pytest_asyncio.fixture(loop_scope="module", scope="module", name="at")
async def at_(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with desk(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def pool(at: Desk) -> AsyncIterator[Pool]:
    @asynccontextmanager
    async def around(program: Program) -> AsyncIterator[Around]:
        with Broker.opened(at.browsers) as (broker, line):
            yield Around(
                lines={"browser": line},
                call=lambda order: broker.call(at.errand(secrets=tuple(order.secrets))),
            )

    async with Pool(Sandbox(at.folder / "boxes"), around).opened() as made:
        yield made


async def call(
    pool: Pool,
    folder: Path,
    name: str,
    given: dict[str, object] | None = None,
    timeout_s: float = 20.0,
):
    (folder / "it.py").write_text(PLUGIN)
    program = Program(main="it.py", folder=str(folder), more=selenium(), browser=True)
    order = Order(name=name, arguments=given or {}, timeout_s=timeout_s, secrets=HELD)
    return (await pool.call(("it",), program, order, lambda _: None)).value


async def test_a_task_logs_in_and_its_worker_never_has_the_secret(
    at: Desk, pool: Pool, tmp_path: Path
) -> None:
    url = at.sites.at("mail.example")
    given: dict[str, object] = {"url": url, "credentials": TOKENS}
    first = await call(pool, tmp_path, "log_in", given)
    inside, found = await call(pool, tmp_path, "log_in", given)
    assert (["Lunch?"], first) == (found, [inside, found])  # the same worker, warm
    workers = [pid for pid in _boxed(tmp_path) if _inner(pid) == inside]
    assert 1 == len(workers)
    held = _memory(workers[0])
    assert b"secret://mail#password" in held  # we look at the right place
    assert b"c4nary" not in held
    assert b"hunter2" not in held


async def test_a_task_that_hangs_ends_with_its_browser(
    at: Desk, pool: Pool, tmp_path: Path
) -> None:
    with pytest.raises(PluginFailed, match="did not answer in time"):
        await call(pool, tmp_path, "hang", {"url": at.sites.at("mail.example")}, 3.0)
    async with at.browsers.task(at.carry) as tab:
        assert 1 == len(await tab.targets("page"))
        everything = str(bytes(await tab.tell("Target.getTargets")))
        assert 1 == len(re.findall(r'"type":"page"', everything))


async def test_a_task_has_no_network_of_its_own(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(PluginFailed, match=r"OSError|ConnectionRefusedError"):
        await call(pool, tmp_path, "network")


async def test_noise_on_the_line_ends_the_call_alone(at: Desk, pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(PluginFailed):
        await call(pool, tmp_path, "noise")
    url = at.sites.at("mail.example")
    assert ["Lunch?"] == (
        await call(pool, tmp_path, "log_in", {"url": url, "credentials": TOKENS})
    )[1]


def _boxed(folder: Path) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder).encode() in line and b"-I" in line:
            found.append(int(path.name))
    return found


def _inner(pid: int) -> int:
    """Tell a process's number in its own namespace."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"(?m)^NSpid:.*\t(\d+)$", status)[1])  # type: ignore[index] # it has one


def _memory(pid: int) -> bytes:
    """Read all that a process holds."""
    held = bytearray()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
            place, rights = line.split()[:2]
            begin, end = (int(part, 16) for part in place.split("-"))
            if rights.startswith("rw"):
                try:
                    memory.seek(begin)
                    held += memory.read(end - begin)
                except OSError:
                    continue
    return bytes(held)
