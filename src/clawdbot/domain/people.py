"""Who is who: a user across platforms, and the levels of trust in order."""

from enum import StrEnum

from msgspec import Struct

_NAME_MOST = 64


class Area(StrEnum):
    """A part of the control panel, and of the API behind it, that a role opens or not."""

    OVERVIEW = "overview"
    CHANNELS = "channels"
    PEOPLE = "people"
    MODELS = "models"
    PLUGINS = "plugins"
    AUDIT = "audit"
    LOGS = "logs"
    SETTINGS = "settings"


class Level(StrEnum):
    """A role, from most to least trusted."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class User(Struct, frozen=True):
    """One person, however many platforms they write from."""

    id: str
    name: str
    role: str
    language: str
    timezone: str
    disabled_at: float | None = None

    @property
    def runs_the_place(self) -> bool:
        """Tell whether the user is an owner or an admin."""
        return self.role in {Level.OWNER, Level.ADMIN}


def shown(name: str, most: int = _NAME_MOST) -> str:
    """Make a name that a platform gave fit to be shown: one short line, nothing invisible in it."""
    visible = "".join(letter for letter in name if letter.isprintable() or letter.isspace())
    return " ".join(visible.split())[:most]
