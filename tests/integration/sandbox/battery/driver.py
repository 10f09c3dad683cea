"""Run every attack in a whole box and in a box without what stops it; prints both answers.

    driver.py HOST'S-MOUNT-NAMESPACE MECHANISM FOLDER [ATTACK ...]

It refuses to start in the host's own namespace: what opens here must open nothing there.
"""

import asyncio
import ctypes
import fcntl
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

from msgspec.structs import replace
from msgspec.structs import replace as changed

from clawdbot.sandbox import confine, seccomp
from clawdbot.sandbox.bubblewrap import _ARGUMENTS, _FILTER, _RULES, Bubblewrap
from clawdbot.sandbox.landlock import Landlock
from clawdbot.sandbox.process import Command
from clawdbot.sandbox.profile import Bind, Box, Limits, Profile
from clawdbot.sandbox.python import PYTHON, PYTHON_BINDS
from clawdbot.sandbox.run import SEARCH, Sandbox
from tests.integration.sandbox.battery import cases
from tests.integration.sandbox.battery.cases import Without

ATTACKS = Path(__file__).with_name("attacks.py")
LIMITS = Limits(wall_s=90, cpu_s=1, memory_mb=256, processes=16, files=64, file_mb=16, tmp_mb=16)
WHOLE = Without()
APART = {"memory_of_many", "outlive"}  # one may end its box, the other is seen from outside


