"""Log-ins: passwords, lock-out, sessions, the set-up link; and set-up itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path

import pytest

from clawdbot.config.clock import SystemClock
from clawdbot.config.key import MasterKey
from clawdbot.domain.errors import BadInput, Denied, SettingsInvalid
from clawdbot.domain.people import User
from clawdbot.domain.ports import Tx
from clawdbot.domain.secret import Secret
from clawdbot.domain.settings import Store, Value
from clawdbot.gateway.custody import Custody
from clawdbot.gateway.logins import Logins, TooManyTries
from clawdbot.gateway.setup import Answers, Finding, Outside, Setup
from clawdbot.store import audit, people, secrets, sqlite
from clawdbot.store import logins as login_rows
from clawdbot.store.audit import Audit
from clawdbot.store.sqlite import SqliteDb
from clawdbot.store.vault import Vault
from tests.passwords import quick_hash

PASSWORD = "correct horse"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDb]:
    async with sqlite.opened(tmp_path / "db", Store()) as opened:
        yield opened


@pytest.fixture
async def logins(db: SqliteDb) -> Logins:
    logins = Logins(db, SystemClock(), slow=quick_hash)
    hashed = await logins.hash_password(PASSWORD)
    ann = User("u1", "Ann", "owner", "en", "UTC")
    await db.write(lambda tx: people.add(tx, ann, 1.0, hashed))
    return logins


async def test_the_right_password_begins_a_session(logins: Logins) -> None:
    token = await logins.enter("Ann", PASSWORD, "peer")
    login = await logins.find(token)
    assert login is not None
    assert "Ann" == login.user.name
    assert await logins.enter("Ann", PASSWORD, "peer") != token


@pytest.mark.parametrize(("name", "password"), [("Ann", "wrong"), ("Bob", PASSWORD), ("", "")])
async def test_a_wrong_name_and_a_wrong_password_say_the_same(
    logins: Logins, name: str, password: str
) -> None:
    with pytest.raises(Denied) as denied:
        await logins.enter(name, password, "peer")
    assert "The name or the password is wrong." == str(denied.value)


async def test_a_user_without_a_password_cannot_enter(logins: Logins, db: SqliteDb) -> None:
    await db.write(lambda tx: people.add(tx, User("u2", "Bob", "member", "en", "UTC"), 1.0))
    with pytest.raises(Denied):
        await logins.enter("Bob", "", "peer")


async def test_failures_lock_the_name_and_the_peer_for_a_while(logins: Logins) -> None:
    for _ in range(5):
        with pytest.raises(Denied):
            await logins.enter("Ann", "wrong", "peer")
    with pytest.raises(TooManyTries):
        await logins.enter("Ann", PASSWORD, "elsewhere")
    with pytest.raises(TooManyTries):
        await logins.enter("Bob", PASSWORD, "peer")


async def test_tries_side_by_side_are_no_way_around_the_count(logins: Logins) -> None:
    tries = [logins.enter("Ann", "wrong", f"peer {number}") for number in range(20)]
    found = await asyncio.gather(*tries, logins.enter("Ann", PASSWORD, "a"), return_exceptions=True)
    assert 5 == sum(type(each) is Denied for each in found)
    assert 16 == sum(isinstance(each, TooManyTries) for each in found)


async def test_made_up_names_lock_like_real_ones_and_are_not_kept(
    logins: Logins, tmp_path: Path
) -> None:
    for _ in range(5):
        with pytest.raises(Denied):
            await logins.enter("hunter2 my password", "", "peer")
    with pytest.raises(TooManyTries):
        await logins.enter("hunter2 my password", "", "elsewhere")
    await logins.enter("Ann", PASSWORD, "home")
    assert 2 == len(await logins.locked())
    assert b"hunter2" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


async def test_an_ended_session_is_gone(logins: Logins) -> None:
    token = await logins.enter("Ann", PASSWORD, "peer")
    login = await logins.find(token)
    assert login is not None
    await logins.end(login.hash)
    assert await logins.find(token) is None


async def test_the_store_never_holds_the_token(
    logins: Logins, db: SqliteDb, tmp_path: Path
) -> None:
    token = await logins.enter("Ann", PASSWORD, "peer")
    code = await logins.setup_code()
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (token, code, PASSWORD):
        assert secret.encode() not in files


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000])
async def test_a_made_up_token_is_nobody(logins: Logins, token: str) -> None:
    assert await logins.find(token) is None


async def test_a_setup_code_is_no_login(logins: Logins) -> None:
    assert await logins.find(await logins.setup_code()) is None


class World:
    """What set-up reaches, written down."""

    def __init__(self) -> None:
        self.saved: list[tuple[dict[str, Value], tuple[str, ...]]] = []
        self.fixed = False
        self.reloads = 0

    def outside(self) -> Outside:
        async def check(_: Answers) -> Finding:
            return Finding(good=True, text="")

        def prepare(values: Mapping[str, Value], forget: Collection[str]) -> Callable[[], None]:
            if self.fixed:
                raise SettingsInvalid
            return lambda: self.saved.append((dict(values), tuple(forget)))

        def reload() -> None:
            self.reloads += 1

        return Outside(
            check_model=check,
            check_telegram=check,
            prepare=prepare,
            held={},
            telegram_url="https://bots.test",
            reload=reload,
        )


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(MasterKey(tmp_path, {}))


@pytest.fixture
def setup(db: SqliteDb, world: World, vault: Vault) -> Setup:
    clock = SystemClock()
    custody = Custody(db=db, clock=clock, vault=vault, audit=Audit(vault, "local:1"))
    return Setup(db, clock, Logins(db, clock), custody, world.outside())


async def test_a_link_makes_one_owner_once(db: SqliteDb, setup: Setup, world: World) -> None:
    code = await Logins(db, SystemClock()).setup_code()
    assert await setup.needed()
    answers = Answers(name="Ann", password=PASSWORD, language="zh", timezone="Asia/Shanghai")
    owner = await setup.apply(answers, code)
    assert ("owner", "zh") == (owner.role, owner.language)
    assert not await setup.needed()
    assert 0 == world.reloads
    with pytest.raises(Denied):
        await setup.apply(answers, code)


async def test_two_users_of_one_link_make_one_owner(db: SqliteDb, setup: Setup) -> None:
    code = await Logins(db, SystemClock()).setup_code()
    tries = [setup.apply(Answers(name=name), code) for name in ("Ann", "Bob", "Eve")]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert 1 == sum(isinstance(result, User) for result in results)
    assert 1 == len(await db.read(people.owners))


@pytest.mark.parametrize("code", ["", "made-up"])
async def test_a_bad_link_changes_nothing(
    db: SqliteDb, setup: Setup, world: World, code: str
) -> None:
    with pytest.raises(Denied):
        await setup.apply(Answers(name="Eve", endpoint="http://evil", key="k"), code)
    assert [] == world.saved
    assert await setup.needed()


async def test_a_new_link_ends_the_last(db: SqliteDb, setup: Setup) -> None:
    logins = Logins(db, SystemClock())
    old, new = await logins.setup_code(), await logins.setup_code()
    with pytest.raises(Denied):
        await setup.apply(Answers(name="Ann"), old)
    await setup.apply(Answers(name="Ann"), new)


async def test_keys_are_sealed_for_their_address_and_settings_name_them(
    db: SqliteDb, setup: Setup, world: World, vault: Vault
) -> None:
    answers = Answers(name="Ann", endpoint="http://m/v1", key="sk", model="m1", telegram="1:a")
    owner = await setup.apply(answers, None)
    assert [
        (
            {
                "language": "en",
                "timezone": "UTC",
                "providers.external.url": "http://m/v1",
                "providers.external.auth": "secret://model",
                "model_routing.default.provider": "external",
                "model_routing.default.model": "m1",
                "channels.telegram.main.token": "secret://telegram",
            },
            ("MODEL_ENDPOINT_URL", "MODEL_PROVIDER_AUTH"),
        )
    ] == world.saved
    assert 1 == world.reloads

    def look(tx: Tx) -> list[Secret]:
        told = [(row.what, row.outcome, row.user_id) for row in audit.find(tx, audit.Query())]
        assert [("secret.set", n, owner.id) for n in ("model", "telegram")] == told
        return [
            secrets.resolve(tx, vault, "secret://model", "http://m"),
            secrets.resolve(tx, vault, "secret://telegram", "https://bots.test"),
        ]

    assert [Secret("sk"), Secret("1:a")] == await db.read(look)


async def test_an_endpoint_without_a_key_names_none(setup: Setup, world: World) -> None:
    await setup.apply(Answers(name="Ann", endpoint="http://m/v1"), None)
    [(values, _)] = world.saved
    assert values["providers.external.auth"] is None


async def test_settings_that_are_fixed_elsewhere_leave_nothing_behind(
    db: SqliteDb, setup: Setup, world: World
) -> None:
    world.fixed = True
    with pytest.raises(SettingsInvalid):
        await setup.apply(Answers(name="Ann", endpoint="http://m/v1", key="sk"), None)
    assert [] == await db.read(secrets.listed)
    assert await setup.needed()


@pytest.mark.parametrize(
    "answers",
    [
        Answers(name=" "),
        Answers(name="a\nb"),
        Answers(name="x" * 65),
        Answers(name="Ann", password="short"),
        Answers(name="Ann", timezone="Mars/Base"),
        Answers(name="Ann", language="xx"),
        Answers(name="Ann", key="k"),
        Answers(name="Ann", key="k", endpoint="https://user@m.test"),
        Answers(name="Ann", endpoint="ftp://m.test"),
    ],
)
async def test_an_impossible_answer_leaves_nothing_behind(
    setup: Setup, world: World, answers: Answers
) -> None:
    with pytest.raises(BadInput):
        await setup.apply(answers, None)
    assert [] == world.saved
    assert await setup.needed()


async def test_ended_logins_are_dropped(db: SqliteDb, logins: Logins) -> None:
    await logins.enter("Ann", PASSWORD, "peer")
    assert 1 == await db.write(lambda tx: login_rows.expire(tx, 1e12))
