"""Plugins on a page: seen in plain words, trusted by an owner as they were seen, tried, turned off.

Covers clawdbot.panel.plugins, clawdbot.panel.additions.
"""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from clawdbot.domain.text import told
from tests.integration.gateway.conftest import JSON
from tests.integration.panel.conftest import (
    Browser,
    Running,
    add_user,
    browsing,
    running,
    write,
)

COUNT = """\
from pathlib import Path
from typing import Annotated, Literal

from clawdbot.plugins import File, system_command

@system_command.register(effect="write", paths=["{place}:write"])
def count(text: Annotated[str, "<b>The</b> text"], least: int = 1, loud: bool = False,
          how: Literal["up", "down"] = "up"):
    "Count <script>alert(1)</script> words."
    words = [word for word in text.split() if len(word) >= least]
    Path("{place}/found").write_text(how)
    return {{"words": len(words), "loud": loud, "how": how}}

@system_command.register
def size(source: File):
    return len(open(source).read())
"""
SKILL = "---\nname: tidy\ndescription: How to tidy up.\n---\nPut things away.\n"


def lay(service: Running, place: Path) -> Path:
    """Put a plugin and a skill where an owner does."""
    place.mkdir(exist_ok=True)
    folder = service.home / "plugins"
    folder.mkdir(mode=0o700)
    (folder / "count.py").write_text(COUNT.format(place=place))
    (folder / "torn.py").write_text("def")
    skill = service.home / "skills" / "tidy"
    skill.mkdir(mode=0o700, parents=True)
    (skill / "SKILL.md").write_text(SKILL)
    return folder / "count.py"


async def entries(browser: Browser) -> dict[tuple[str, str], str]:
    """List what is there, with its state."""
    listed = msgspec.json.decode((await browser.call("GET", "/additions")).text)
    return {(each["sort"], each["name"]): each["state"] for each in listed}


async def trust(browser: Browser, name: str, sort: str = "plugin") -> int:
    """Trust something as it is shown now."""
    shown = await browser.call("GET", f"/additions/{sort}/{name}")
    wish = {"hash": json.loads(shown.text)["hash"]}
    return (await browser.call("PUT", f"/additions/{sort}/{name}", wish)).status


async def local(service: Running, call: str, *given: object) -> object:
    """Ask as the command line does."""
    async with service.local.post(f"http://clawdbot/{call}", json=given) as answer:
        assert 200 == answer.status, await answer.text()
        return await answer.json()


async def test_an_empty_home_has_its_own_tools(browser: Browser) -> None:
    found = await entries(browser)
    assert {"tool"} == {sort for sort, _ in found}
    assert "built in" == found["tool", "time_now"]
    page = await browser.get("/plugins")
    assert "No plugin is there yet." in page.text
    assert 200 == (await browser.get("/plugins/time_now?sort=tool")).status


async def test_a_plugin_is_trusted_tried_and_turned_off(
    service: Running, browser: Browser, tmp_path: Path
) -> None:
    file = lay(service, tmp_path / "place")
    assert "new" == (await entries(browser))["plugin", "count"]
    page = (await browser.get("/plugins/count")).text
    assert "It may change files." in page
    assert str(tmp_path / "place") in page
    assert "<script>alert" not in page
    wrong = await browser.call("PUT", "/additions/plugin/count", {"hash": "0" * 64})
    assert 400 == wrong.status
    assert "new" == (await entries(browser))["plugin", "count"]
    assert 204 == await trust(browser, "count")
    shown = await local(service, "Trust.shown", "count")
    assert isinstance(shown, dict)
    assert "trusted" == shown["state"]
    given = {"text": "a bc def", "least": 2, "loud": True, "how": ""}
    wish = {"function": "count", "given": given}
    ran = await browser.call("POST", "/plugins/count/run", wish)
    assert (200, {"words": 2, "loud": True, "how": "up"}) == (
        ran.status,
        json.loads(ran.text)["value"],
    ), ran.text
    assert "up" == (tmp_path / "place" / "found").read_text()
    assert [("count", "control panel")] == rows(service)
    page = (await browser.get("/plugins/count")).text
    assert {"given.text", "given.least", "given.loud", "given.how"} <= set(
        re.findall(r'name="([^"]+)"', page)
    )
    await local(service, "Trust.allow", {"tool": "count", "user": "Ann"})
    assert 204 == (await browser.call("DELETE", "/additions/plugin/count")).status
    assert "new" == (await entries(browser))["plugin", "count"]
    assert file.exists()
    assert [] == await local(service, "Trust.allowed")
    assert 404 == (await browser.call("POST", "/plugins/count/run", wish)).status