class World:
    """Something to attack: files, a process, sockets, shared memory of these namespaces."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.secret = secrets.token_hex(8)
        self.canary = base / "canary"
        self.readonly = base / "readonly"
        self.sockets = base / "sockets"
        self.work = base / "work"
        for folder in (self.canary, self.readonly, self.sockets, self.work):
            folder.mkdir()
        shutil.copy("/usr/bin/true", self.canary / "program")
        powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]  # as a user's process is
        self.process = subprocess.Popen([*(powerless if os.getuid() == 0 else []), "sleep", "900"])
        self.ports = [raise_port(kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        self.path, self.abstract = str(self.sockets / "s"), f"canary-{self.secret}"
        self.listeners = [listen(self.path), listen("\0" + self.abstract)]
        self.key = share(self.abstract)

    def renew(self) -> None:
        """Lay out again what an attack may have changed."""
        (self.canary / "file").write_text(self.secret, encoding="utf-8")
        (self.canary / "empty").write_text("", encoding="utf-8")
        shutil.rmtree(self.work)
        self.work.mkdir()

    def told(self) -> str:
        """Tell an attack what there is."""
        return json.dumps(
            {
                "canary": str(self.canary),
                "secret": self.secret,
                "process": self.process.pid,
                "port": self.ports[0].getsockname()[1],
                "path": self.path,
                "name": self.abstract,
                "key": self.key,
                "host": socket.gethostname(),
                "readonly": str(self.readonly),
                "uid": os.getuid(),
            }
        )

    def box(self, name: str, limits: Limits, profile: Profile) -> Box:
        """Give the box of an attack."""
        return Box(
            argv=(*PYTHON, str(ATTACKS), name, self.told()),
            binds=(
                *PYTHON_BINDS,
                Bind(host=str(ATTACKS)),
                Bind(host=str(self.readonly)),
                Bind(host=str(self.sockets)),
                Bind(host=str(self.work), inside="/work", write=True),
            ),
            limits=limits,
            profile=profile,
        )


def raise_port(kind: int) -> socket.socket:
    ours = socket.socket(socket.AF_INET, kind)
    ours.bind(("127.0.0.1", 4711))
    if kind == socket.SOCK_STREAM:
        ours.listen()
    else:
        threading.Thread(target=echo, args=(ours,), daemon=True).start()
    return ours


def echo(ours: socket.socket) -> None:
    while True:
        ours.sendto(*ours.recvfrom(9))


def listen(path: str) -> socket.socket:
    ours = socket.socket(socket.AF_UNIX)
    ours.bind(path)
    ours.listen()
    return ours


def share(name: str) -> int:
    libc = ctypes.CDLL("librt.so.1")
    key = 4711
    assert libc.shmget(key, 4096, 0o1600) >= 0
    assert libc.semget(key, 1, 0o1600) >= 0
    assert libc.msgget(key, 0o1600) >= 0
    assert libc.mq_open(f"/{name}".encode(), os.O_CREAT | os.O_RDWR, 0o600, None) >= 0
    return key


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        fcntl.ioctl(ours, 0x8914, struct.pack("16sh14x", b"lo", 1))


class Weakener:
    """Gives the commands of one mechanism, whole or without a part."""

    def __init__(self, mechanism: str, world: World) -> None:
        self.world = world
        ours = world.base / "ours"
        self.maker = Landlock(ours) if mechanism == "landlock" else Bubblewrap(ours, SEARCH)
        where = (str(world.canary), str(world.readonly))
        self.profile = Profile.BROWSER if mechanism == "browser" else Profile.DEFAULT
        if isinstance(self.maker, Bubblewrap):
            named = cases.browser if mechanism == "browser" else cases.bubblewrap
            self.cases = named(*where, self.maker._host.skeleton)
        else:
            self.cases = cases.landlock(*where)

    def command(self, box: Box, without: Without) -> Command:
        whole = self.maker.command(box)
        edit = self._namespaced if isinstance(self.maker, Bubblewrap) else self._confined
        command = edit(whole, without)
        if without.given >= 0:
            command = replace(command, files={**command.files, without.given: b""})
        return command

    def _namespaced(self, whole: Command, without: Without) -> Command:
        given = whole.files[_ARGUMENTS]
        for old, new in without.words:
            before, after = (b"".join(w.encode() + b"\0" for w in words) for words in (old, new))
            assert before in given
            given = given.replace(before, after, 1)
        argv = list(whole.argv)
        if without.env:
            given += b"--setenv\0CANARY\0" + self.world.secret.encode() + b"\0"
            argv = ["/usr/bin/env", f"CANARY={self.world.secret}", *argv]
        code = self._filter(_RULES[self.profile], without)
        return replace(whole, argv=argv, files={_ARGUMENTS: given, _FILTER: code})

    def _confined(self, whole: Command, without: Without) -> Command:
        text = Path(confine.__file__).read_text(encoding="utf-8")
        for old, new in without.lines:
            assert old in text
            text = text.replace(old, new, 1)
        orders = json.loads(whole.files[confine.ORDERS])
        orders["read"] += without.read
        orders["write"] += without.write
        if without.env:
            orders["env"]["CANARY"] = self.world.secret
        kept = {"kill", "pidfd_send_signal", "tkill", "tgkill"}
        kept |= {"rt_sigqueueinfo", "rt_tgsigqueueinfo"}
        rules = {name: checks for name, checks in seccomp.SHARED.items() if name not in kept}
        files = {
            confine.ORDERS: json.dumps(orders).encode(),
            confine.FILTER: self._filter(rules, without),
        }
        program = self.world.base / "confine.py"
        program.write_text(text, encoding="utf-8")
        return replace(whole, argv=[*PYTHON, str(program)], files=files)

    def _filter(self, rules: seccomp.Rules, without: Without) -> bytes:
        assert set(without.calls) <= set(rules)
        left = {name: checks for name, checks in rules.items() if name not in without.calls}
        code = seccomp.program(os.uname().machine, left)
        for old, new in without.code:
            assert old in code
            code = code.replace(old, new)
        return code


async def opened(
    sandbox: Sandbox, weakener: Weakener, names: list[str], without: Without
) -> dict[str, bool]:
    """Try attacks in one box; what it could not say it did not open."""
    world = weakener.world
    world.renew()
    limits = changed(LIMITS, **without.limits)
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            command = weakener.command(
                world.box(",".join(names), limits, weakener.profile), without
            )
            outcome = await sandbox._run(command, limits, sockets=[theirs])
        found = dict.fromkeys(names, False) | json.loads(outcome.out or b"{}")
        if "outlive" in names:
            found["outlive"] = not is_closed(ours)
    assert outcome.out or names == ["memory_of_many"], outcome
    return found


def is_closed(ours: socket.socket) -> bool:
    ours.settimeout(0.5)
    try:
        return ours.recv(1) == b""
    except TimeoutError:
        return False


async def main(mechanism: str, base: Path, only: list[str]) -> None:
    os.dup2(os.open("/", os.O_RDONLY), 50, inheritable=True)  # what somebody left open
    weakener = Weakener(mechanism, World(base))
    os.environ["CANARY"] = weakener.world.secret
    sandbox = Sandbox(base / "ours")
    tried = [name for name in weakener.cases if not only or name in only]
    whole: dict[str, bool] = {}
    for names in ([n for n in tried if n not in APART], *([n] for n in tried if n in APART)):
        whole |= await opened(sandbox, weakener, names, WHOLE) if names else {}
    weak: dict[str, bool] = {}
    for name in tried:
        weak |= await opened(sandbox, weakener, [name], weakener.cases[name])
    weakener.world.process.kill()
    print(json.dumps({"whole": whole, "weak": weak}))


if __name__ == "__main__":
    if str(Path("/proc/self/ns/mnt").readlink()) == sys.argv[1]:
        sys.exit("attacks never run in the host's own namespace")
    if os.getuid() == 0:
        raise_loopback()
        # Far from the numbers in a box, which begin at 1 too.
        Path("/proc/sys/kernel/ns_last_pid").write_text("20000", encoding="ascii")
    asyncio.run(main(sys.argv[2], Path(sys.argv[3]), sys.argv[4:]))
