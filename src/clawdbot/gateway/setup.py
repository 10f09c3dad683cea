"""Set-up, the same for the web page and the terminal: the owner, the model, Telegram.

All but the owner's name can be skipped. Keys are sealed, each for the address that it came with;
the rest goes to the settings that are ours, by the hand that `app` gives.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from zoneinfo import available_timezones

import msgspec

from clawdbot.domain.errors import BadInput, Denied
from clawdbot.domain.origin import place_of
from clawdbot.domain.people import Level, User
from clawdbot.domain.ports import Clock, Db, Tx
from clawdbot.domain.settings import Value
from clawdbot.domain.text import LANGUAGES, say
from clawdbot.gateway.custody import Custody, Keep
from clawdbot.gateway.logins import PASSWORD_MIN, Logins, setup_code, use_setup_code
from clawdbot.store import people
from clawdbot.store.secrets import PREFIX

_NAME_MOST = 64
_MODEL, _TELEGRAM = "model", "telegram"


class Answers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What set-up asks; empty is skipped. `key` and `telegram` are secrets, hidden in print."""

    name: str
    password: str = ""
    language: str = "en"
    timezone: str = "UTC"
    endpoint: str = ""
    key: str = ""
    model: str = ""
    telegram: str = ""

    def __repr__(self) -> str:
        """Print no secret."""
        return f"Answers(name={self.name!r}, language={self.language!r})"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a live check saw: a model's or bot's name, or what is wrong and how to mend it."""

    good: bool
    text: str


Save = Callable[[Mapping[str, Value], Collection[str]], Callable[[], None]]
Check = Callable[[Answers], Awaitable[Finding]]


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """What set-up cannot do itself: live checks, writing settings, starting anew with them.

    `prepare` checks settings, and names that `.env` is to forget, and returns who writes them;
    what is `held` already need not be written.
    """

    check_model: Check
    check_telegram: Check
    prepare: Save
    held: Mapping[str, str]
    telegram_url: str
    reload: Callable[[], None]


class Setup:
    """Makes the owner and the first settings."""

    def __init__(
        self, db: Db, clock: Clock, logins: Logins, custody: Custody, outside: Outside
    ) -> None:
        """Work on a store that may have no owner yet."""
        self._db = db
        self._clock = clock
        self._logins = logins
        self._custody = custody
        self.outside = outside

    async def needed(self) -> bool:
        """Tell whether nobody can log in as the owner yet."""
        return not await self._db.read(_owned)

    async def admits(self, code: str) -> bool:
        """Tell whether a set-up link is good, without using it up."""
        now = self._clock.now()
        return await self._db.read(lambda tx: not _owned(tx) and setup_code(tx, code, now))

    async def apply(self, answers: Answers, code: str | None) -> User:
        """Keep the answers; return the owner.

        `code` is a set-up link's, used up here; None comes through the Unix socket and is the owner
        already. Raises BadInput for an answer that cannot be, Denied for a link that is no good.
        """
        _check(answers)
        hashed = await self._logins.hash_password(answers.password) if answers.password else ""
        now, fresh = self._clock.now(), self._clock.ulid()
        if code is not None:
            # Before anything is written anywhere: whoever has no good link changes nothing.
            await self._db.write(lambda tx: _use(tx, code, now))
        values, forget = _settings(answers)
        held = self.outside.held
        save = self.outside.prepare(
            {k: v for k, v in values.items() if held.get(k, "") != v}, forget
        )
        owner = await self._db.write(lambda tx: _own(tx, answers, hashed, fresh, now))
        for secret in self._secrets(answers):
            await self._custody.keep_secret(secret)
        save()
        if answers.endpoint or answers.telegram:
            self.outside.reload()
        return owner

    def _secrets(self, answers: Answers) -> list[Keep]:
        given = (
            (_MODEL, answers.key, answers.endpoint),
            (_TELEGRAM, answers.telegram, self.outside.telegram_url),
        )
        return [Keep(name=n, text=text, origins=(where,)) for n, text, where in given if text]


def _settings(answers: Answers) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Give the settings to write, and the names that `.env` is to forget for them."""
    forget: tuple[str, ...] = ()
    values: dict[str, Value] = {"language": answers.language, "timezone": answers.timezone}
    if answers.endpoint:
        forget = ("MODEL_ENDPOINT_URL", "MODEL_PROVIDER_AUTH")
        values["providers.external.url"] = answers.endpoint
        values["providers.external.auth"] = PREFIX + _MODEL if answers.key else None
    if answers.model:
        values["model_routing.default.provider"] = "external"
        values["model_routing.default.model"] = answers.model
    if answers.telegram:
        values["channels.telegram.main.token"] = PREFIX + _TELEGRAM
    return values, forget


def _check(answers: Answers) -> None:
    language = answers.language if answers.language in LANGUAGES else "en"
    name = answers.name.strip()
    if not 0 < len(name) <= _NAME_MOST or not name.isprintable():
        raise BadInput(say(language, "A name has 1 to {most} letters.", most=_NAME_MOST))
    if answers.password and len(answers.password) < PASSWORD_MIN:
        message = "A password has at least {least} characters."
        raise BadInput(say(language, message, least=PASSWORD_MIN))
    if answers.language not in LANGUAGES:
        raise BadInput("There is no such language.")
    if answers.timezone not in available_timezones():
        raise BadInput(say(language, "There is no time zone {name}.", name=answers.timezone))
    if answers.endpoint and not place_of(answers.endpoint):
        raise BadInput(say(language, "An endpoint's address begins with https:// or http://."))
    if answers.key and not answers.endpoint:
        raise BadInput(say(language, "A model key needs its endpoint's address."))


def _use(tx: Tx, code: str, now: float) -> None:
    if _owned(tx) or not use_setup_code(tx, code, now):
        raise Denied("This set-up link was used or is too old. Restart for a new one.")


def _owned(tx: Tx) -> bool:
    """Tell whether an owner has a password; one who only ever sat at the terminal has none."""
    return any(people.password(tx, owner.id) for owner in people.owners(tx))


def _own(tx: Tx, answers: Answers, hashed: str, fresh: str, now: float) -> User:
    """Make the owner, or change the profile of the one there is."""
    earlier = people.owners(tx)
    user = User(
        id=earlier[0].id if earlier else fresh,
        name=answers.name.strip(),
        role=Level.OWNER,
        language=answers.language,
        timezone=answers.timezone,
    )
    if earlier:
        people.set_profile(tx, user)
    else:
        people.add(tx, user, now)
    if hashed:
        people.set_password(tx, user.id, hashed)
    return user
