"""Where plugins come from, each read once into memory: what was hashed is what is kept and run.

    plugins/disk.py               a file
    plugins/weather/plugin.json   a folder with a manifest
    weather.zip                   the same, packed
    entry point clawdbot.plugins  an installed package

A manifest that names a publisher is signed: `plugin.sig` holds the Ed25519 signature (base64) of
the bytes of `plugin.json`, which names the SHA-256 of every other file.
"""

import os
import re
import shutil
import stat
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ParamSpec

import msgspec

from clawdbot.domain.errors import PluginFailed
from clawdbot.tools.manifest import Name, digest

GROUP = "clawdbot.plugins"
MANIFEST = "plugin.json"
SIGNATURE = "plugin.sig"
_BYTES_MOST = 8 << 20
_FILES_MOST = 200
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_DEEP_MOST = 8

P = ParamSpec("P")

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Described(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder's manifest; `files` are the hashes of a signed one."""

    name: Name
    version: str = ""
    main: str = ""
    publisher: str = ""
    files: dict[str, str] = {}


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin as it was read: its files, its main module, who signed it (empty: nobody).

    `more` are folders of what it needs beside, `installed` is one that came with a package.
    """

    name: str
    main: str
    files: dict[str, bytes]
    publisher: str = ""
    more: tuple[str, ...] = ()
    installed: bool = False

    @property
    def hash(self) -> str:
        """Name these bytes."""
        return digest({**self.files, "": self.main.encode()})


def discovered(folder: Path) -> dict[str, Package | PluginFailed]:
    """Read every plugin of the folder and every installed one; say why one cannot be read."""
    seen: dict[str, Package | PluginFailed] = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if _is_plugin(entry):
            seen[entry.stem] = _tried(found, entry.stem, folder)
    from importlib.metadata import entry_points  # noqa: PLC0415 - 20 ms, and not at every start

    for point in entry_points(group=GROUP):
        if point.name not in seen:
            seen[point.name] = _tried(_installed, point)
    return seen


def read(path: Path) -> Package:
    """Read a plugin from a file, a folder or an archive; raises PluginFailed."""
    try:
        if path.suffix == ".zip":
            package = _folder(dict(_unpacked(path)))
        elif path.suffix == ".py":
            package = _file(path)
        else:
            package = _folder(dict(files_of(path)))
    except OSError as error:
        raise PluginFailed(f"{path.name} cannot be read: {error.strerror or error}") from error
    if not NAME.fullmatch(package.name):
        raise PluginFailed("Name a plugin with lower-case letters, digits and underscores.")
    return package


def kept(package: Package, folder: Path) -> Path:
    """Keep a package's bytes under their hash, whole or not at all; give the folder."""
    place = folder / package.hash
    if place.is_dir():
        return place
    making = folder / f".{package.hash}.{os.getpid()}"
    for name, data in package.files.items():
        path = making / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
    making.rename(place)
    return place


def whole(hash_: str, main: str, folder: Path) -> bool:
    """Tell whether the kept bytes of a hash are still those."""
    place = folder / hash_
    if not place.is_dir():
        return False
    return Package(name="", main=main, files=dict(files_of(place))).hash == hash_


def forget(hashes: set[str], folder: Path) -> None:
    """Remove what is kept and was never trusted, or is no longer."""
    for place in folder.iterdir() if folder.is_dir() else ():
        if place.name not in hashes:
            shutil.rmtree(place)


def found(name: str, folder: Path) -> Package:
    """Read the plugin of a name; raises PluginFailed."""
    file = folder / f"{name}.py"
    package = read(file if os.path.lexists(file) else folder / name)
    if package.name != name:
        raise PluginFailed(f"The folder {name} holds the plugin {package.name}.")
    return package


def stamp(name: str, folder: Path) -> tuple[object, ...]:
    """Tell cheaply whether a plugin's files were touched: empty where there are none."""
    file, package = folder / f"{name}.py", folder / name
    places = [file] if os.path.lexists(file) else [package, *package.rglob("*")]
    try:
        return tuple(
            (str(path), seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino)
            for path in places
            for seen in (path.lstat(),)
        )
    except OSError:
        return ()


def placed(package: Package, folder: Path) -> None:
    """Put a package among the plugins, instead of an earlier one of its name."""
    removed(package.name, folder)
    lone = list(package.files) == [f"{package.name}.py"]
    for name, data in package.files.items():
        path = folder / name if lone else folder / package.name / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)


def removed(name: str, folder: Path) -> bool:
    """Remove a plugin's files; tell whether there were any."""
    file, package = folder / f"{name}.py", folder / name
    there = os.path.lexists(file) or package.is_dir()
    file.unlink(missing_ok=True)
    if package.is_symlink():
        package.unlink()
    elif package.is_dir():
        shutil.rmtree(package)
    return there


def one(path: Path, most: int) -> bytes:
    """Read a file that is given to a plugin; raises PluginFailed."""
    try:
        return _regular(os.open(path, os.O_RDONLY | os.O_NONBLOCK), path.name, most)
    except OSError as error:
        raise PluginFailed(f"{path.name} cannot be read: {error.strerror or error}") from error


