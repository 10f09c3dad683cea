"""`clawdbot.panel.pages` and `clawdbot.panel.parts`: moments as people tell them, the routes.

A page is compiled once.
"""

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clawdbot.gateway.route import Permission
from clawdbot.panel.pages import when
from clawdbot.panel.routes import Panel, routes

BERLIN = ZoneInfo("Europe/Berlin")
DONT_WRITE = "PYTHONDONTWRITEBYTECODE"
COMPILED = """
import sys
from aiohttp.test_utils import make_mocked_request
from clawdbot.gateway.route import Caller
from clawdbot.panel.pages import fault

def seen(event, args):
    if event == "compile" and str(args[1]).endswith(".html"):
        print(args[1])

sys.addaudithook(seen)
page = fault(make_mocked_request("GET", "/"), Caller(), 404, "Nobody is here")
assert "Nobody is here" in page.text
"""
NOW = datetime(2026, 11, 22, 0, 30, tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("then", "english", "chinese"),
    [
        (datetime(2026, 11, 22, 0, 5, tzinfo=BERLIN), "00:05", "00:05"),
        (datetime(2026, 11, 22, 0, 31, tzinfo=BERLIN), "00:31", "00:31"),
        (datetime(2026, 11, 21, 23, 59, tzinfo=BERLIN), "Yesterday", "昨天"),
        (datetime(2026, 3, 9, 12, 0, tzinfo=BERLIN), "Mar 9", "3月9日"),
        (datetime(2025, 12, 31, 12, 0, tzinfo=BERLIN), "Dec 31, 2025", "2025年12月31日"),
    ],
)
def test_a_moment_is_told_briefly(then: datetime, english: str, chinese: str) -> None:
    assert english == when(then.timestamp(), NOW, BERLIN, "en")
    assert chinese == when(then.timestamp(), NOW, BERLIN, "zh")


def test_an_older_moment_has_its_hour_too_where_it_matters() -> None:
    then = datetime(2026, 3, 9, 12, 5, tzinfo=BERLIN).timestamp()
    assert "Mar 9 12:05" == when(then, NOW, BERLIN, "en", exact=True)


def test_every_route_names_its_permission_and_changes_are_posts() -> None:
    parts = dict.fromkeys(Panel.__struct_fields__)
    table = routes(Panel(**parts))  # type: ignore[arg-type]  # none is asked
    public = {(r.method, r.path) for r in table if r.permission is Permission.PUBLIC}
    assert {
        ("GET", "/"),
        ("GET", "/setup"),
        ("POST", "/setup"),
        ("POST", "/setup/check"),
        ("GET", "/join"),
        ("POST", "/join"),
        ("GET", "/login"),
        ("POST", "/login"),
        ("GET", "/static/{version}/{name}"),
        ("GET", "/{rest:.*}"),
    } == public
    assert {Permission.USER} == {r.permission for r in table} - {Permission.PUBLIC}


def test_a_page_is_compiled_once_an_installation_and_shown_where_nothing_can_be_kept(
    tmp_path: Path,
) -> None:
    def compiled(kept: Path) -> list[str]:
        environ = {name: text for name, text in os.environ.items() if name != DONT_WRITE}
        environ["PYTHONPYCACHEPREFIX"] = str(kept)
        command = (sys.executable, "-c", COMPILED)
        return subprocess.check_output(command, env=environ, text=True).split()

    assert compiled(tmp_path)
    assert [] == compiled(tmp_path)
    for page in tmp_path.rglob("*.page"):
        assert 0o600 == page.stat().st_mode & 0o777
        page.write_bytes(page.read_bytes()[:-9])
    assert compiled(tmp_path)
    assert [] == compiled(tmp_path)
    (tmp_path / "file").touch()
    assert compiled(tmp_path / "file")
