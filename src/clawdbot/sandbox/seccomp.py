"""The filter of system calls: made here, as bytes, for every box; pure.

A call that is named below fails, with arguments where they decide; one that is newer than this
list does not exist; one of another processor's (i386, x32) ends the process. What is left is what
ordinary programs use.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from clawdbot.domain.errors import SandboxRefused

UNIX, INET, INET6, NETLINK = 1, 2, 10, 16


class Check(NamedTuple):
    """Compare a half of an argument (0 is the first one's lower, 1 its upper) with some values.

    The call fails where the comparison differs from `wanted`.
    """

    half: int
    values: tuple[int, ...]
    wanted: bool = True
    mask: int = 0xFFFFFFFF


Rules = Mapping[str, tuple[Check, ...]]  # a call without checks fails always

_ERRNO, _ALLOW, _KILL = 0x00050000, 0x7FFF0000, 0x80000000
_EPERM, _ENOSYS = 1, 38
_LOAD, _AND, _EQUAL, _LEAST, _RETURN, _JUMP = 0x20, 0x54, 0x15, 0x35, 0x06, 0x05
_NUMBER, _PROCESSOR, _ARGUMENTS = 0, 4, 16  # places in what the kernel shows the filter
_NEWEST = 462
_X32 = 0x40000000
_NAMESPACES = 0x7E020000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_STREAM, _DATAGRAM = 1, 2

_PROCESSORS = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# Each with its number on x86-64 and on arm64.
_TABLE = """
acct 163 89, add_key 248 217, adjtimex 159 171, bpf 321 280, chmod 90 -1, chown 92 -1,
chroot 161 51, clock_adjtime 305 266, clock_settime 227 112, clone 56 220, clone3 435 435,
delete_module 176 106, fanotify_init 300 262, fchmodat 268 53, fchmodat2 452 452, fchownat 260 54,
finit_module 313 273, fsconfig 431 431, fsmount 432 432, fsopen 430 430, fspick 433 433,
futimesat 261 -1, init_module 175 105, inotify_add_watch 254 27, io_setup 206 0,
io_uring_enter 426 426, io_uring_register 427 427, io_uring_setup 425 425, ioctl 16 29,
ioperm 173 -1, iopl 172 -1, ioprio_set 251 30, kcmp 312 272, kexec_file_load 320 294,
kexec_load 246 104, keyctl 250 219, kill 62 129, lchown 94 -1, lookup_dcookie 212 18,
lremovexattr 198 15, lsetxattr 189 6, mbind 237 235, memfd_create 319 279, memfd_secret 447 447,
migrate_pages 256 238, modify_ldt 154 -1, mount 165 40, mount_setattr 442 442, move_mount 429 429,
move_pages 279 239, mq_open 240 180, msgget 68 186, name_to_handle_at 303 264,
open_by_handle_at 304 265, open_tree 428 428, perf_event_open 298 241, pidfd_getfd 438 438,
pidfd_send_signal 424 424, pivot_root 155 41, prlimit64 302 261, process_madvise 440 440,
process_mrelease 448 448, process_vm_readv 310 270, process_vm_writev 311 271, ptrace 101 117,
quotactl 179 60, quotactl_fd 443 443, reboot 169 142, removexattr 197 14, request_key 249 218,
rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, sched_setaffinity 203 122,
sched_setattr 314 274, sched_setparam 142 118, sched_setscheduler 144 119, semget 64 190,
set_mempolicy 238 237, setdomainname 171 162, sethostname 170 161, setns 308 268, setpgid 109 154,
setpriority 141 140, setsid 112 157, settimeofday 164 170, setxattr 188 5, shmget 29 194,
socket 41 198, socketpair 53 199, swapoff 168 225, swapon 167 224, sysfs 139 -1, syslog 103 116,
tgkill 234 131, tkill 200 130, umount2 166 39, unshare 272 97, uselib 134 -1, userfaultfd 323 282,
ustat 136 -1, utime 132 -1, utimensat 280 88, utimes 235 -1, vhangup 153 58
"""
_NUMBERS = {name: (int(x86), int(arm)) for name, x86, arm in map(str.split, _TABLE.split(","))}

_ALWAYS = """
acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init
finit_module fsconfig fsmount fsopen fspick init_module io_setup io_uring_enter io_uring_register
io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind memfd_create
memfd_secret migrate_pages modify_ldt mount mount_setattr move_mount move_pages name_to_handle_at
open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root process_madvise process_mrelease
process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot request_key set_mempolicy
setdomainname sethostname setns settimeofday shmget swapoff swapon sysfs syslog umount2 unshare
userfaultfd uselib ustat vhangup
"""
# Where a box has no namespaces these would reach the host: other processes, files by their names.
_SHARED = """
chmod chown fchmodat fchmodat2 fchownat futimesat inotify_add_watch kill lchown lremovexattr
lsetxattr mq_open msgget pidfd_send_signal removexattr rt_sigqueueinfo rt_tgsigqueueinfo semget
setpgid setsid setxattr tgkill tkill utime utimes
"""
_OF_A_PROCESS = """
prlimit64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
"""
_CHECKED: Rules = {
    "clone": (Check(0, (0,), mask=_NAMESPACES),),
    "ioctl": (Check(2, (_TIOCSTI, _TIOCLINUX), wanted=False),),
    "socketpair": (Check(0, (UNIX,)),),
}


def _sockets(*families: int) -> Rules:
    return {"socket": (Check(0, families), Check(2, (_STREAM, _DATAGRAM), mask=0xF))}


DEFAULT: Rules = {**dict.fromkeys(_ALWAYS.split(), ()), **_CHECKED, **_sockets(INET, INET6)}
BROWSER: Rules = {
    **{name: checks for name, checks in DEFAULT.items() if name != "memfd_create"},
    **_sockets(UNIX, INET, INET6, NETLINK),
}
SHARED: Rules = {
    **DEFAULT,
    **dict.fromkeys(_SHARED.split(), ()),
    **dict.fromkeys(_OF_A_PROCESS.split(), (Check(0, (0,)),)),
    "ioprio_set": (Check(0, (1,)), Check(2, (0,))),
    "setpriority": (Check(0, (0,)), Check(2, (0,))),
    "socket": (),
    "utimensat": (Check(2, (0,)), Check(3, (0,))),
}


def program(machine: str, rules: Rules) -> bytes:
    """Assemble a filter for a processor (`x86_64`, `aarch64`); raises SandboxRefused for others."""
    if machine not in _PROCESSORS:
        raise SandboxRefused("The sandbox does not know this processor.")
    processor, column = _PROCESSORS[machine]
    lines = [
        _line(_LOAD, _PROCESSOR),
        _line(_EQUAL, processor, 1, 0),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER),
        _line(_LEAST, _X32, 0, 1),
        _line(_RETURN, _KILL),
        _line(_LEAST, _NEWEST + 1, 0, 1),
        _line(_RETURN, _ERRNO | _ENOSYS),
        *_named(_NUMBERS["clone3"][column], [_line(_RETURN, _ERRNO | _ENOSYS)]),
    ]
    for name, checks in sorted(rules.items()):
        if (number := _NUMBERS[name][column]) >= 0:
            lines += _named(number, _body(checks))
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _body(checks: Iterable[Check]) -> list[bytes]:
    lines = []
    for check in checks:
        lines.append(_line(_LOAD, _ARGUMENTS + 4 * check.half))
        lines.append(_line(_AND, check.mask))
        # A value that is met jumps over the next line: the refusal, or the jump over it.
        count = len(check.values)
        lines += [_line(_EQUAL, value, count - n, 0) for n, value in enumerate(check.values)]
        lines += [] if check.wanted else [_line(_JUMP, 1)]
        lines.append(_line(_RETURN, _ERRNO | _EPERM))
    return [*lines, _line(_RETURN, _ALLOW if lines else _ERRNO | _EPERM)]


def _named(number: int, body: list[bytes]) -> list[bytes]:
    return [_line(_EQUAL, number, 0, len(body)), *body]


def _line(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, true, false, value)
