"""Files over real HTTP: what is taken in, what is refused and leaves nothing, who gets it back.

Covers clawdbot.gateway.media.
"""

import asyncio
import gzip
import io
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from yarl import URL

from tests.integration.gateway.conftest import Running, running, until
from tests.integration.panel.conftest import Browser, add_user, browser, browsing, write
from tests.patience import PATIENCE_S

__all__ = ["browser"]

JSON = dict[str, object]
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
MEBIBYTE = 1 << 20


@pytest.fixture
async def service(short_home: Path) -> AsyncIterator[Running]:
    """Run a service with small limits."""
    limits = {"file_mb": 2, "user_mb": 3, "all_mb": 5}
    async with running(short_home, media=limits, store={"low_water_mb": 0}) as found:
        await found.set_up()
        yield found


async def csrf(browser: Browser) -> dict[str, str]:
    return {"Origin": browser.url, "X-CSRF-Token": (await browser.get("/chat")).csrf}


async def put(
    browser: Browser, data: object, name: str = "a.png", **more: object
) -> tuple[int, str]:
    """Upload a file."""
    data = io.BytesIO(data) if isinstance(data, bytes) else data
    url = f"{browser.url}/media?name={quote(name, safe='')}"
    async with browser.session.post(url, data=data, headers=await csrf(browser), **more) as answer:  # type: ignore[arg-type]
        return answer.status, await answer.text()


async def kept(browser: Browser, data: object, name: str = "a.png") -> JSON:
    status, text = await put(browser, data, name)
    assert 201 == status, text
    found: JSON = msgspec.json.decode(text)
    return found


def on_disk(service: Running) -> list[bytes]:
    found = []
    for path in (service.home / "data" / "media").rglob("*"):
        with suppress(FileNotFoundError, IsADirectoryError):  # it may go while we look
            found.append(path.read_bytes())
    return sorted(found)


def rows(service: Running) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db:
        return db.execute("SELECT name, kind, size FROM media ORDER BY id").fetchall()


async def test_a_file_comes_back_as_it_was(service: Running, browser: Browser) -> None:
    found = await kept(browser, PNG, "../../my photo\u202e.png")
    assert ("my photo.png", "image/png", len(PNG)) == (found["name"], found["kind"], found["size"])
    async with browser.session.get(f"{browser.url}/media/{found['id']}") as answer:
        assert (200, PNG) == (answer.status, await answer.read())
        assert "image/png" == answer.headers["Content-Type"]
        assert "inline; filename*=UTF-8''my%20photo.png" == answer.headers["Content-Disposition"]
        assert "sandbox; default-src 'none'" == answer.headers["Content-Security-Policy"]
        assert "nosniff" == answer.headers["X-Content-Type-Options"]
        assert "same-origin" == answer.headers["Cross-Origin-Resource-Policy"]
    async with browser.session.get(f"{browser.url}/media/{found['id']}?save") as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment; ")


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"<!doctype html><script>alert(1)</script>", "a.png", "text/plain; charset=utf-8"),
        (b"<svg onload='alert(1)'/>", "a.svg", "text/plain; charset=utf-8"),
        (b"%PDF-1.7 ....", "a.html", "application/pdf"),
        (b"PK\x03\x04...", "a.jpg", "application/zip"),
        (b"MZ\x90\x00", "a.txt", "application/octet-stream"),
    ],
)
async def test_what_is_no_picture_is_saved_not_shown(
    browser: Browser, content: bytes, name: str, kind: str
) -> None:
    found = await kept(browser, content, name)
    async with browser.session.get(f"{browser.url}/media/{found['id']}") as answer:
        assert kind == answer.headers["Content-Type"]
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        assert "sandbox; default-src 'none'" == answer.headers["Content-Security-Policy"]