def tests_of(name: str, folder: Path) -> Package:
    """Read a plugin together with its tests."""
    file = folder / f"{name}.py"
    if not file.exists():
        return read(folder / name)
    package, beside = _file(file), folder / f"test_{name}.py"
    if not beside.exists():
        raise PluginFailed(f"{name} has no tests: there is no {beside.name}.")
    files = {**package.files, **_file(beside).files}
    return Package(name=name, main=package.main, files=files)


def _is_plugin(entry: Path) -> bool:
    named = bool(NAME.fullmatch(entry.stem)) and not entry.stem.startswith("test_")
    return named and (entry.suffix == ".py" or (entry.suffix == "" and entry.is_dir()))


def _tried(find: Callable[P, Package], *args: P.args, **named: P.kwargs) -> Package | PluginFailed:
    try:
        return find(*args, **named)
    except PluginFailed as error:
        return error


def _file(path: Path) -> Package:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    data = _regular(descriptor, path.name)
    return Package(name=path.stem, main=path.name, files={path.name: data})


def _folder(files: dict[str, bytes]) -> Package:
    if MANIFEST not in files:
        raise PluginFailed(f"A folder of a plugin needs a {MANIFEST}.")
    try:
        described = msgspec.json.decode(files[MANIFEST], type=Described)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PluginFailed(f"{MANIFEST} is not valid: {error}") from error
    main = described.main or f"{described.name}.py"
    if main not in files:
        raise PluginFailed(f"{MANIFEST} names {main}, which is not there.")
    if described.publisher:
        _verify(described, files)
    return Package(name=described.name, main=main, files=files, publisher=described.publisher)


def _verify(described: Described, files: dict[str, bytes]) -> None:
    """Raise PluginFailed unless the publisher signed exactly these files."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - 30 ms, rarely needed
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    hashes = {
        name: sha256(data).hexdigest()
        for name, data in files.items()
        if name not in {MANIFEST, SIGNATURE}
    }
    if hashes != described.files:
        raise PluginFailed(f"The files are not those that {MANIFEST} names.")
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(described.publisher, validate=True))
        signature = b64decode(files.get(SIGNATURE, b"").strip(), validate=True)
        key.verify(signature, files[MANIFEST])
    except (InvalidSignature, BadBase64, ValueError) as error:
        raise PluginFailed("The signature is not the publisher's.") from error


def _installed(point: "EntryPoint") -> Package:
    module = point.value.partition(":")[0]
    top, distribution = module.partition(".")[0], point.dist
    if distribution is None or not NAME.fullmatch(point.name):
        raise PluginFailed(f"The installed package of {point.name} cannot be read.")
    files: dict[str, bytes] = {}
    for path in distribution.files or ():
        if path.parts[0] in {top, f"{top}.py"} and "__pycache__" not in path.parts:
            files[path.as_posix()] = Path(str(distribution.locate_file(path))).read_bytes()
    if not files:
        raise PluginFailed(f"The installed package of {point.name} cannot be read.")
    site = str(Path(str(distribution.locate_file(""))).resolve())
    return Package(name=point.name, main=module, files=files, more=(site,), installed=True)


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Read a folder's files beneath its handle; no link is followed."""
    left = [_BYTES_MOST, _FILES_MOST]
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    yield from _beneath(descriptor, "", left)


def _beneath(descriptor: int, prefix: str, left: list[int]) -> Iterator[tuple[str, bytes]]:
    try:
        for name in sorted(os.listdir(descriptor)):
            if name.startswith(".") or name == "__pycache__":
                continue
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            inner = os.open(name, flags, dir_fd=descriptor)
            if stat.S_ISDIR(os.fstat(inner).st_mode):
                if prefix.count("/") >= _DEEP_MOST:
                    os.close(inner)
                    raise PluginFailed("The folders are too deep.")
                yield from _beneath(inner, f"{prefix}{name}/", left)
                continue
            data = _regular(inner, name)
            left[0] -= len(data)
            left[1] -= 1
            if min(left) < 0:
                raise PluginFailed("This is larger than 8 MiB or 200 files.")
            yield f"{prefix}{name}", data
    finally:
        os.close(descriptor)


def _regular(descriptor: int, name: str, most: int = _BYTES_MOST) -> bytes:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PluginFailed(f"{name} is not a plain file.")
        if os.fstat(descriptor).st_size > most:
            raise PluginFailed(f"{name} is larger than {most >> 20} MiB.")
        data = b""
        while piece := os.read(descriptor, most + 1 - len(data)):
            data += piece
        return data
    finally:
        os.close(descriptor)


def _unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    """Read an archive's files into memory; raises PluginFailed for what no archive should hold."""
    import zipfile  # noqa: PLC0415 - rarely needed

    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if len(members) > _FILES_MOST or sum(each.file_size for each in members) > _BYTES_MOST:
                raise PluginFailed("This is larger than 8 MiB or 200 files.")
            for member in members:
                name = PurePosixPath(member.filename)
                kind = stat.S_IFMT(member.external_attr >> 16)
                if name.is_absolute() or ".." in name.parts or kind not in {0, stat.S_IFREG}:
                    raise PluginFailed(f"The archive holds what it must not: {member.filename}")
                yield str(name), archive.read(member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise PluginFailed("This is not an archive of a plugin.") from error
