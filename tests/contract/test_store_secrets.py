"""Secrets on each engine: sealed, bound to their origins, and nowhere readable."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from clawdbot.config.key import MasterKey
from clawdbot.domain.errors import BadInput, Denied, SealBroken
from clawdbot.domain.ports import Db, Tx
from clawdbot.domain.secret import Secret
from clawdbot.store import audit, secrets
from clawdbot.store.secrets import New
from clawdbot.store.vault import Vault
from tests.contract.conftest import START

CANARY = "canary-密-5f1e9c"
MAIL = "https://mail.example.com"

Put = Callable[..., None]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(MasterKey(tmp_path, {}))


def new(**changes: object) -> New:
    values = {
        "id": "01",
        "name": "mail",
        "text": Secret(CANARY),
        "origins": (MAIL,),
        "now": START,
    }
    return New(**(values | changes))  # type: ignore[arg-type]  # a test's own words


def alter(tx: Tx, statement: str) -> None:
    """Write into a table past every repository."""
    tx._connection.execute(statement)  # type: ignore[attr-defined]


async def test_a_secret_is_given_for_its_origins_alone(db: Db, vault: Vault) -> None:
    row = secrets.seal(vault, new(origins=("Mail.Example.com", "http://127.0.0.1:8080/login")))
    await db.write(lambda tx: secrets.put(tx, row))

    def resolve(reference: str, origin: str) -> Callable[[Tx], Secret]:
        return lambda tx: secrets.resolve(tx, vault, reference, origin)

    for origin in ("mail.example.com", f"{MAIL}/inbox?x=1", "http://127.0.0.1:8080"):
        assert Secret(CANARY) == await db.read(resolve("secret://mail", origin))
    for reference, origin in (
        ("secret://mail", "https://evil.test"),
        ("secret://mail", "http://mail.example.com"),
        ("secret://mail", "https://mail.example.com:8443"),
        ("secret://mail", "https://mail.example.com@evil.test"),
        ("secret://mail", "https://mail.example.com.evil.test"),
        ("secret://mail", "http://127.0.0.1:8081"),
        ("secret://mail", ""),
        ("secret://other", MAIL),
        ("secret://", MAIL),
        ("mail", MAIL),
        ("secret://MAIL", MAIL),
    ):
        with pytest.raises(Denied, match=r"^There is no such secret for this address\.$"):
            await db.read(resolve(reference, origin))


async def test_a_secret_without_origins_is_sent_nowhere(db: Db, vault: Vault) -> None:
    await db.write(lambda tx: secrets.put(tx, secrets.seal(vault, new(origins=()))))
    with pytest.raises(Denied):
        await db.read(lambda tx: secrets.resolve(tx, vault, "secret://mail", MAIL))


async def test_secrets_are_listed_replaced_and_removed(db: Db, vault: Vault) -> None:
    def work(tx: Tx) -> None:
        for name in ("b", "a"):
            secrets.put(tx, secrets.seal(vault, new(name=name)))
        secrets.put(tx, secrets.seal(vault, new(name="a", text=Secret("new"), id="02")))
        assert [("a", "02"), ("b", "01")] == [(s.name, s.id) for s in secrets.listed(tx)]
        assert Secret("new") == secrets.resolve(tx, vault, "secret://a", MAIL)
        assert (MAIL,) == secrets.listed(tx)[0].bound
        assert [True, False] == [secrets.remove(tx, "a"), secrets.remove(tx, "a")]
        assert None is secrets.get(tx, "a")

    await db.write(work)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "../x"},
        {"name": "x" * 65},
        {"name": "密"},
        {"name": "a\n"},
        {"text": Secret("")},
        {"text": Secret("x" * 65_537)},
        {"origins": ("*.example.com",)},
        {"origins": (MAIL, "")},
        {"origins": ("ftp://example.com",)},
    ],
)
def test_what_cannot_be_kept_is_refused(changes: dict[str, object], vault: Vault) -> None:
    with pytest.raises(BadInput):
        secrets.seal(vault, new(**changes))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE secrets SET name = 'c' WHERE name = 'a'",
        "UPDATE secrets SET origins = (SELECT b.origins FROM secrets b WHERE b.name = 'b')",
        "UPDATE secrets SET sealed = (SELECT b.sealed FROM secrets b WHERE b.name = 'b')",
        "UPDATE secrets SET id = 'x' WHERE name = 'a'",
    ],
)
async def test_who_writes_to_the_table_can_send_none_elsewhere(
    statement: str, db: Db, vault: Vault
) -> None:
    evil = "https://evil.test"

    def work(tx: Tx) -> None:
        secrets.put(tx, secrets.seal(vault, new(name="a")))
        secrets.put(tx, secrets.seal(vault, new(name="b", origins=(MAIL, evil))))
        alter(tx, statement)

    await db.write(work)
    for name in ("a", "c"):
        for origin in (MAIL, evil):
            with pytest.raises((SealBroken, Denied)):
                await db.read(
                    partial(
                        secrets.resolve, vault=vault, reference=f"secret://{name}", origin=origin
                    )
                )


async def test_a_new_master_key_takes_everything_over_at_once(
    db: Db, vault: Vault, tmp_path: Path
) -> None:
    entry = audit.Entry(at=START, kind=audit.Kind.EFFECT, what="x", user_id="u", payload=b"words")
    trail = audit.Audit(vault, "local:1")

    def before(tx: Tx) -> str:
        for name in ("a", "b"):
            secrets.put(tx, secrets.seal(vault, new(name=name)))
        trail.append(tx, entry)
        return audit.make_signer(tx, vault).public

    signer = await db.write(before)
    vault.renew()

    def rotate(tx: Tx) -> None:
        secrets.reseal(tx, vault)
        audit.reseal(tx, vault)

    await db.write(rotate)
    vault.retire()
    fresh = Vault(MasterKey(tmp_path, {}))

    def after(tx: Tx) -> None:
        for name in ("a", "b"):
            found = secrets.resolve(tx, fresh, f"secret://{name}", MAIL)
            assert Secret(CANARY) == found
        (row,) = audit.find(tx, audit.Query())
        assert b"words" == audit.content(tx, fresh, row)
        assert signer == audit.make_signer(tx, fresh).public

    await db.read(after)


async def test_no_file_of_the_store_holds_the_text(db: Db, vault: Vault, tmp_path: Path) -> None:
    await db.write(lambda tx: secrets.put(tx, secrets.seal(vault, new())))
    row = await db.read(lambda tx: secrets.get(tx, "mail"))
    assert CANARY not in repr(row)
    assert "****" in repr(new())
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert CANARY.encode() not in path.read_bytes(), path
        assert 0 == path.stat().st_mode & 0o077, path
