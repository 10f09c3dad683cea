"""The master key on a real file system: private, made once, replaced without a gap."""

import os
from pathlib import Path

import pytest

from clawdbot.config.key import FILE, MasterKey
from clawdbot.domain.errors import SettingsInvalid

ONE, TWO = "11" * 32, "22" * 32


def test_a_key_is_made_when_it_is_needed_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = MasterKey(tmp_path, {})
    assert () == key.read()
    assert [] == list(tmp_path.iterdir())
    key.renew()
    (made,) = key.read()
    assert 32 == len(made)
    assert 0o600 == (tmp_path / FILE).stat().st_mode & 0o777
    assert (made,) == MasterKey(tmp_path, {}).read()


def test_a_new_key_stands_before_the_old_one_until_that_is_retired(tmp_path: Path) -> None:
    key = MasterKey(tmp_path, {})
    key.renew()
    (old,) = key.read()
    key.renew()
    new, kept = key.read()
    assert (old, True) == (kept, new != old)
    key.retire()
    assert (new,) == key.read()


def test_the_credential_of_systemd_comes_first_and_is_never_written(tmp_path: Path) -> None:
    home, credentials = tmp_path / "home", tmp_path / "credentials"
    home.mkdir()
    credentials.mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    MasterKey(home, environ).renew()  # no such credential: the file is used
    given = credentials / FILE
    given.write_text(ONE)
    given.chmod(0o400)
    key = MasterKey(home, environ)
    assert (bytes.fromhex(ONE),) == key.read()
    with pytest.raises(SettingsInvalid, match=r"comes from systemd\. Put a new one on a line"):
        key.renew()
    given.chmod(0o600)
    given.write_text(f"{TWO}\n{ONE}\n")
    key.renew()
    key.retire()
    assert f"{TWO}\n{ONE}\n" == given.read_text()


@pytest.mark.parametrize("text", ["", "11", f"{ONE}11", f"{ONE}\nx", "g" * 64, "\xff", "１" * 64])
def test_what_is_no_key_is_told_without_its_text(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(SettingsInvalid) as told:
        MasterKey(tmp_path, {}).read()
    place = f"{tmp_path}/{FILE}"
    assert f"{place}: A master key is 64 hexadecimal digits on a line of its own." == str(
        told.value
    )


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_can_reach_is_refused(mode: int, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(ONE)
    (tmp_path / FILE).chmod(mode)
    with pytest.raises(SettingsInvalid, match="chmod 600"):
        MasterKey(tmp_path, {}).read()


def test_a_link_a_pipe_and_a_folder_are_no_key(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(ONE)
    elsewhere.chmod(0o600)
    for make in (lambda p: p.symlink_to(elsewhere), lambda p: os.mkfifo(p, 0o600), Path.mkdir):
        home = tmp_path / f"home-{len(list(tmp_path.iterdir()))}"
        home.mkdir()
        make(home / FILE)
        with pytest.raises(SettingsInvalid, match="cannot be read"):
            MasterKey(home, {}).read()
