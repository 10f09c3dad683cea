"""Python's own clients in a box whose only way out is the egress proxy's descriptor."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import urllib3
from aiohttp import web

from clawdbot.domain.settings import Net
from clawdbot.net.egress import Rules
from clawdbot.net.fetch import Guard
from clawdbot.net.proxy import Pass, opened
from clawdbot.sandbox.profile import Bind
from clawdbot.sandbox.run import Sandbox
from tests.integration.net.stage import certificate, site
from tests.integration.sandbox.conftest import python

NAME = "site.example"
SOURCE = Path(__file__).parents[3] / "src"


async def loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


PROGRAM = """
import socket, ssl, sys
source, packages, host, secure, ca = {given}
sys.path[:0] = [source, packages]
from clawdbot.plugins.net import install
install(4)
context = ssl.create_default_context(cafile=ca)
"""
PROGRAMS = {
    "urllib": """
import urllib.request
for url in (f"http://{host}/", f"https://{secure}/"):
    print(urllib.request.urlopen(url, context=context if "s:" in url else None, timeout=5).read())
try:
    urllib.request.urlopen("http://other.example/")
except OSError as error:
    print(error.reason.__class__.__name__, "other.example" in str(error))
""",
    "http.client": """
import http.client
for kind, where, more in (
    (http.client.HTTPConnection, host, {}),
    (http.client.HTTPSConnection, secure, {"context": context}),
):
    connection = kind(where, timeout=5, **more)
    connection.request("POST", "/", body=b"x")
    print(connection.getresponse().read())
try:
    http.client.HTTPConnection("other.example").connect()
except PermissionError as error:
    print("PermissionError", "other.example" in str(error))
""",
    "urllib3": """
import urllib3
pool = urllib3.PoolManager(ssl_context=context, retries=False, timeout=5)
for url in (f"http://{host}/", f"https://{secure}/"):
    print(pool.request("GET", url).data)
try:
    pool.request("GET", "http://other.example/")
except urllib3.exceptions.NewConnectionError as error:
    print("PermissionError", "other.example" in str(error))
""",
    "threads": """
import urllib.request
from concurrent.futures import ThreadPoolExecutor
def get(n):
    return urllib.request.urlopen(f"http://{host}/{n}", timeout=10).read()
with ThreadPoolExecutor(4) as pool:
    assert {b"plain"} == set(pool.map(get, range(100)))
print(get(0)); print(urllib.request.urlopen(f"https://{secure}/", context=context).read())
print(socket.socket().connect_ex(("other.example", 80)) and "PermissionError", True)
""",
    "asyncio": """
import asyncio
async def get(where, **more):
    name, _, port = where.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port), **more)
    writer.write(f"GET / HTTP/1.1\\r\\nHost: {where}\\r\\nConnection: close\\r\\n\\r\\n".encode())
    answer = await reader.read()
    writer.close()
    print(answer.rpartition(b"\\n")[2])
asyncio.run(get(host)); asyncio.run(get(secure, ssl=context))
try:
    asyncio.run(get("other.example:80"))
except PermissionError as error:
    print("PermissionError", "other.example" in str(error))
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
async def test_code_that_knows_no_proxy_reaches_what_is_granted(name: str, tmp_path: Path) -> None:
    context, ca_file = certificate(tmp_path, NAME)
    proxy = opened(Guard(Net(), loopback), Net(), lambda _: None)

    async def answer(request: web.Request) -> web.Response:
        assert not await request.read() or request.method == "POST"
        return web.Response(text="secure" if request.secure else "plain")

    async with site(answer) as plain, site(answer, tls=context) as secure, proxy as running:
        hosts = [f"{NAME}:{url.rpartition(':')[2]}" for url in (plain, secure)]
        way = running.box(Pass(who="a", rules=Rules.of(hosts, private=hosts)))
        packages = Path(urllib3.__file__).parents[1]
        seen = [Bind(host=str(each)) for each in (SOURCE, packages, ca_file)]
        given = [str(SOURCE), str(packages), *hosts, str(ca_file)]
        code = f"{PROGRAM.format(given=given)}{PROGRAMS[name]}"
        outcome = await Sandbox(tmp_path / "sandbox").run(python(code, *seen), sockets=[way])
        way.close()
    told = outcome.out.decode().splitlines()
    assert ["b'plain'", "b'secure'", "PermissionError True"] == told, outcome.err


async def test_without_its_descriptor_a_box_reaches_nothing(tmp_path: Path) -> None:
    async def never(request: web.Request) -> web.Response:
        raise AssertionError(request.url)

    async with site(never) as url:
        code = f"""
import socket
try:
    print(socket.create_connection(("127.0.0.1", {url.rpartition(":")[2]}), 2))
except OSError as error:
    print("nothing")
"""
        outcome = await Sandbox(tmp_path / "sandbox").run(python(code))
    assert b"nothing\n" == outcome.out
