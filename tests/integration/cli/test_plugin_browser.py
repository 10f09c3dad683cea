"""The mission's browser task, byte for byte, logs in to a real site by a real browser."""

import asyncio
import contextlib
import json
import os
import select
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clawdbot.config.key import MasterKey
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Store
from clawdbot.store import secrets, sqlite
from clawdbot.store.vault import Vault
from tests.fakes.command import running, scripted
from tests.integration.cli.conftest import Run
from tests.integration.net.stage import listening
from tests.patience import PATIENCE_S

SNIPPET = """\
from clawdbot.plugins import browser_automation

@browser_automation.task
def check_email(credentials):
    driver = get_webdriver()          # no import: the plugin host provides it
    driver.get("https://mail.example.com")
    # log in, read the mail ...
"""
REST = """\
    from selenium.webdriver.common.by import By
    driver.implicitly_wait(10)
    driver.find_element(By.NAME, "user").send_keys(credentials["username"])
    driver.find_element(By.NAME, "password").send_keys(credentials["password"])
    driver.find_element(By.TAG_NAME, "button").click()
    print(credentials)
    return [mail.text for mail in driver.find_elements(By.CLASS_NAME, "mail")]
"""
LOGIN = """<form method=post><input name=user><input type=password name=password>
<button>Log in</button></form>"""
USER, WORD = "ann", "c4nary-hunter2"


class Site:
    """A mail site on https://mail.example.com, and the proxy that leads to it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.tunnels: list[str] = []
        self.port = 0

    async def answer(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        self.heard.append(f"{request.method} {request.host}{request.path}")
        good = form == {"user": USER, "password": WORD}
        text = "<p class=mail>Lunch?<p class=mail>Rent" if good else LOGIN
        return web.Response(text=text, content_type="text/html")

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be the company's proxy, for which there is one host."""
        asked = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
        self.tunnels.append(asked)
        if asked != "mail.example.com:443":
            writer.write(b"HTTP/1.1 502 no\r\n\r\n")
            return
        far = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"HTTP/1.1 200 yes\r\n\r\n")
        try:
            await asyncio.gather(_carry(reader, far[1]), _carry(far[0], writer))
        finally:
            far[1].close()
            with contextlib.suppress(OSError):
                await far[1].wait_closed()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
        writer.write_eof()


@pytest.fixture
async def site(home: Path) -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_certified(home)).start()
    made.port = runner.addresses[0][1]
    async with listening(made.lead) as port:
        scripted(home)
        with (home / "clawdbot.yaml").open("a") as file:
            file.write(f"net: {{proxy: 'http://127.0.0.1:{port}', ca_file: '{home}/ca.pem'}}\n")
        (home / "plugins").mkdir(mode=0o700)
        yield made
    await runner.cleanup()


async def keep(home: Path, origin: str) -> None:
    """Keep the log-in as a sealed secret."""
    (home / "data").mkdir(mode=0o700, exist_ok=True)
    text = Secret(json.dumps({"username": USER, "password": WORD}))
    new = secrets.New(id="1", name="mail", text=text, origins=[origin], user="", now=1.0)
    async with sqlite.opened(home / "data" / "clawdbot.db", Store(), sqlite.connect) as db:
        row = secrets.seal(Vault(MasterKey(home, {})), new)
        await db.write(lambda tx: secrets.put(tx, row))


async def test_the_mission_s_second_snippet_runs_as_it_is(run: Run, home: Path, site: Site) -> None:
    (home / "plugins" / "mail.py").write_text(SNIPPET)
    await keep(home, "https://mail.example.com")
    assert 0 == (await asyncio.to_thread(run, "plugin", "trust", "mail")).returncode
    command = ("plugin", "run", "check_email", "--credentials", "secret://mail")
    done = await asyncio.to_thread(run, *command)
    assert (0, "-\n", "") == (done.returncode, done.stdout, done.stderr)
    assert "GET mail.example.com/" in site.heard
    assert {"mail.example.com:443"} == set(site.tunnels)