async def test_what_changed_is_marked(service: Running, browser: Browser, tmp_path: Path) -> None:
    file = lay(service, tmp_path / "place")
    await trust(browser, "count")
    file.write_text(file.read_text().replace("paths=", 'hosts=["api.example"], paths=', 1)
                    .replace('effect="write", ', ""))  # fmt: skip
    assert "changed" == (await entries(browser))["plugin", "count"]
    page = (await browser.get("/plugins/count")).text
    assert "It asks for more than was trusted before." in page
    assert re.search(r"<code>api.example</code>\s*<span class=\"state warn\">new", page)
    assert "Trust anew" in page


async def test_no_file_of_the_machine_is_read_for_a_page(
    service: Running, browser: Browser, tmp_path: Path
) -> None:
    lay(service, tmp_path / "place")
    await trust(browser, "count")
    secret = service.home / "clawdbot.yaml"
    wish = {"function": "size", "given": {"source": str(secret)}}
    assert 400 == (await browser.call("POST", "/plugins/count/run", wish)).status


async def test_a_skill_is_trusted_and_a_torn_plugin_told(
    service: Running, browser: Browser, tmp_path: Path
) -> None:
    lay(service, tmp_path / "place")
    assert "Put things away." in (await browser.get("/plugins/tidy?sort=skill")).text
    assert 204 == await trust(browser, "tidy", "skill")
    listed = await local(service, "Skills.listed")
    assert isinstance(listed, list)
    assert "trusted" == listed[0]["state"]
    assert 204 == (await browser.call("DELETE", "/additions/skill/tidy")).status
    assert "new" == (await entries(browser))["skill", "tidy"]
    page = await browser.get("/plugins/torn")
    assert 200 == page.status
    assert "It cannot be used." in page.text


async def test_the_area_alone_trusts_and_runs_nothing(
    service: Running, browser: Browser, tmp_path: Path
) -> None:
    lay(service, tmp_path / "place")
    add_user(service, "Clerk", role="clerk")
    role = msgspec.json.encode({"areas": ["plugins"]})
    write(service, "INSERT INTO roles VALUES ('clerk', ?, 1e9)", (role,))
    async with browsing(service) as clerk:
        await clerk.log_in("Clerk")
        assert "Only an owner may" in (await clerk.get("/plugins/count")).text
        assert 403 == await trust(clerk, "count")
        assert 403 == await trust(clerk, "tidy", "skill")
        await trust(browser, "count")
        assert 403 == (await clerk.call("DELETE", "/additions/plugin/count")).status
        wish = {"function": "count", "given": {"text": "a"}}
        assert 403 == (await clerk.call("POST", "/plugins/count/run", wish)).status
        id_ = await local(service, "Trust.allow", {"tool": "count"})
        assert 204 == (await clerk.call("DELETE", f"/standings/{id_}")).status
        assert [] == await local(service, "Trust.allowed")
    assert "trusted" == (await entries(browser))["plugin", "count"]
    assert [] == rows(service)


