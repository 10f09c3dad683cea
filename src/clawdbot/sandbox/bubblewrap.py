"""Boxes by bubblewrap: namespaces of their own on a root of empty mount points."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path

from clawdbot.domain.errors import SandboxRefused
from clawdbot.sandbox import seccomp
from clawdbot.sandbox.process import GATE, GO, STATUS, Command
from clawdbot.sandbox.profile import ETC, POLICIES, TOPS, Box, Host, Profile, arguments, tops

_ARGUMENTS = 62
_FILTER = 63
_PROC = Path("/proc")
_COUNTS_APART = (5, 14)  # since then a user namespace has its own count of processes
# The only line of shell that ever runs, and the program's words are no part of it.
_GATE = f'read -r go <&{GATE} || exit 1; exec {GATE}<&-; exec "$@"'
_BEGINNING = ["--args", str(_ARGUMENTS), "--", "/bin/sh", "-c", _GATE, "box"]
_ROOTS = tuple(map(Path, ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")))
_RULES = {Profile.DEFAULT: seccomp.DEFAULT, Profile.BROWSER: seccomp.BROWSER}
_WRITABLE = tuple(map(Path, ("/var/tmp", "/tmp")))  # noqa: S108 - the folder's owner is looked at
SYSCTL = Path("/proc/sys")
APPARMOR = """sudo tee /etc/apparmor.d/clawdbot-bwrap <<<'abi <abi/4.0>,
profile clawdbot-bwrap /usr/bin/bwrap flags=(unconfined) { userns, }' \
  && sudo apparmor_parser -r /etc/apparmor.d/clawdbot-bwrap"""
# What switches namespaces off for ordinary users, by its value, and the line that mends it.
_SWITCHES = {
    "kernel/unprivileged_userns_clone": ("0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    "user/max_user_namespaces": ("0", "sudo sysctl -w user.max_user_namespaces=15000"),
    "kernel/apparmor_restrict_unprivileged_userns": ("1", APPARMOR),
}
_USERS = {"passwd": "box:x:1000:1000::/work:/bin/sh\n", "group": "box:x:1000:\n"}


class Bubblewrap:
    """Turns boxes into commands; `folder` is ours, `search` is where programs are looked for."""

    name = "bubblewrap"

    def __init__(self, folder: Path, search: str, sysctl: Path = SYSCTL) -> None:
        self._folder = folder
        self._sysctl = sysctl
        self._program = shutil.which("bwrap", path=search)

    def command(self, box: Box) -> Command:
        """Give the command that makes a box; raises SandboxRefused without bubblewrap."""
        if self._program is None:
            raise SandboxRefused("bubblewrap is not installed.")
        for top in tops(box):
            (Path(self._host.skeleton) / top).mkdir(exist_ok=True)
        options = [
            *arguments(box, self._host),
            *("--json-status-fd", str(STATUS), "--block-fd", str(GO), "--seccomp", str(_FILTER)),
        ]
        return Command(
            argv=[self._program, *_BEGINNING, *box.argv],
            alone=_kernel() >= _COUNTS_APART,
            # Not on the command line: there the host's users could read it, and the box too.
            files={
                _ARGUMENTS: b"".join(os.fsencode(option) + b"\0" for option in options),
                _FILTER: _filter(box.profile),
            },
        )

    def remedy(self) -> str:
        """Give the line that installs bubblewrap, or that lets ordinary users have namespaces."""
        if self._program is None:
            return "sudo apt-get install bubblewrap"
        for name, (off, mend) in _SWITCHES.items():
            with suppress(OSError):
                if (self._sysctl / name).read_text(encoding="ascii").strip() == off:
                    return mend
        return ""

    @cached_property
    def _host(self) -> Host:
        _sweep([str(self._program), *_BEGINNING])
        told = subprocess.run(
            [str(self._program), "--version"], check=True, capture_output=True, text=True, env={}
        )
        return Host(
            skeleton=str(_skeleton(self._folder)),
            roots=tuple(str(root) for root in _ROOTS if root.is_dir() and not root.is_symlink()),
            etc=tuple(path for path in ETC if Path(path).exists()),
            version=tuple(map(int, re.findall(r"\d+", told.stdout)[:2])),
        )


@cache
def _filter(profile: Profile) -> bytes:
    return seccomp.program(os.uname().machine, _RULES[profile])


def _sweep(beginning: list[str]) -> None:
    """End what bubblewrap left half-made, and waits for ever, where we were killed at an instant.

    It has run nothing. It is known by its words, and by a session whose first process is no more.
    """
    words = b"\0".join(map(os.fsencode, beginning))
    for place in _PROC.iterdir():
        with suppress(OSError):
            if place.name.isdecimal() and place.stat().st_uid == os.getuid():
                session = (place / "stat").read_bytes().rpartition(b") ")[2].split()[3].decode()
                left = session != "0" and not (_PROC / session).exists()
                if left and (place / "cmdline").read_bytes().startswith(words):
                    os.kill(int(place.name), signal.SIGKILL)


def _kernel() -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


def _skeleton(folder: Path) -> Path:
    """Make the folder of mount points, on the file system of the host's root where we can write.

    The box's `/` is a view of it, so that `df /` tells the host's figures there too.
    """
    elsewhere = [place / f"clawdbot-{os.getuid()}" for place in _WRITABLE]
    home = next(filter(_is_on_root, (folder, *elsewhere)), folder)
    skeleton = home / "skeleton"
    (skeleton / "etc").mkdir(parents=True, exist_ok=True)
    for made in (home, skeleton):
        if made.is_symlink() or made.stat().st_uid != os.getuid():
            raise SandboxRefused(f"{made} is not ours: remove it.")
    for place in (*(Path("/") / top for top in TOPS), *map(Path, ETC), *_ROOTS):
        _resemble(skeleton / place.relative_to("/"), place)
    (skeleton / POLICIES.removeprefix("/")).mkdir(parents=True, exist_ok=True)
    for name, text in _USERS.items():
        (skeleton / "etc" / name).write_text(text, encoding="utf-8")
    return skeleton


def _resemble(ours: Path, theirs: Path) -> None:
    """Make an empty folder or file, or the same link, where the host has one."""
    if theirs in _ROOTS and theirs.is_symlink():
        if not ours.is_symlink():
            ours.symlink_to(theirs.readlink())
    elif theirs.is_file():
        ours.parent.mkdir(parents=True, exist_ok=True)
        ours.touch()
    elif theirs.is_dir() or theirs not in _ROOTS:
        ours.mkdir(parents=True, exist_ok=True)


def _is_on_root(folder: Path) -> bool:
    """Tell whether what we make in a folder lies on the root's file system."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK) and folder.stat().st_dev == Path("/").stat().st_dev