async def test_it_logs_in_and_the_password_is_nowhere_else(
    run: Run, home: Path, site: Site
) -> None:
    (home / "plugins" / "mail.py").write_text(SNIPPET + REST)
    await keep(home, "https://mail.example.com")
    assert 0 == (await asyncio.to_thread(run, "plugin", "trust", "mail")).returncode
    command = ("plugin", "run", "check_email", "--credentials", "secret://mail", "--json")
    done = await asyncio.to_thread(run, *command)
    assert (0, ["Lunch?", "Rent"]) == (done.returncode, json.loads(done.stdout or "0")), done.stderr
    for path in (path for path in home.rglob("*") if path.is_file()):
        assert WORD.encode() not in path.read_bytes(), path
    logs = await asyncio.to_thread(run, "plugin", "logs", "mail")
    assert "secret://mail#password" in logs.stdout


async def test_a_secret_of_another_site_is_not_typed(run: Run, home: Path, site: Site) -> None:
    (home / "plugins" / "mail.py").write_text(
        SNIPPET.replace(".task", '.task(hosts=["mail.example.com"])') + REST
    )
    await keep(home, "https://bank.example.com")
    assert 0 == (await asyncio.to_thread(run, "plugin", "trust", "mail")).returncode
    command = ("plugin", "run", "check_email", "--credentials", "secret://mail")
    done = await asyncio.to_thread(run, *command)
    assert (1, "") == (done.returncode, done.stdout)
    assert "There is no such secret for this address." in done.stderr
    assert all(line.startswith("GET") for line in site.heard)
    done = await asyncio.to_thread(run, *command[:-1], "secret://none")
    assert "There is no secret of that name." in done.stderr


HANG = """\
from clawdbot.plugins import browser_automation

@browser_automation.task(hosts=["mail.example.com"], timeout=60)
def hang():
    get_webdriver().get("https://mail.example.com")
    while True:
        pass
"""


def test_no_browser_outlives_a_killed_service(
    run: Run, home: Path, environ: dict[str, str]
) -> None:
    scripted(home)
    (home / "plugins").mkdir(mode=0o700)
    (home / "plugins" / "mail.py").write_text(HANG)
    assert 0 == run("plugin", "trust", "mail").returncode
    with running(environ) as service:
        command = [sys.executable, "-m", "clawdbot", "plugin", "run", "hang"]
        with subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as asking:
            ends = time.monotonic() + PATIENCE_S
            while not any("--type=renderer" in line for line in _below(service.pid).values()):
                assert time.monotonic() < ends
            watched = []
            for pid in _below(service.pid):
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    watched.append(os.pidfd_open(pid))
            assert any("inside.py" in line for line in _below(service.pid).values())
            service.kill()
            for each in watched:
                assert select.select([each], [], [], PATIENCE_S)[0]
                os.close(each)
            asking.communicate(timeout=PATIENCE_S)


def _below(pid: int) -> dict[int, str]:
    """Give the command lines of all that a process started."""
    found: dict[int, str] = {}
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text(encoding="ascii").split()):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{child}/cmdline").read_bytes()
                found |= {child: line.replace(b"\0", b" ").decode(), **_below(child)}
    return found


def _certified(folder: Path) -> ssl.SSLContext:
    """Make an authority, and a certificate of it for the site."""
    now = datetime.now(tz=UTC)
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("authority")
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    began, ends = now - timedelta(hours=1), now + timedelta(days=1)

    def builder(subject: x509.Name) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder(name, subject, serial_number=x509.random_serial_number())
        return made.not_valid_before(began).not_valid_after(ends)

    authority = builder(name).public_key(key.public_key()).add_extension(constraints, critical=True)
    (folder / "ca.pem").write_bytes(_pem(authority.sign(key, hashes.SHA256())))
    own = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("mail.example.com")])
    site = builder(_name("site")).public_key(own.public_key()).add_extension(names, critical=False)
    chain = folder.parent / "site.pem"
    chain.write_bytes(
        own.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + _pem(site.sign(key, hashes.SHA256()))
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
