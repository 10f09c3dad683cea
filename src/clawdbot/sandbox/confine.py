"""The start of a box by Landlock: run by path in an interpreter of its own, imports none of ours.

    supervisor  outside the box: lives as long as it, ends all of it when its program ends, or we do
      program   in a session of its own that it cannot leave: limited, confined, then executed

Descriptors: GATE and GO the permission to go on, STATUS what became of it (see process.py), ORDERS
what to do, FILTER the system calls.
"""

import ctypes
import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from typing import NoReturn, TypedDict

GATE, STATUS, GO, ORDERS, FILTER = 9, 60, 61, 62, 63

_LIBC = ctypes.CDLL(None, use_errno=True)
_PDEATHSIG, _SUBREAPER, _NO_NEW_PRIVS, _SECCOMP, _CAPBSET_DROP = 1, 36, 38, 22, 24
_SECCOMP_FILTER = 2
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_CAPSET = {"x86_64": 126, "aarch64": 91}
_READ = 0b1101  # execute, read a file, list a folder
_FILES = 0b1100_0000_0000_0111  # what a rule for a single file may hold
_DEVICES = 0b1000_1010_0100_0000  # ioctl, block devices, sockets, character devices
_DEVICE_READ_WRITE = 0b100_0000_0000_0110
_NOT_FOUND = 127
_PORTS, _SCOPES = 0b11, 0b11


class Orders(TypedDict):
    """What the host wants: whose child we are, the paths, the program.

    `scratch`, where it is named, is made for the box, which works there, and goes with it.
    """

    parent: int
    read: list[str]
    write: list[str]
    devices: list[str]
    scratch: str
    argv: list[str]
    env: dict[str, str]
    folder: str


def supervise(orders: Orders) -> int:
    """Run the program confined; gives its exit code once nothing of it lives."""
    ends = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    _prctl(_SUBREAPER, 1)
    _prctl(_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != orders["parent"]:
        return 1
    if orders["scratch"]:
        os.makedirs(orders["scratch"], 0o700)  # noqa: PTH103 - one import less
    if (program := os.fork()) == 0:
        try:
            become(orders)
        except OSError as error:
            print(error, file=sys.stderr)  # noqa: T201 - the host shows it
        finally:
            os._exit(_NOT_FOUND)
    os.write(STATUS, json.dumps({"child-pid": program}).encode() + b"\n")
    os.closerange(0, STATUS)  # the box's ends must close with its program's
    os.close(GO)
    ended, status = 0, 0
    while ended != program:
        if signal.sigwait(ends) == signal.SIGTERM:
            os.kill(program, signal.SIGKILL)
        ended, status = os.waitpid(program, os.WNOHANG)
    with suppress(ChildProcessError, ProcessLookupError):
        while True:
            os.killpg(program, signal.SIGKILL)
            os.waitpid(-1, 0)
    shutil.rmtree(orders["scratch"], ignore_errors=True)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def become(orders: Orders) -> NoReturn:
    """Turn into the program, once the host lets us."""
    os.setsid()
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1 or not os.read(GO, 1):
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    os.chdir(orders["folder"])
    with open(FILTER, "rb", closefd=False) as file:
        code = file.read()
    _prctl(_NO_NEW_PRIVS, 1)
    drop_capabilities()
    confine(orders)
    load(code)
    if not os.read(GATE, 1):
        os._exit(1)
    for descriptor in (GATE, STATUS, GO, ORDERS, FILTER):
        os.close(descriptor)
    os.execvpe(orders["argv"][0], orders["argv"], orders["env"])  # noqa: S606 - there is no shell


def confine(orders: Orders) -> None:
    """Leave this process, for good, nothing of the file system but these paths."""
    abi = version()
    handled = (1 << {3: 15, 4: 15}.get(abi, 16)) - 1
    attributes = (ctypes.c_uint64 * 3)(handled, _PORTS, _SCOPES)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    rules = _call(_CREATE, ctypes.byref(attributes), size, 0)
    for kind, rights in (
        ("read", _READ),
        ("write", handled & ~_DEVICES),
        ("devices", _DEVICE_READ_WRITE),
    ):
        for path in orders[kind]:  # type: ignore[literal-required] # each is a list of paths
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            granted = rights if os.path.isdir(path) else rights & _FILES  # noqa: PTH112
            rule = granted.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder)
            _call(_ADD, rules, 1, rule, 0)
            os.close(place)
    _call(_RESTRICT, rules, 0)
    os.close(rules)


def version() -> int:
    """Tell which version of Landlock the kernel has, 0 for none."""
    return max(0, int(_LIBC.syscall(_CREATE, None, 0, 1)))


def drop_capabilities() -> None:
    """Give up what root has beyond its name."""
    for capability in range(64):
        _LIBC.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _call(_CAPSET[os.uname().machine], ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))


def load(code: bytes) -> None:
    """Put the filter on; it is made of lines of eight bytes."""

    class _Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))

    _prctl(_SECCOMP, _SECCOMP_FILTER, ctypes.byref(_Program(len(code) // 8, code)))


def _prctl(option: int, *values: object) -> None:
    if _LIBC.prctl(option, *values, *[0] * (4 - len(values))) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _call(number: int, *arguments: object) -> int:
    if (result := int(_LIBC.syscall(number, *arguments))) < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result


if __name__ == "__main__":
    with open(ORDERS, "rb", closefd=False) as given:
        sys.exit(supervise(json.load(given)))
