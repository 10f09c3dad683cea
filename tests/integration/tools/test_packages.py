"""Plugins are read once, whole, and never past what they are (`clawdbot.tools.packages`)."""

import json
import os
import stat
import subprocess
import sys
import zipfile
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clawdbot.domain.errors import PluginFailed
from clawdbot.tools import packages

CODE = b"from clawdbot.plugins import system_command\n"


def folder(root: Path, **files: bytes) -> Path:
    """Write a plugin's folder; its manifest where none is given."""
    place = root / "weather"
    place.mkdir()
    manifest = {"plugin_json": b'{"name": "weather"}', "weather_py": CODE}
    for name, data in {**manifest, **files}.items():
        (place / name.replace("_", ".")).write_bytes(data)
    return place


def signed(key: Ed25519PrivateKey, **files: bytes) -> dict[str, bytes]:
    """Sign files as a publisher does."""
    names = {name.replace("_", "."): data for name, data in files.items()}
    public = b64encode(key.public_key().public_bytes_raw()).decode()
    hashes = {name: sha256(data).hexdigest() for name, data in names.items()}
    manifest = json.dumps({"name": "weather", "publisher": public, "files": hashes}).encode()
    return {
        **files,
        "plugin_json": manifest,
        "plugin_sig": b64encode(key.sign(manifest)) + b"\n",
    }


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def test_a_file_and_a_folder_and_an_archive_are_read(tmp_path: Path) -> None:
    (tmp_path / "disk.py").write_bytes(CODE)
    (tmp_path / "test_disk.py").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    place = folder(tmp_path)
    (place / "__pycache__").mkdir()
    (place / ".git").mkdir()
    (place / "deep").mkdir()
    (place / "deep" / "more.py").write_bytes(b"")
    found = packages.discovered(tmp_path)
    assert {"disk", "weather"} == set(found)
    disk, weather = found["disk"], found["weather"]
    assert isinstance(disk, packages.Package)
    assert isinstance(weather, packages.Package)
    assert ("disk.py", {"disk.py": CODE}) == (disk.main, disk.files)
    assert {"plugin.json", "weather.py", "deep/more.py"} == set(weather.files)
    packed = archive(tmp_path / "w.zip", weather.files)
    assert weather.hash == packages.read(packed).hash


@pytest.mark.parametrize("name", ["..py", "A.py", "a b.py", "é.py"])
def test_a_file_of_a_strange_name_is_no_plugin(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(CODE)
    with pytest.raises(PluginFailed, match="Name a plugin"):
        packages.read(tmp_path / name)


def test_one_byte_more_is_another_plugin(tmp_path: Path) -> None:
    path = tmp_path / "disk.py"
    path.write_bytes(CODE)
    before = packages.read(path).hash
    path.write_bytes(CODE + b"\n")
    assert before != packages.read(path).hash


def test_what_is_kept_is_what_was_read_and_is_checked_again(tmp_path: Path) -> None:
    package = packages.read(folder(tmp_path))
    place = packages.kept(package, tmp_path / "kept")
    assert place == packages.kept(package, tmp_path / "kept")
    assert CODE == (place / "weather.py").read_bytes()
    assert packages.whole(package.hash, package.main, tmp_path / "kept")
    (place / "weather.py").write_bytes(CODE + b"#")
    assert not packages.whole(package.hash, package.main, tmp_path / "kept")
    assert not packages.whole("0" * 64, package.main, tmp_path / "kept")


def test_no_link_is_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "disk.py").symlink_to(secret)
    place = folder(plugins)
    (place / "link.py").symlink_to(secret)
    (plugins / "other").symlink_to(place, target_is_directory=True)
    found = packages.discovered(plugins)
    assert ["disk", "other", "weather"] == sorted(found)
    assert all(isinstance(each, PluginFailed) for each in found.values())


