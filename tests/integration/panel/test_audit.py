"""The audit page: filters, pages, content on demand, a verdict in words, a download of plain rows.

Covers clawdbot.panel.audit, clawdbot.panel.auditing.
"""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from tests.integration.panel.conftest import Browser, Running, add_user, browsing, running, write

KEEPS: list[dict[str, object]] = [
    {
        "when": "keep",
        "say": "Kept.",
        "calls": [{"tool": "note_add", "arguments": {"text": "the key"}}],
    },
]


async def keep(browser: Browser, *names: str) -> None:
    """Have rows written: a secret each."""
    for name in names:
        wish = {"name": name, "text": "s3cret-text", "origins": ["https://a.example"]}
        assert 204 == (await browser.call("PUT", "/secrets", wish)).status


def rows_of(text: str) -> list[str]:
    """List the outcomes that a page shows, as they stand."""
    return re.findall(r'data-label="Outcome">(?:<code>)?([^<]*)', text)


async def test_an_empty_trail_says_so(browser: Browser) -> None:
    page = await browser.get("/audit")
    assert "Nothing was done yet." in page.text
    assert "Not signed yet" in page.text


async def test_rows_come_newest_first_page_by_page(browser: Browser) -> None:
    await keep(browser, *(f"name{n:02}" for n in range(60)))
    page = (await browser.get("/audit?kind=secret")).text
    assert [f"name{n:02}" for n in range(59, 9, -1)] == rows_of(page)
    [further] = re.findall(r'class="button" href="(/audit\?[^"]*after[^"]*)"', page)
    page = (await browser.get(further.replace("&amp;", "&"))).text
    assert [f"name{n:02}" for n in range(9, -1, -1)] == rows_of(page)
    assert "after=" not in page
    assert 400 == (await browser.get("/audit?after=x,y,z")).status


async def test_filters_take_what_fits(service: Running, browser: Browser) -> None:
    await keep(browser, "one")
    for asked in (
        "user=Ann",
        "what=secret.set",
        "decision=allow",
        "kind=secret",
        "since=2020-01-01",
    ):
        assert ["one"] == rows_of((await browser.get(f"/audit?{asked}")).text), asked
    for asked in ("user=Bob", "what=shell", "decision=deny", "kind=effect", "until=2020-01-01"):
        page = (await browser.get(f"/audit?{asked}")).text
        assert [] == rows_of(page), asked
        assert "No row fits." in page
    assert 400 == (await browser.get("/audit?since=yesterday")).status
    found = json.loads((await browser.call("GET", "/audit?decision=deny")).text)
    assert [] == found


async def test_content_is_opened_on_demand_alone(short_home: Path) -> None:
    async with running(short_home, KEEPS) as service:
        await service.set_up()
        async with browsing(service) as browser:
            await browser.log_in()
            await browser.say("c", "keep this")
            page = (await browser.get("/audit?what=note_add")).text
            assert "the key" not in page
            rows = json.loads((await browser.call("GET", "/audit?what=note_add")).text)
            sealed = next(row for row in rows if row["payload"])
            path = f"/audit/{sealed['chain']}/{sealed['place']}"
            assert f"GET /api/v1{path}" in page
            opened = json.loads((await browser.call("GET", path)).text)
            assert {"text": '{"text":"the key"}', "erased": False} == opened
            assert 404 == (await browser.call("GET", f"/audit/{sealed['chain']}/99")).status
            assert 404 == (await browser.call("GET", "/audit/none/1")).status
            async with service.local.post("http://clawdbot/Custody.erase", json=["Ann"]) as answer:
                assert 200 == answer.status
            opened = json.loads((await browser.call("GET", path)).text)
            assert opened["erased"]
            assert "the key" not in opened["text"]


async def test_the_verdict_comes_in_words(service: Running, browser: Browser) -> None:
    await keep(browser, "one", "two")
    good = json.loads((await browser.call("GET", "/audit/verdict")).text)
    assert "2 rows and 0 checkpoints are as they were written." in good["words"]
    assert good["bad"] is None
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db, db:
        db.execute("UPDATE audit SET outcome = 'three' WHERE outcome = 'two'")
    bad = json.loads((await browser.call("GET", "/audit/verdict")).text)
    assert 2 == bad["bad"]["place"]
    assert "row 2: this row was changed" in bad["words"]


async def test_the_export_is_plain_json_lines(service: Running, browser: Browser) -> None:
    await keep(browser, *(f"name{n:03}" for n in range(12)), "other")
    page = await browser.get("/audit/export?kind=secret")
    assert (200, "application/x-ndjson") == (page.status, page.headers["Content-Type"])
    assert "attachment" in page.headers["Content-Disposition"]
    rows = [json.loads(line) for line in page.text.splitlines()]
    assert ["other", "name011"] == [row["outcome"] for row in rows[:2]]
    assert 13 == len(rows)
    assert "s3cret-text" not in page.text
    assert {""} == {row["content"] for row in rows}


async def test_only_whom_it_is_open_to_sees_it(service: Running, browser: Browser) -> None:
    for role in ("member", "guest"):
        add_user(service, role, role=role)
        async with browsing(service) as other:
            await other.log_in(role)
            for path in ("/audit", "/audit/export"):
                assert 403 == (await other.get(path)).status
            for path in ("/audit", "/audit/verdict", "/audit/x/1"):
                assert 403 == (await other.call("GET", path)).status
    add_user(service, "Clerk", role="clerk")
    areas = msgspec.json.encode({"areas": ["audit"]})
    write(service, "INSERT INTO roles VALUES ('clerk', ?, 1e9)", (areas,))
    async with browsing(service) as clerk:
        await clerk.log_in("Clerk")
        assert 200 == (await clerk.get("/audit")).status
        assert 403 == (await clerk.get("/plugins")).status
