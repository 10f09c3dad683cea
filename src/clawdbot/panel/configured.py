"""Sections of the settings as forms show them, and the hand that changes what is ours to change.

A secret never comes out; typed anew it is sealed for its section's own address, and forgotten with
the last that names it. What a file of the user's or the environment fixes stays there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, inspect

from clawdbot.domain.errors import BadInput
from clawdbot.domain.origin import place_of
from clawdbot.domain.people import User
from clawdbot.domain.ports import Channel
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Core, Provider, Seconds, Value
from clawdbot.gateway.custody import Custody, Keep
from clawdbot.gateway.setup import Save
from clawdbot.models.request import Provider as Codec
from clawdbot.store.secrets import PREFIX
from clawdbot.tools.plugins import declared

_ADDRESSES = ("url", "base_url")
_OURS = ("settings.yaml", "default")
_UNITS = (("d", 86400), ("h", 3600), ("m", 60))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_NAME_MOST = 64

# A form is for values; the environment and other secrets are not the asker's to read.
_REFERENCE = re.compile(r"\$\{|^env:|^secret://")

Given = dict[str, object]
Channels = Mapping[str, Mapping[str, msgspec.Struct]]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a section; `fixed` names where it is fixed, a secret tells only that it is set.

    `secrets` are several by names of the user's: their value are the names of those that are set.
    """

    key: str
    kind: str
    value: str | float | bool | tuple[str, ...] | None
    options: tuple[str, ...] = ()
    fixed: str = ""
    help: str = ""


class Imagined(Protocol):
    """Settings that are not written yet."""

    @property
    def core(self) -> Core:
        """Give all that is no adapter's own."""

    @property
    def channels(self) -> Channels:
        """Give the channel accounts by kind and name."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The settings as they hold, where each was written, and the hands that `app` lends.

    `prepare` checks dotted keys and returns who writes them, `imagine` gives all settings as if
    they were written, `written` as they are, sealed secrets only named; `channel` and `codec` make
    adapters to try.
    """

    core: Core
    channels: Channels
    sections: Mapping[str, type[msgspec.Struct]]
    origins: Mapping[str, str]
    prepare: Save
    imagine: Callable[[Mapping[str, Value]], Imagined]
    written: Callable[[], Imagined]
    channel: Callable[[str, msgspec.Struct], Channel]
    codec: Callable[[Provider], Codec]


