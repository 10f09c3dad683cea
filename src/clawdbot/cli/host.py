"""What this machine knows of the person at it: their name, their time zone, their desktop."""

import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from clawdbot.cli.output import Terminal

_ZONE_FILE = Path("/etc/timezone")
_ZONE_LINK = Path("/etc/localtime")


def person(terminal: Terminal) -> dict[str, str]:
    """Describe the person at this terminal: name, language, time zone."""
    zone = time_zone(terminal.environ)
    return {"name": user_name(), "language": terminal.language, "timezone": zone}


def user_name() -> str:
    """Tell the name that the person logs in with."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have a number only
        return "owner"


def time_zone(environ: Mapping[str, str]) -> str:
    """Tell the time zone's name; UTC where the machine does not say."""
    return next(filter(is_zone, _zones(environ)), "UTC")


def is_zone(name: str) -> bool:
    """Tell whether there is such a time zone."""
    try:
        return ZoneInfo(name).key == name
    except (KeyError, OSError, ValueError):
        return False


def has_desktop(environ: Mapping[str, str], user: int) -> bool:
    """Tell whether a browser may be opened: before a screen, not as root, over SSH or in CI."""
    if user == 0 or any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "CI")):
        return False
    shown = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return sys.platform == "darwin" or bool(shown)


def _zones(environ: Mapping[str, str]) -> list[str]:
    link = str(_ZONE_LINK.readlink()) if _ZONE_LINK.is_symlink() else ""
    written = _ZONE_FILE.read_text(errors="replace") if _ZONE_FILE.is_file() else ""
    return [environ.get("TZ", "").lstrip(":"), written.strip(), link.partition("/zoneinfo/")[2]]