async def test_a_sound_can_be_played_from_its_middle(browser: Browser) -> None:
    sound = b"OggS" + bytes(range(256))
    found = await kept(browser, sound, "voice.ogg")
    url = f"{browser.url}/media/{found['id']}"
    async with browser.session.get(url, headers={"Range": "bytes=4-13"}) as answer:
        assert (206, bytes(range(10))) == (answer.status, await answer.read())
        assert f"bytes 4-13/{len(sound)}" == answer.headers["Content-Range"]
    async with browser.session.get(url, headers={"Range": "bytes=9999-"}) as answer:
        assert 416 == answer.status


async def test_to_others_there_is_no_such_file(service: Running, browser: Browser) -> None:
    found = await kept(browser, PNG)
    add_user(service, "Bob", role="owner")
    async with browsing(service) as bob, browsing(service) as stranger:
        await bob.log_in("Bob")
        assert 404 == (await bob.get(f"/media/{found['id']}")).status
        assert 401 == (await stranger.get(f"/media/{found['id']}")).status
    for id_ in ("0" * 26, "..%2f..%2fclawdbot.db", str(found["id"]).lower(), "x" * 27):
        assert 404 == (await browser.get(f"/media/{id_}")).status


async def test_only_our_own_page_can_send_a_file(service: Running, browser: Browser) -> None:
    url, good = f"{browser.url}/media", await csrf(browser)
    for bad in ({}, good | {"Origin": "https://evil.example"}, good | {"X-CSRF-Token": "x"}):
        async with browser.session.post(url, data=PNG, headers=bad) as answer:
            assert 403 == answer.status
    assert [] == on_disk(service)


async def test_what_is_too_large_is_refused_and_leaves_nothing(
    service: Running, browser: Browser
) -> None:
    async def without_end() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(MEBIBYTE)

    assert (413, "A file may have at most 2 MB.") == await put(browser, bytes(2 * MEBIBYTE + 1))
    with suppress(aiohttp.ClientError):  # it is not read to its end, so the answer may be lost
        assert 413 == (await put(browser, without_end()))[0]
    await kept(browser, b"a" * 2 * MEBIBYTE)
    status, text = await put(browser, b"b" * 2 * MEBIBYTE)
    assert (413, True) == (status, "more than 3 MB" in text)
    add_user(service, "Bob", language="zh")
    async with browsing(service) as bob:
        await bob.log_in("Bob")
        assert "单个文件最多 2 MB。" == (await put(bob, bytes(3 * MEBIBYTE)))[1]
        await kept(bob, b"c" * 2 * MEBIBYTE)
        assert 503 == (await put(bob, b"d" * MEBIBYTE + b"d"))[0]
    assert [b"a" * 2 * MEBIBYTE, b"c" * 2 * MEBIBYTE] == on_disk(service)


async def test_what_many_send_is_kept_once_until_the_last_is_gone(
    service: Running, browser: Browser
) -> None:
    await kept(browser, PNG)
    await kept(browser, PNG, "again.png")
    add_user(service, "Bob")
    async with browsing(service) as bob:
        await bob.log_in("Bob")
        await kept(bob, PNG)
    assert [PNG] == on_disk(service)
    assert 3 == len(rows(service))


async def test_a_broken_body_is_refused_and_leaves_nothing(
    service: Running, browser: Browser
) -> None:
    assert (400, "This file is empty.") == await put(browser, b"")
    headers = await csrf(browser) | {"Content-Encoding": "gzip", "Connection": "close"}
    bomb = gzip.compress(bytes(64 * MEBIBYTE))
    for body in (PNG, gzip.compress(PNG)[:-4], bomb):
        url = f"{browser.url}/media"
        async with browser.session.post(url, data=body, headers=headers) as answer:
            assert 415 == answer.status
    for lie, body in ((b"Content-Length: 9", b"abc"), (b"Transfer-Encoding: chunked", b"5\r\nab")):
        _, writer = await raw(service, browser, lie, body)
        writer.close()
        await writer.wait_closed()
    _, writer = await raw(service, browser, b"Transfer-Encoding: chunked", b"zz\r\n")
    writer.close()
    assert 200 == (await browser.get("/chat")).status
    await until(lambda: [] == on_disk(service))
    assert [] == rows(service)