class Configured(msgspec.Struct, frozen=True):
    """Shows sections of the settings, writes others, and starts anew with them."""

    settled: Settled
    custody: Custody
    reload: Callable[[], None]

    def settings(
        self, kind: type[msgspec.Struct], section: msgspec.Struct | None, at: str
    ) -> tuple[Setting, ...]:
        """Show every key of a section at a place, or of one that is to be made."""
        return tuple(self._shown(kind, section, at, ""))

    def fixed(self, at: str) -> str:
        """Name the place outside our own file where something of a section is written, if any."""
        below = (o for key, o in self.settled.origins.items() if f"{key}.".startswith(f"{at}."))
        return next((origin for origin in below if not origin.startswith(_OURS)), "")

    def named(self) -> set[str]:
        """Name the sealed secrets that the settings name, as they are written now."""
        now = self.settled.written()
        return {
            each.reveal().removeprefix(PREFIX)
            for each in secrets_of(now.core, now.channels)
            if each.reveal().startswith(PREFIX)
        }

    def hand(self, who: User) -> Custody:
        """Do something with secrets in the name of whoever asks."""
        of = self.custody
        return Custody(db=of.db, clock=of.clock, vault=of.vault, audit=of.audit, by=who.id)

    async def change(
        self,
        who: User,
        at: str,
        before: tuple[Setting, ...],
        given: Given,
        new: Mapping[str, Value] | None = None,
    ) -> None:
        """Write what differs from before, or else `new`, and start anew with it.

        Raises SettingsInvalid for what may not be, BadInput for a key that would go elsewhere.
        """
        changed, secrets = changes(before, given)
        keeps = [self._keep(at, before, changed, key, text) for key, text in secrets.items()]
        values: dict[str, Value] = {joined(at, key): value for key, value in changed.items()}
        # A part of which nothing is told any more is told itself no more: a price.
        for part in {key.rpartition(".")[0] for key, value in changed.items() if value is None}:
            inside = [each for each in before if each.key.startswith(f"{part}.")]
            now = [_value(changed.get(each.key, each.value)) for each in inside]
            if now and all(value is None for value in now):
                values[joined(at, part)] = None
        for key, keep in zip(secrets, keeps, strict=True):
            values[joined(at, key)] = PREFIX + keep.name
        await self._write(who, "settings.change", at, {**(new or {}), **values}, keeps)

    async def remove(self, who: User, at: str) -> None:
        """Take a whole section away; raises BadInput where part of it is not ours."""
        if place := self.fixed(at):
            raise BadInput(f"{place}: This is fixed in a file of yours. Change it there.")
        await self._write(who, "settings.remove", at, {at: None}, [])

    async def write(self, who: User, at: str, values: Mapping[str, Value]) -> None:
        """Write some dotted keys as they are, and start anew with them."""
        await self._write(who, "settings.change", at, values, [])

    async def _write(
        self, who: User, what: str, at: str, values: Mapping[str, Value], keeps: list[Keep]
    ) -> None:
        if not values:
            return
        save, hand, named = self.settled.prepare(values, ()), self.hand(who), self.named()
        for keep in keeps:
            await hand.keep_secret(keep)
        await self.custody.note(what, at or "settings", who.id)
        save()
        # Last: the settings never name what is not there.
        for name in await self._left(named - self.named()):
            await hand.forget_secret(Keep(name=name))
        self.reload()

    async def _left(self, names: set[str]) -> set[str]:
        """Find the sealed secrets, of some, that no trusted plugin uses either."""
        used = {name for m in await self.custody.db.read(declared) for name in m.secrets}
        return names & {each.name for each in await self.custody.secrets()} - used

    def _keep(
        self,
        at: str,
        before: tuple[Setting, ...],
        changed: Mapping[str, Value],
        key: str,
        text: str,
    ) -> Keep:
        where = address(before, changed)
        name = f"{at}.{key}".replace(".", "-")[-_NAME_MOST:].lstrip("-")
        return Keep(name=name, text=text, origins=(where,) if where else ())

    def _shown(
        self, kind: type[msgspec.Struct], section: msgspec.Struct | None, at: str, prefix: str
    ) -> Iterator[Setting]:
        from clawdbot.panel.help import help_of  # noqa: PLC0415 - with the first page of settings

        for field in msgspec.structs.fields(kind):
            key = prefix + field.encode_name
            value = _default(field) if section is None else getattr(section, field.name)
            if inner := _section(field.type):
                of = value if isinstance(value, msgspec.Struct) else None
                for each in self._shown(inner, of, at, f"{key}."):
                    # What nobody told is no number, not even 0: a price.
                    untold = of is None and each.kind == "number"
                    yield msgspec.structs.replace(each, value=None) if untold else each
                continue
            (written, options), whole = _kind(field.type), joined(at, key)
            below = self.fixed(whole) if written == "secrets" else ""
            origin = below or self.settled.origins.get(whole, "default")
            yield Setting(
                key=key,
                kind=written,
                value=_plain(value, written),
                options=options,
                fixed="" if origin.startswith(_OURS) else origin,
                help=help_of(whole),
            )


