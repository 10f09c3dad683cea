"""What the self-test tries inside a box: the standard library only, given to the box as text.

Each probe says True where it was stopped. What is tried is harmless where it is not.
"""

import ctypes
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

_CALLS = {
    "bpf": (321, 280),
    "io_uring": (425, 425),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "perf": (298, 241),
    "ptrace": (101, 117),
    "setns": (308, 268),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
# The last ones are made by shells, in the box.
_GIVEN = {"HOME", "LANG", "LC_CTYPE", "PATH", "TMPDIR", "OLDPWD", "PWD", "SHLVL", "_"}
_EPERM = 1
_TIOCSTI = 0x5412
_MB = 1_048_576
_DENIED = (PermissionError, FileNotFoundError, ProcessLookupError)


def probes(canary: str, host: int, pids: int) -> dict[str, Callable[[], bool]]:
    """Name what is tried, against a file and a process of the host, and its namespace's number."""
    return {
        **{name: partial(_call, *numbers) for name, numbers in _CALLS.items()},
        "environment": _environment,
        "files": lambda: _fails(lambda: Path(canary).read_bytes()),
        "memory": lambda: _fails(lambda: mmap.mmap(-1, 512 * _MB), (OSError,)),
        "network": _network,
        "open files": lambda: _fails(lambda: [os.dup(0) for _ in range(300)], (OSError,)),
        "processes": _processes,
        "raw sockets": lambda: _socket(socket.AF_INET, socket.SOCK_RAW),
        "signals": lambda: _is_another(pids) or _fails(lambda: os.kill(host, 0)),
        "terminal": lambda: _fails(lambda: fcntl.ioctl(0, _TIOCSTI, b"x")),
        "unix sockets": lambda: _socket(socket.AF_UNIX, socket.SOCK_STREAM),
        "netlink": lambda: _socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "writing": lambda: _fails(lambda: Path("/usr/clawdbot-probe").touch(), (OSError,)),
        "written files": _written,
    }


def _call(x86: int, arm: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(x86 if os.uname().machine == "x86_64" else arm, -1, 0, 0, 0, 0, 0)
    return ctypes.get_errno() == _EPERM


def _fails(act: Callable[[], object], errors: tuple[type[OSError], ...] = _DENIED) -> bool:
    try:
        act()
    except errors:
        return True
    except OSError:
        return False
    return False


def _environment() -> bool:
    leaked = sorted(set(os.environ) - _GIVEN)
    with suppress(OSError):
        leaked.append(Path("/proc/1/environ").read_text(encoding="utf-8"))
    return not any(leaked)


def _is_another(pids: int) -> bool:
    with suppress(OSError):
        return Path("/proc/self/ns/pid").stat().st_ino != pids
    return False


def _socket(family: int, kind: int) -> bool:
    return _fails(lambda: socket.socket(family, kind).close())


def _network() -> bool:
    if _socket(socket.AF_INET, socket.SOCK_STREAM):
        return True
    devices = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()[2:]
    return all(line.strip().startswith("lo:") for line in devices)


def _processes() -> bool:
    made = []
    try:
        for _ in range(8):
            if (pid := os.fork()) == 0:
                signal.pause()
            made.append(pid)
    except BlockingIOError:
        return True
    finally:
        for pid in made:
            os.kill(pid, signal.SIGKILL)
    return False


def _written() -> bool:
    return 0 < resource.getrlimit(resource.RLIMIT_FSIZE)[0] <= _MB


if __name__ == "__main__":
    tried = probes(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    found = {name: probe() for name, probe in tried.items()}
    print(json.dumps(found))  # noqa: T201 - its answer
