"""The log's page: last lines that fit, newest first, as text, for whom it is open alone.

Covers clawdbot.panel.places, clawdbot.ops.reading.
"""

import json
from pathlib import Path

import pytest

from clawdbot.ops.reading import Reader, Wanted
from tests.integration.panel.conftest import Browser, Running, add_user, browsing

FULL = 3_000


def note(home: Path, *events: dict[str, object]) -> None:
    """Log behind the service's back."""
    path = home / "logs" / "clawdbot.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def event(text: str, level: str = "info", **more: object) -> dict[str, object]:
    return {"at": "2026-01-02T03:04:05Z", "level": level, "event": text, **more}


async def texts(browser: Browser, query: str = "") -> list[str]:
    found = await browser.call("GET", f"/logs{query}")
    assert 200 == found.status, found.text
    return [line["text"] for line in json.loads(found.text)]


async def test_lines_are_filtered_and_never_markup(service: Running, browser: Browser) -> None:
    assert "No line fits." in (await browser.get("/logs?text=nothing-like-it")).text
    note(
        service.home,
        event("first", turn="t1"),
        event("<script>alert(1)</script>\u202e", "error", plugin="disk"),
        event("third", "debug", turn="t2", colour="red"),
    )
    with (service.home / "logs" / "clawdbot.log").open("ab") as file:
        file.write(b"\xff no JSON\n")
    page = (await browser.get("/logs")).text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "\u202e" not in page
    found = await texts(browser)
    assert found[0].endswith("no JSON")
    assert found[1].endswith("third turn=t2 colour=red")
    assert ["first"] == [text.split()[3] for text in await texts(browser, "?turn=t1")]
    assert 1 == len(await texts(browser, "?text=COLOUR=red"))
    assert 1 == len([t for t in await texts(browser, "?level=error") if "script" in t])
    assert not [t for t in await texts(browser, "?level=error") if "third" in t]
    assert 2 == len(await texts(browser, "?most=2"))
    assert 400 == (await browser.call("GET", "/logs?most=100000")).status
    assert 400 == (await browser.get("/logs?most=many")).status
    plugin = json.loads((await browser.call("GET", "/plugins/disk/logs")).text)
    assert 1 == len(plugin)


async def test_the_files_before_are_read_too_and_no_more_than_asked(tmp_path: Path) -> None:
    note(tmp_path, *(event(f"old {n} {'x' * 200}") for n in range(FULL)))
    path = tmp_path / "logs" / "clawdbot.log"
    path.rename(path.with_name("clawdbot.log.1"))
    note(tmp_path, event("new"))
    found = await Reader(tmp_path).lines(Wanted(most=1000))
    assert 1000 == len(found)
    assert found[0].text.endswith("new")
    assert [f"old {FULL - 1}", f"old {FULL - 999}"] == [
        " ".join(found[n].text.split()[3:5]) for n in (1, 999)
    ]
    assert [] == await Reader(tmp_path / "none").lines(Wanted())


@pytest.mark.parametrize("role", ["member", "guest"])
async def test_it_is_closed_to_others(service: Running, browser: Browser, role: str) -> None:
    add_user(service, "Gil", role=role)
    async with browsing(service) as guest:
        await guest.log_in("Gil")
        assert 403 == (await guest.get("/logs")).status
        assert 403 == (await guest.call("GET", "/logs")).status
        assert 403 == (await guest.call("GET", "/plugins/disk/logs")).status