@pytest.mark.timeout(10)
def test_what_is_no_plain_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "disk.py")
    with pytest.raises(PluginFailed, match="not a plain file"):
        packages.read(tmp_path / "disk.py")
    (tmp_path / "more.py").mkdir()
    with pytest.raises(PluginFailed, match="not a plain file"):
        packages.read(tmp_path / "more.py")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"plugin_json": b"{"}, "plugin.json is not valid"),
        ({"plugin_json": b"[" * 100_000}, "plugin.json is not valid"),
        ({"plugin_json": b'{"name": "a b"}'}, "plugin.json is not valid"),
        ({"plugin_json": b'{"name": "weather", "x": 1}'}, "plugin.json is not valid"),
        ({"plugin_json": b'{"name": "weather", "main": "no.py"}'}, "names no.py"),
        ({"plugin_json": b'{"name": "weather", "publisher": "eA=="}'}, "not those that"),
        ({"big_py": b"x" * (9 << 20)}, "larger than 8 MiB"),
    ],
)
def test_a_folder_that_is_not_as_it_says_is_refused(
    files: dict[str, bytes], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(PluginFailed, match=reason):
        packages.read(folder(tmp_path, **files))


def test_a_folder_without_a_manifest_or_of_another_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    folder(tmp_path).rename(tmp_path / "rain")
    found = packages.discovered(tmp_path)
    assert "needs a plugin.json" in str(found["empty"])
    assert "holds the plugin weather" in str(found["rain"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [("../evil.py", "must not"), ("/evil.py", "must not"), ("a/../../evil.py", "must not")],
)
def test_an_archive_that_reaches_out_is_refused(name: str, reason: str, tmp_path: Path) -> None:
    packed = archive(tmp_path / "w.zip", {"plugin.json": b'{"name": "weather"}', name: CODE})
    with pytest.raises(PluginFailed, match=reason):
        packages.read(packed)


def test_an_archive_with_a_link_or_a_bomb_or_nonsense_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.py", bytes(100 << 20))
    archive(tmp_path / "many.zip", {f"f{n}.py": b"" for n in range(300)})
    (tmp_path / "none.zip").write_bytes(b"PK nonsense")
    reasons = {"link": "must not", "bomb": "8 MiB", "many": "200 files", "none": "not an archive"}
    for name, reason in reasons.items():
        with pytest.raises(PluginFailed, match=reason):
            packages.read(tmp_path / f"{name}.zip")


def test_a_publishers_signature_covers_every_file(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    files = signed(key, weather_py=CODE, more_py=b"x = 1\n")
    package = packages.read(folder(tmp_path, **files))
    assert b64encode(key.public_key().public_bytes_raw()).decode() == package.publisher


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"weather_py": CODE + b"\n"}, "not those that"),
        ({"extra_py": b""}, "not those that"),
        ({"plugin_sig": b""}, "not the publisher's"),
        ({"plugin_sig": b64encode(bytes(64))}, "not the publisher's"),
        ({"plugin_sig": b"?"}, "not the publisher's"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused(
    change: dict[str, bytes], reason: str, tmp_path: Path
) -> None:
    files = signed(Ed25519PrivateKey.generate(), weather_py=CODE)
    with pytest.raises(PluginFailed, match=reason):
        packages.read(folder(tmp_path, **{**files, **change}))


def test_a_signature_of_somebody_else_is_refused(tmp_path: Path) -> None:
    mine, theirs = (signed(Ed25519PrivateKey.generate(), weather_py=CODE) for _ in range(2))
    with pytest.raises(PluginFailed, match="not the publisher's"):
        packages.read(folder(tmp_path, **{**mine, "plugin_sig": theirs["plugin_sig"]}))


def test_an_installed_package_is_found_by_its_entry_point_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "skies").mkdir(parents=True)
    (site / "skies" / "__init__.py").write_text("raise SystemExit('imported')")
    (site / "skies" / "tools.py").write_bytes(CODE)
    told = site / "skies-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: skies\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[clawdbot.plugins]\nskies = skies.tools\n")
    (told / "RECORD").write_text("skies/__init__.py,,\nskies/tools.py,,\n")
    monkeypatch.syspath_prepend(str(site))
    found = packages.discovered(tmp_path / "none")["skies"]
    assert isinstance(found, packages.Package)
    assert "skies.tools" == found.main
    assert {"skies/__init__.py", "skies/tools.py"} == set(found.files)
    assert (str(site.resolve()),) == found.more
    assert "skies" not in sys.modules


def test_a_plugin_is_put_and_removed_whole(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    package = packages.read(folder(tmp_path))
    packages.placed(package, plugins)
    assert package.hash == packages.found("weather", plugins).hash
    touched = packages.stamp("weather", plugins)
    (plugins / "weather" / "weather.py").write_bytes(CODE + b"#")
    assert touched != packages.stamp("weather", plugins)
    lone = tmp_path / "weather.py"
    lone.write_bytes(CODE)
    packages.placed(packages.read(lone), plugins)
    assert ["weather.py"] == [path.name for path in plugins.iterdir()]
    assert packages.removed("weather", plugins)
    assert () == packages.stamp("weather", plugins)
    assert not packages.removed("weather", plugins)


def test_openssl_signs_as_the_guide_says(tmp_path: Path) -> None:
    place = tmp_path / "weather"
    place.mkdir()
    (place / "weather.py").write_bytes(CODE)

    def shell(text: str) -> str:
        done = subprocess.run(
            ["bash", "-ec", text], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    shell("openssl genpkey -algorithm ed25519 -out key.pem")
    public = shell("openssl pkey -in key.pem -pubout -outform DER | tail -c 32 | base64")
    hashes = {"weather.py": sha256(CODE).hexdigest()}
    (place / "plugin.json").write_text(
        json.dumps({"name": "weather", "publisher": public, "files": hashes})
    )
    shell(
        "openssl pkeyutl -sign -rawin -inkey key.pem -in weather/plugin.json"
        " | base64 -w0 > weather/plugin.sig"
    )
    assert public == packages.read(place).publisher
