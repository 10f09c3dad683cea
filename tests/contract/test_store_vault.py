"""What is sealed opens where it belongs, under its key, whole; anything else is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from clawdbot.config.key import FILE, MasterKey
from clawdbot.domain.errors import SealBroken
from clawdbot.store.vault import Vault


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(MasterKey(tmp_path, {}))


@pytest.mark.parametrize("data", [b"", b"x", "密钥 🔑".encode(), bytes(range(256)) * 256])
def test_what_is_sealed_opens(data: bytes, vault: Vault, tmp_path: Path) -> None:
    sealed = vault.seal("row", data)
    assert data == vault.open("row", sealed)
    assert data == Vault(MasterKey(tmp_path, {})).open("row", sealed)
    assert len(data) < 4 or data not in sealed


def test_the_same_text_is_sealed_differently_every_time(vault: Vault) -> None:
    assert 100 == len({vault.seal("row", b"text") for _ in range(100)})


def test_another_row_does_not_open_it(vault: Vault) -> None:
    sealed = vault.seal("row-1", b"text")
    for other in ("row-2", "row-", "", "row-1\0"):
        with pytest.raises(SealBroken):
            vault.open(other, sealed)


def test_no_byte_may_change_and_none_may_be_missing(vault: Vault) -> None:
    sealed = vault.seal("row", b"text")
    changed = [
        sealed[:n] + bytes([sealed[n] ^ bit]) + sealed[n + 1 :]
        for n in range(len(sealed))
        for bit in (1, 128)
    ]
    cut = [sealed[:n] for n in range(len(sealed))] + [sealed[1:], sealed + b"\0", sealed * 2]
    for broken in changed + cut:
        with pytest.raises(SealBroken, match="changed, or sealed under another master key"):
            vault.open("row", broken)


def test_another_master_key_is_told_from_garbage(vault: Vault, tmp_path: Path) -> None:
    sealed = vault.seal("row", b"text")
    (tmp_path / FILE).unlink()
    with pytest.raises(SealBroken, match=r"The master key is missing\. Bring back"):
        Vault(MasterKey(tmp_path, {})).open("row", sealed)
    assert not (tmp_path / FILE).exists(), "opening must not make a key"
    other = Vault(MasterKey(tmp_path, {}))
    other.seal("row", b"")
    with pytest.raises(SealBroken, match="another master key"):
        other.open("row", sealed)


def test_a_new_master_key_seals_and_the_old_one_opens_until_it_is_retired(
    vault: Vault, tmp_path: Path
) -> None:
    old = vault.seal("row", b"text")
    vault.renew()
    new = vault.seal("row", b"text")
    for each in (vault, Vault(MasterKey(tmp_path, {}))):
        assert [b"text"] * 2 == [each.open("row", sealed) for sealed in (old, new)]
    vault.retire()
    for each in (vault, Vault(MasterKey(tmp_path, {}))):
        assert b"text" == each.open("row", new)
        with pytest.raises(SealBroken):
            each.open("row", old)


def test_the_library_is_not_loaded_before_something_is_sealed() -> None:
    code = (
        "import sys, clawdbot.store.audit, clawdbot.store.proof, clawdbot.store.secrets, "
        "clawdbot.config.key\nprint('cryptography' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert "False\n" == done.stdout