def changes(before: tuple[Setting, ...], given: Given) -> tuple[dict[str, Value], dict[str, str]]:
    """Tell what differs, and the secrets that were typed; raises BadInput.

    A secret that is kept goes to no other address than before.
    """
    flat, known = dict(_flat(given)), {each.key: each for each in before}
    named = {key for key in flat if key not in known and _of_secrets(known, key)}
    if strange := flat.keys() - known.keys() - named:
        raise BadInput(f"{min(strange)}: There is no such setting.")
    for key, value in flat.items():
        texts = value if isinstance(value, list) else [value]
        if any(_REFERENCE.search(str(text)) for text in texts):
            raise BadInput(f"{key}: What names the environment belongs into clawdbot.yaml.")
    secrets = {
        key: str(value)
        for key, value in flat.items()
        if value and (key in named or known[key].kind == "secret")
    }
    changed = {
        key: value
        for key, each in known.items()
        if key in flat and each.kind not in {"secret", "secrets"}
        if (value := _value(flat[key])) != (_value(each.value))
    }
    dropped: dict[str, Value] = {key: None for key in named if flat[key] is None}
    now, then = address(before, changed), address(before, {})
    moved = now != then and (not place_of(now) or place_of(now) != place_of(then))
    if moved and set(_kept(before)) - secrets.keys() - dropped.keys():
        raise BadInput("A key is sent to no other address than it was given for. Type it anew.")
    return changed | dropped, secrets


def checked(name: str) -> str:
    """Give a name that a section may have; raises BadInput."""
    if not _NAME.fullmatch(name):
        raise BadInput("A name has at most 32 letters, digits, - and _.")
    return name


def secrets_of(core: Core, channels: Channels) -> list[Secret]:
    """Find every secret of the settings."""
    found: list[Secret] = []

    def look(value: object) -> str:
        if not isinstance(value, Secret):
            raise TypeError(value)
        found.append(value)
        return ""

    msgspec.to_builtins((core, channels), enc_hook=look)
    return found


def joined(at: str, key: str) -> str:
    """Give the dotted key of what stands at a place, or at the top."""
    return f"{at}.{key}" if at else key


def address(settings: tuple[Setting, ...], changed: Mapping[str, Value]) -> str:
    """Find where a section's secrets go."""
    found = [str(changed.get(s.key, s.value) or "") for s in settings if s.key in _ADDRESSES]
    return next(iter(found), "")


def spelled(seconds: float) -> str:
    """Write a time as the settings do: `4h`."""
    for unit, size in _UNITS:
        if seconds >= size and not seconds % size:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:g}s"


def _flat(given: Given, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in given.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _of_secrets(known: Mapping[str, Setting], key: str) -> bool:
    """Tell whether a key is a name below secrets that have names."""
    above = known.get(key.rpartition(".")[0])
    return above is not None and above.kind == "secrets"


def _kept(before: tuple[Setting, ...]) -> Iterator[str]:
    """List the keys of the secrets that are set."""
    for each in before:
        if each.kind == "secrets" and isinstance(each.value, tuple):
            yield from (f"{each.key}.{name}" for name in each.value)
        elif each.kind == "secret" and each.value:
            yield each.key


def _value(value: object) -> Value:
    """Give what a form sent as it is written; nothing takes the key away."""
    match value:
        case bool() | float() | int():
            return value
        case list() | tuple():
            return [str(each) for each in value] or None
        case _:
            return str(value) if value else None


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return None if field.default is NODEFAULT else field.default


def _section(kind: object) -> type[msgspec.Struct] | None:
    """Find the section that a field holds, also where it may be absent."""
    for each in (kind, *get_args(kind)):
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            return each
    return None


def _kind(kind: object) -> tuple[str, tuple[str, ...]]:
    if kind is Secret or kind == Seconds:
        return ("secret" if kind is Secret else "time"), ()
    if get_origin(kind) is dict and get_args(kind)[1] is Secret:
        return "secrets", ()
    match inspect.type_info(kind):
        case inspect.BoolType():
            return "switch", ()
        case inspect.IntType() | inspect.FloatType():
            return "number", ()
        case inspect.EnumType(cls=cls):
            return "choice", tuple(str(member.value) for member in cls)
        case inspect.LiteralType(values=values):
            return "choice", tuple(map(str, values))
        case inspect.VarTupleType():
            return "list", ()
    return "text", ()


def _plain(value: object, kind: str) -> str | float | bool | tuple[str, ...] | None:
    match value:
        case Secret():
            return bool(value)
        case bool() | int() | float():
            return spelled(value) if kind == "time" else value
        case tuple() | dict():
            return tuple(map(str, value))
        case None:
            return None
    return str(value)
