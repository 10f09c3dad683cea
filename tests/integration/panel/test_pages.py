"""`clawdbot.panel.pages` and `clawdbot.panel.parts`: moments as people tell them, the routes."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from clawdbot.gateway.route import Permission
from clawdbot.panel.pages import when
from clawdbot.panel.routes import Panel, routes

BERLIN = ZoneInfo("Europe/Berlin")
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
