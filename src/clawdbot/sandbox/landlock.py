"""Boxes by Landlock, where there are no namespaces: paths, system calls and limits only.

Weaker than bubblewrap's: no socket at all, a folder on the disk instead of a memory disk, the
host's names can be seen though not opened. It cannot move paths, so only the working folder may be
elsewhere than on the host.
"""

import json
import os
from pathlib import Path

from clawdbot.domain.errors import BadInput, SandboxRefused
from clawdbot.sandbox import confine, seccomp
from clawdbot.sandbox.process import Command
from clawdbot.sandbox.profile import ETC, WORK, Box, Profile, environment
from clawdbot.sandbox.python import PYTHON

_PROGRAMS = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")
_DEVICES = ("/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero")
_SIGNALS = {"kill", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "tgkill", "tkill"}
_TRUNCATES = 3  # before this version files could be emptied that could not be opened
_SCOPES_SIGNALS = 6


class Landlock:
    """Turns boxes into commands of `confine.py`; `folder` is ours to make scratch folders in."""

    name = "landlock"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def command(self, box: Box) -> Command:
        """Give the command that makes a box; raises BadInput for what only bubblewrap can do."""
        if confine.version() < _TRUNCATES:
            raise SandboxRefused("This kernel has no Landlock, or one that is too old.")
        if box.profile != Profile.DEFAULT:
            raise BadInput("The browser needs bubblewrap.")
        given = next((bind.host for bind in box.binds if bind.place == WORK), "")
        scratch = "" if given else str(self._folder / "scratch" / os.urandom(8).hex())
        work = given or scratch
        moved = {bind.place for bind in box.binds if bind.place != bind.host} - {WORK}
        if moved:
            raise BadInput(f"Landlock cannot move paths: {', '.join(sorted(moved))}")
        orders: confine.Orders = {
            "parent": os.getpid(),
            "read": [path for path in (*_PROGRAMS, *ETC) if Path(path).exists()]
            + [bind.host for bind in box.binds if not bind.write],
            "write": [bind.host for bind in box.binds if bind.write] + [scratch] * bool(scratch),
            "scratch": scratch,
            "devices": list(_DEVICES),
            "argv": list(box.argv),
            "env": {**environment(box), "HOME": work, "TMPDIR": work},
            "folder": work if box.folder == WORK else box.folder,
        }
        rules = seccomp.SHARED
        if confine.version() >= _SCOPES_SIGNALS:  # the kernel keeps signals within the box
            rules = {name: checks for name, checks in rules.items() if name not in _SIGNALS}
        return Command(
            argv=[*PYTHON, confine.__file__],
            alone=False,
            files={
                confine.ORDERS: json.dumps(orders).encode(),
                confine.FILTER: seccomp.program(os.uname().machine, rules),
            },
        )

    def remedy(self) -> str:
        """Give no line: only another kernel has more."""
        return ""
