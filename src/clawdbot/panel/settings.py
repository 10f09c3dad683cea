"""Every setting by section: what it is for, what it is, where that was written; and the secrets.

Sections are changed here by the settings' own rules, what has a name of the user's is shown. A
secret's text goes in and never comes out. What the service has at its start holds by a new one.
"""

from dataclasses import dataclass
from typing import get_origin

import msgspec

from clawdbot.domain.errors import BadInput
from clawdbot.domain.settings import Core
from clawdbot.gateway.custody import Custody, Keep
from clawdbot.gateway.route import Caller
from clawdbot.ops.lines import Redactor
from clawdbot.ops.values import texts
from clawdbot.panel.configured import (
    Configured,
    Given,
    Setting,
    changes,
    joined,
    secrets_of,
)

_MASK = "****"
_TOP = ""


class Shown(Setting, frozen=True, kw_only=True):
    """A setting with the place that it was written in, and what it is without."""

    origin: str
    default: str | float | bool | tuple[str, ...] | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as `clawdbot config show` shows it."""

    key: str
    value: str
    origin: str


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that belong together: those that can be changed here, or `rows` to be read."""

    name: str
    help: str = ""
    settings: tuple[Shown, ...] = ()
    rows: tuple[Row, ...] = ()


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section as a form sends it, the top without a name; untyped secrets stay as they are."""

    section: str = _TOP
    settings: Given = {}

    def __repr__(self) -> str:
        """Print no secret."""
        return f"Wish({self.section})"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings and secrets of one service."""

    configured: Configured
    custody: Custody

    async def listed(self) -> list[Section]:
        """List every setting in its section."""
        kinds, rows = _kinds(), self.rows()
        found = [
            Section(name=name, help=_help(kind) if name else "", settings=self._shown(name, kind))
            for name, kind in kinds.items()
        ]
        for name in (*(f.encode_name for f in msgspec.structs.fields(Core)), "channels"):
            within = tuple(row for row in rows if row.key.startswith(f"{name}."))
            if within and name not in kinds:
                found.append(Section(name=name, rows=within))
        return found

    async def change(self, caller: Caller, wish: Wish) -> None:
        """Set a section otherwise; starts the service anew.

        Raises SettingsInvalid for what may not be, or is written where it is not ours to change.
        """
        kind = _kinds().get(wish.section)
        if kind is None:
            raise BadInput("There is no such section. What has a name is changed on its own page.")
        before = self._settings(wish.section, kind)
        changed, _ = changes(before, wish.settings)
        if any(_MASK in str(value) for value in changed.values()):
            raise BadInput("What is masked by **** is not known here. Type it whole.")
        who = await self.custody.who(caller)
        await self.configured.change(who, wish.section, before, wish.settings)

    async def keep_secret(self, caller: Caller, wish: Keep) -> None:
        """Set a secret; starts the service anew where the settings name it."""
        await self.configured.hand(caller.who).keep_secret(wish)
        self._take(wish.name)

    async def rotate_secret(self, caller: Caller, wish: Keep) -> None:
        """Give a secret another text; starts the service anew where the settings name it."""
        if not wish.name:
            raise BadInput("Name a secret.")
        await self.configured.hand(caller.who).rotate_secret(wish)
        self._take(wish.name)

    async def forget_secret(self, caller: Caller, wish: Keep) -> None:
        """Forget a secret that no setting names."""
        if wish.name in self.configured.named():
            raise BadInput("A setting names this secret. Change the setting first.")
        await self.configured.hand(caller.who).forget_secret(wish)

    def rows(self) -> list[Row]:
        """Give every setting as `clawdbot config show` does, whatever is secret masked."""
        settled, redact = self.configured.settled, self.redactor()
        return [
            Row(key=key, value=redact(text), origin=settled.origins.get(key, "default"))
            for key, text in texts(settled.core, settled.channels).items()
        ]

    def redactor(self) -> Redactor:
        """Know every secret that the service runs with."""
        settled = self.configured.settled
        return Redactor(secrets_of(settled.core, settled.channels))

    def _shown(self, at: str, kind: type[msgspec.Struct]) -> tuple[Shown, ...]:
        usual = {each.key: each.value for each in self.configured.settings(kind, kind(), at)}
        origins = self.configured.settled.origins
        return tuple(
            Shown(
                **msgspec.structs.asdict(each),
                origin=origins.get(joined(at, each.key), "default"),
                default=usual[each.key],
            )
            for each in self._settings(at, kind)
        )

    def _settings(self, at: str, kind: type[msgspec.Struct]) -> tuple[Setting, ...]:
        """Give a section's settings; a password within an address is masked."""
        core, redact = self.configured.settled.core, self.redactor()
        section = getattr(core, at) if at else core
        return tuple(
            _redacted(each, redact)
            for each in self.configured.settings(kind, section, at)
            if at or "." not in each.key
        )

    def _take(self, name: str) -> None:
        """Have the service take a new text where it uses it."""
        if name in self.configured.named():
            self.configured.reload()


def _kinds() -> dict[str, type[msgspec.Struct]]:
    """Give the sections whose keys are ours, the top first."""
    kinds: dict[str, type[msgspec.Struct]] = {_TOP: Core}
    for field in msgspec.structs.fields(Core):
        kind = field.type
        if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
            continue
        if not any(get_origin(inner.type) is dict for inner in msgspec.structs.fields(kind)):
            kinds[field.encode_name] = kind
    return kinds


def _help(kind: type[msgspec.Struct]) -> str:
    """Tell what a section is for, as its struct does."""
    return " ".join((kind.__doc__ or "").split())


def _redacted(setting: Setting, redact: Redactor) -> Setting:
    match setting.value:
        case str(text):
            return msgspec.structs.replace(setting, value=redact(text))
        case tuple(several):
            return msgspec.structs.replace(setting, value=tuple(map(redact, several)))
    return setting
