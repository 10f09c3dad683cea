"""Every setting by section: what it is for, what it is, where that was written; and the secrets.

Sections and the entries of tables are changed here by the settings' own rules. A secret's text goes
in and never comes out. What the service has at its start holds by a new one.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import get_args, get_origin

import msgspec

from clawdbot.domain.errors import BadInput, Missing
from clawdbot.domain.settings import Core, Value
from clawdbot.gateway.custody import Custody, Keep
from clawdbot.gateway.route import Caller
from clawdbot.ops.lines import Redactor
from clawdbot.ops.values import texts
from clawdbot.panel.configured import (
    Configured,
    Given,
    Setting,
    changes,
    checked,
    joined,
    secrets_of,
)

_MASK = "****"
_TOP = ""
_ELSEWHERE = frozenset({"providers", "model_routing"})


class Shown(Setting, frozen=True, kw_only=True):
    """A setting with the place that it was written in, and what it is without."""

    origin: str
    default: str | float | bool | tuple[str, ...] | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as `clawdbot config show` shows it."""

    key: str
    value: str
    origin: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What has a name of the user's; `fixed` names a file of the user's that has part of it."""

    name: str
    settings: tuple[Shown, ...]
    fixed: str = ""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that belong together: those that can be changed here, or `rows` to be read.

    A table has `entries` instead, and `blank` for a new one.
    """

    name: str
    help: str = ""
    settings: tuple[Shown, ...] = ()
    rows: tuple[Row, ...] = ()
    entries: tuple[Entry, ...] = ()
    blank: tuple[Shown, ...] = ()


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section as a form sends it, the top without a name; untyped secrets stay as they are.

    `name` is that of an entry, where the section is a table.
    """

    section: str = _TOP
    name: str = ""
    settings: Given = {}

    def __repr__(self) -> str:
        """Print no secret."""
        return f"Wish({self.section} {self.name})"


class Settings(msgspec.Struct, frozen=True):
    """The settings and secrets of one service."""

    configured: Configured
    custody: Custody

    async def listed(self) -> list[Section]:
        """List every setting in its section."""
        kinds, tables, rows = _kinds(), _tables(), self.rows()
        found = [
            Section(
                name=name,
                help=_help(kind) if name else "",
                settings=self._shown(name, kind, self._at(name)),
            )
            for name, kind in kinds.items()
        ]
        for name, kind in tables.items():
            entries = tuple(
                Entry(
                    name=each,
                    settings=self._shown(f"{name}.{each}", kind, of),
                    fixed=self.configured.fixed(f"{name}.{each}"),
                )
                for each, of in self._entries(name).items()
            )
            blank = self._shown(f"{name}.", kind, None)
            found.append(Section(name=name, help=_help(kind), entries=entries, blank=blank))
        for name in (*(f.encode_name for f in msgspec.structs.fields(Core)), "channels"):
            within = tuple(row for row in rows if row.key.startswith(f"{name}."))
            if within and not any(f"{known}.".startswith(f"{name}.") for known in kinds | tables):
                found.append(Section(name=name, rows=within))
        return found

    async def change(self, caller: Caller, wish: Wish) -> None:
        """Set a section otherwise; starts the service anew.

        Raises SettingsInvalid for what may not be, or is written where it is not ours to change.
        """
        kinds = _tables() if wish.name else _kinds()
        if wish.section not in kinds:
            raise BadInput("There is no such section. What has a name is changed on its own page.")
        if wish.name and wish.name not in self._entries(wish.section):
            raise Missing("There is nothing of this name.")
        await self._write(caller, wish, kinds[wish.section])

    async def add(self, caller: Caller, wish: Wish) -> None:
        """Make an entry of a table; starts the service anew."""
        kind = _tables().get(wish.section)
        if kind is None:
            raise BadInput("There is no such section. What has a name is changed on its own page.")
        if checked(wish.name) in self._entries(wish.section):
            raise BadInput("There is something of this name already.")
        await self._write(caller, wish, kind)

    async def remove(self, caller: Caller, section: str, name: str) -> None:
        """Take an entry of a table away; starts the service anew."""
        if section not in _tables() or name not in self._entries(section):
            raise Missing("There is nothing of this name.")
        await self.configured.remove(await self.custody.who(caller), f"{section}.{name}")

    async def _write(self, caller: Caller, wish: Wish, kind: type[msgspec.Struct]) -> None:
        at = joined(wish.section, wish.name) if wish.name else wish.section
        of = self._at(wish.section) if not wish.name else self._entries(wish.section).get(wish.name)
        before = self._settings(at, kind, of)
        changed, _ = changes(before, wish.settings)
        if any(_MASK in str(value) for value in changed.values()):
            raise BadInput("What is masked by **** is not known here. Type it whole.")
        # Of a new entry something is written, so that what it lacks is found.
        new: dict[str, Value] = {} if of else {joined(at, before[0].key): None}
        who = await self.custody.who(caller)
        await self.configured.change(who, at, before, wish.settings, new)

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

    def _shown(
        self, at: str, kind: type[msgspec.Struct], of: msgspec.Struct | None
    ) -> tuple[Shown, ...]:
        usual = {each.key: each.value for each in self.configured.settings(kind, None, at)}
        origins = self.configured.settled.origins
        return tuple(
            Shown(
                **msgspec.structs.asdict(each),
                origin=origins.get(joined(at, each.key), "default"),
                default=usual[each.key],
            )
            for each in self._settings(at, kind, of)
        )

    def _settings(
        self, at: str, kind: type[msgspec.Struct], of: msgspec.Struct | None
    ) -> tuple[Setting, ...]:
        """Give a section's settings; a password within an address is masked."""
        redact = self.redactor()
        return tuple(
            _redacted(each, redact)
            for each in self.configured.settings(kind, of, at)
            if at or "." not in each.key
        )

    def _at(self, section: str) -> msgspec.Struct:
        core = self.configured.settled.core
        return attrgetter(section)(core) if section else core

    def _entries(self, table: str) -> Mapping[str, msgspec.Struct]:
        found: Mapping[str, msgspec.Struct] = attrgetter(table)(self.configured.settled.core)
        return found

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


def _tables() -> dict[str, type[msgspec.Struct]]:
    """Give the tables that have no page of their own, by the struct of their entries."""
    return dict(_named(Core, ""))


def _named(kind: type[msgspec.Struct], above: str) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    for field in msgspec.structs.fields(kind):
        key, inner = joined(above, field.encode_name), field.type
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from _named(inner, key)
        elif get_origin(inner) is dict and key not in _ELSEWHERE:
            of = get_args(inner)[1]
            if isinstance(of, type) and issubclass(of, msgspec.Struct):
                yield key, of


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
