"""`clawdbot.cli.host`: name, time zone and desktop of the person at this machine."""

import os
import pwd
import sys
from zoneinfo import available_timezones

import pytest

from clawdbot.cli.host import has_desktop, is_zone, time_zone, user_name

SCREEN = {"DISPLAY": ":0"}


def test_the_name_is_the_log_in_name() -> None:
    assert pwd.getpwuid(os.getuid()).pw_name == user_name()


def test_the_time_zone_is_the_environments_then_the_machines() -> None:
    assert "Asia/Shanghai" == time_zone({"TZ": "Asia/Shanghai"})
    assert "Asia/Shanghai" == time_zone({"TZ": ":Asia/Shanghai"})
    machine = time_zone({})
    assert machine in available_timezones()
    assert machine == time_zone({"TZ": "EST5EDT,M3.2.0,M11.1.0"}) == time_zone({"TZ": "/etc/x"})


@pytest.mark.parametrize(
    ("name", "known"), [("Europe/Berlin", True), ("Nowhere", False), ("", False), ("../x", False)]
)
def test_a_time_zone_is_known_or_not(name: str, known: bool) -> None:
    assert known == is_zone(name)


@pytest.mark.skipif(sys.platform == "darwin", reason="every Mac has a screen")
@pytest.mark.parametrize(
    ("environ", "user", "shown"),
    [
        (SCREEN, 1000, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, 1000, True),
        ({}, 1000, False),
        (SCREEN, 0, False),
        (SCREEN | {"SSH_CONNECTION": "::1 1 ::1 22"}, 1000, False),
        (SCREEN | {"SSH_TTY": "/dev/pts/0"}, 1000, False),
        (SCREEN | {"CI": "true"}, 1000, False),
    ],
)
def test_a_browser_opens_only_before_somebody(
    environ: dict[str, str], user: int, shown: bool
) -> None:
    assert shown == has_desktop(environ, user)