async def test_a_decision_is_on_record_as_whose_it_was(
    service: Running, browser: Browser, tmp_path: Path
) -> None:
    lay(service, tmp_path / "place")
    add_user(service, "Olga", role="owner")
    async with browsing(service) as olga:
        await olga.log_in("Olga")
        assert 204 == await trust(olga, "count")
        assert 204 == await trust(olga, "tidy", "skill")
        id_ = await local(service, "Trust.allow", {"tool": "count"})
        assert 204 == (await olga.call("DELETE", f"/standings/{id_}")).status
        assert 204 == (await olga.call("DELETE", "/additions/skill/tidy")).status
    with closing(sqlite3.connect(service.home / "data/clawdbot.db", timeout=5)) as db:
        told = db.execute(
            "SELECT a.decision, u.name FROM audit a JOIN users u ON u.id = a.user_id"
            " WHERE a.kind = 'admin' AND a.decision <> 'allow' ORDER BY a.place"
        ).fetchall()
        trusted = db.execute("SELECT name, trusted_by FROM plugins").fetchall()
    assert [
        *(("trust", "Olga"), ("trust", "Olga")),
        *(("grant", "Ann"), ("revoke", "Olga"), ("remove", "Olga")),
    ] == told
    assert [("count", "u-Olga")] == trusted


async def test_who_may_not_is_refused_and_what_is_not_there_is_missing(
    service: Running, browser: Browser
) -> None:
    for role in ("member", "guest"):
        add_user(service, role, role=role)
        async with browsing(service) as other:
            await other.log_in(role)
            for path in ("/plugins", "/plugins/count"):
                assert 403 == (await other.get(path)).status
            for path in ("/additions", "/additions/plugin/count", "/standings"):
                assert 403 == (await other.call("GET", path)).status
    for path in ("/plugins/none", "/plugins/none?sort=skill", "/plugins/time_now?sort=word"):
        lost = await browser.get(path)
        assert (404, True) == (lost.status, "<h1>There is nothing here</h1>" in lost.text)
    assert 404 == (await browser.call("GET", "/additions/server/none")).status
    assert 404 == (await browser.call("PUT", "/additions/plugin/none", {"hash": "x"})).status
    assert 404 == (await browser.call("DELETE", "/additions/skill/none")).status
    assert 404 == (await browser.call("DELETE", "/standings/none")).status


def rows(service: Running) -> list[tuple[str, str]]:
    """List the effects on record, as who had them."""
    with closing(sqlite3.connect(service.home / "data/clawdbot.db")) as db:
        return db.execute("SELECT what, rule FROM audit WHERE kind = 'effect'").fetchall()


async def test_rights_tell_of_a_trusted_plugin_that_nobody_opened_yet(
    service: Running, browser: Browser, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    async with running(tmp_path_factory.mktemp("o")) as other, browsing(other) as ann:
        await other.set_up()
        lay(other, tmp_path)
        await ann.log_in()
        assert 204 == await trust(ann, "count")
        with closing(sqlite3.connect(other.home / "data/clawdbot.db")) as db:
            [row] = db.execute("SELECT * FROM plugins").fetchall()
    write(service, f"INSERT INTO plugins VALUES ({', '.join('?' * len(row))})", row)
    rights = msgspec.json.decode((await browser.call("GET", "/roles/guest/rights")).text)
    found = {each["tool"]: each for each in rights}
    assert ("write", "deny") == (found["count"]["effect"], found["count"]["clean"]["answer"])
    wish = {"effects": ["read"], "allowed": ["count"]}
    assert 204 == (await browser.call("PUT", "/roles/clerk", wish)).status


async def test_people_read_of_every_built_in_tool_in_their_own_language(short_home: Path) -> None:
    core: JSON = {"web": {"http_hosts": ["a.test"]}, "search": {"url": "http://127.0.0.1:9"}}
    async with running(short_home, **core) as service, browsing(service) as browser:  # type: ignore[arg-type]
        await service.set_up(language="zh")
        await browser.log_in()
        listed = msgspec.json.decode((await browser.call("GET", "/additions")).text)
        words = {each["name"]: each["about"] for each in listed if each["sort"] == "tool"}
        assert {"http", "web_search", "plan", "shell"} <= words.keys()
        assert [] == [name for name, about in words.items() if told("zh", about) == about]
        assert "以文本形式读取网页" in (await browser.get("/plugins")).text
        assert "a.test: 向其发送" in (await browser.get("/plugins/http?sort=tool")).text