async def test_who_sends_slowly_is_cut_off_and_takes_no_place_of_others(
    service: Running, browser: Browser
) -> None:
    lie = b"Content-Length: 100"
    slow = [await raw(service, browser, lie, b"abc") for _ in range(4)]
    await until(lambda: 4 == len(on_disk(service)))
    assert 429 == (await put(browser, PNG))[0]
    add_user(service, "Bob")
    async with browsing(service) as bob:
        await bob.log_in("Bob")
        await kept(bob, PNG)
    async with asyncio.timeout(PATIENCE_S):
        heads = [await reader.readline() for reader, _ in slow]
    assert {b"HTTP/1.1 408 Request Timeout\r\n"} == set(heads)
    for _, writer in slow:
        writer.close()
    await until(lambda: [PNG] == on_disk(service))


async def raw(
    service: Running, browser: Browser, header: bytes, body: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin an upload by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.started.port)
    cookies = browser.session.cookie_jar.filter_cookies(URL(browser.url))
    cookie = "; ".join(f"{morsel.key}={morsel.value}" for morsel in cookies.values())
    head = [f"{name}: {value}" for name, value in (await csrf(browser)).items()]
    lines = ["POST /media HTTP/1.1", f"Host: {browser.url[7:]}", f"Cookie: {cookie}", *head]
    writer.write("\r\n".join(lines).encode() + b"\r\n" + header + b"\r\n\r\n" + body)
    await writer.drain()
    return reader, writer


CRASH = """
import os, signal, sys
from pathlib import Path
from clawdbot.store.media import Files

files = Files(Path(sys.argv[1]))
with files.draft() as draft:
    draft.write(b"all of it")
    if sys.argv[2] == "kept":
        files.keep(draft)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("moment", ["written", "kept"])
async def test_a_kill_between_file_and_row_leaves_nothing(short_home: Path, moment: str) -> None:
    folder = short_home / "data" / "media"
    short_home.mkdir(mode=0o700)
    (short_home / "logs").mkdir()
    done = subprocess.run([sys.executable, "-c", CRASH, str(folder), moment], check=False)
    assert -signal.SIGKILL == done.returncode
    assert 1 == len([path for path in folder.rglob("*") if path.is_file()])
    async with running(short_home) as service:
        await until(lambda: [] == on_disk(service))


async def test_in_time_a_file_is_forgotten(short_home: Path) -> None:
    async with running(short_home) as service:
        await service.set_up()
        async with browsing(service) as browser:
            await browser.log_in()
            await kept(browser, b"never sent")
            await kept(browser, b"sent long ago")
            await kept(browser, b"sent")
        write(service, "UPDATE media SET said_at = 1 WHERE name = 'a.png' AND size <> 10", ())
        write(service, "UPDATE media SET created_at = created_at - 90000", ())
        write(service, "UPDATE media SET created_at = 1 WHERE size = 13", ())
    async with running(short_home) as service:
        await until(lambda: [b"sent"] == on_disk(service))
        assert 1 == len(rows(service))


@contextmanager
def small(folder: Path) -> Iterator[None]:
    """Mount a file system of 2 MiB."""
    if os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root only")
    folder.mkdir(mode=0o700, parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let us mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_keeps_nothing_by_half(short_home: Path) -> None:
    short_home.mkdir(mode=0o700)
    (short_home / "logs").mkdir()
    with small(short_home / "data" / "media"):
        async with (
            running(short_home, store={"low_water_mb": 0}) as service,
            browsing(service) as browser,
        ):
            await service.set_up()
            await browser.log_in()
            status, text = await put(browser, os.urandom(3 * MEBIBYTE))
            assert (503, True) == (status, "disk" in text)
            assert ([], []) == (on_disk(service), rows(service))
            await kept(browser, PNG)
            assert [PNG] == on_disk(service)
