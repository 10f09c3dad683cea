"""Which mechanism stops which attack: what is taken from a box so that exactly that one opens.

An attack that is not listed is not promised to be stopped by that mechanism; docs/sandbox.md says
which those are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Words = tuple[str, ...]


@dataclass(frozen=True)
class Without:
    """A box's weakness: arguments exchanged, system calls allowed, limits lifted, paths opened."""

    words: tuple[tuple[Words, Words], ...] = ()
    calls: Words = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    lines: tuple[tuple[str, str], ...] = ()  # of confine.py
    code: tuple[tuple[bytes, bytes], ...] = ()  # of the filter
    read: Words = ()
    write: Words = ()
    env: bool = False
    given: int = -1


def instruction(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return code.to_bytes(2, "little") + bytes([true, false]) + value.to_bytes(4, "little")


KILL, ALLOW = instruction(6, 0x80000000), instruction(6, 0x7FFF0000)
CLONE3, NO_CALL = instruction(0x15, 435, 0, 1), instruction(0x15, 0xFFFFFFFF, 0, 1)
ANY_PROCESSOR = Without(code=((KILL, ALLOW),))

SYSTEM_CALLS = {
    "add_key": ("add_key",),
    "adjtimex": ("adjtimex",),
    "algorithm": ("socket",),
    "bpf": ("bpf",),
    "chroot": ("chroot",),
    "clock_settime": ("clock_settime",),
    "io_setup": ("io_setup",),
    "io_uring": ("io_uring_setup",),
    "kcmp": ("kcmp",),
    "keyctl": ("keyctl",),
    "memory_file": ("memfd_create",),
    "mount": ("mount",),
    "mount_attributes": ("mount_setattr",),
    "move_pages": ("move_pages",),
    "name_to_handle": ("name_to_handle_at",),
    "netlink": ("socket",),
    "open_tree": ("open_tree",),
    "paste_into_console": ("ioctl",),
    "perf": ("perf_event_open",),
    "pidfd_getfd": ("pidfd_getfd",),
    "process_read": ("process_vm_readv",),
    "process_write": ("process_vm_writev",),
    "quota": ("quotactl",),
    "request_key": ("request_key",),
    "set_namespace": ("setns",),
    "strange_families": ("socket",),
    "strange_pairs": ("socketpair",),
    "trace": ("ptrace",),
    "type_into_terminal": ("ioctl",),
    "unix_path": ("socket",),
    "userfaultfd": ("userfaultfd",),
    "vsock": ("socket",),
}
BOTH = {
    **{name: Without(calls=calls) for name, calls in SYSTEM_CALLS.items()},
    "clone_by_structure": Without(code=((CLONE3, NO_CALL),)),
    "descriptors": Without(limits={"files": 0}),
    "environment": Without(env=True),
    "forks": Without(limits={"processes": 0}),
    "half_processor": ANY_PROCESSOR,
    "inherited": Without(given=50),
    "large_file": Without(limits={"file_mb": 0}),
    "memory": Without(limits={"memory_mb": 0}),
    "memory_of_many": Without(limits={"memory_mb": 0}),
    "other_processor": ANY_PROCESSOR,
    "spin": Without(limits={"cpu_s": 0}),
    "threads": Without(limits={"processes": 0}),
}


def bubblewrap(canary: str, readonly: str, skeleton: str) -> dict[str, Without]:
    """Name what is taken from a box of bubblewrap."""

    def no(*words: str) -> tuple[Words, Words]:
        return (words, ())

    other = ("--ro-bind", readonly, readonly)
    visible = Without(words=((other, (*other, "--ro-bind", canary, canary)),))
    writable = Without(words=((other, (*other, "--bind", canary, canary)),))
    ipc = no("--unshare-ipc")
    capable = (("--cap-drop", "ALL"), ("--cap-drop", "ALL", "--cap-add", "CAP_NET_RAW"))
    processes = (no("--unshare-pid"), (("--proc", "/proc"), ("--ro-bind", "/proc", "/proc")))
    names = no("--disable-userns")
    net = no("--unshare-net")
    number = (no("--uid", "1000"), no("--gid", "1000"))
    return {
        **BOTH,
        **dict.fromkeys(("read_secret", "list_folder", "follow_link", "execute", "watch"), visible),
        **dict.fromkeys(("write_outside", "truncate", "change_mode", "change_time"), writable),
        **dict.fromkeys(("change_owner", "remove"), writable),
        "write_readonly": Without(words=((other, ("--bind", readonly, readonly)),)),
        "write_root": Without(words=((("--ro-bind", skeleton, "/"), ("--bind", skeleton, "/")),)),
        "first_environment": Without(env=True),
        **dict.fromkeys(
            (
                *("list_processes", "send_signal", "read_limits"),
                *("set_priority", "set_affinity", "outlive"),
            ),
            Without(words=processes),
        ),
        "own_number": Without(words=number),
        **dict.fromkeys(("tcp", "udp"), Without(words=(net,))),
        "unix_abstract": Without(words=(net,), calls=("socket",)),
        **dict.fromkeys(
            ("raw", "packet"), Without(words=(capable, names, *number), calls=("socket",))
        ),
        "new_namespace": Without(words=(names,), calls=("unshare",)),
        "clone_namespace": Without(words=(names,), calls=("clone",)),
        "shared_memory": Without(words=(ipc,), calls=("shmget",)),
        **dict.fromkeys(("semaphores", "message_queue", "named_queue"), Without(words=(ipc,))),
        "host_name": Without(words=(no("--unshare-uts"), no("--hostname", "box"))),
        **dict.fromkeys(("full_tmp", "full_shm"), Without(limits={"tmp_mb": 0})),
    }


# What Chromium's processes use among themselves, and what has no limit in their box.
A_BROWSERS = {
    *("memory_file", "netlink", "unix_path"),
    *("descriptors", "forks", "memory", "spin", "threads"),
}


def browser(canary: str, readonly: str, skeleton: str) -> dict[str, Without]:
    """Name what is taken from the browser's box; docs/sandbox.md says how it differs."""
    stopped = bubblewrap(canary, readonly, skeleton).items()
    return {name: without for name, without in stopped if name not in A_BROWSERS}


def landlock(canary: str, readonly: str) -> dict[str, Without]:
    """Name what is taken from a box of Landlock."""
    ports = ("_PORTS, _SCOPES = 0b11, 0b11", "_PORTS, _SCOPES = 0, 0b11")
    abstract = ("_PORTS, _SCOPES = 0b11, 0b11", "_PORTS, _SCOPES = 0b11, 0b10")
    signals = ("_PORTS, _SCOPES = 0b11, 0b11", "_PORTS, _SCOPES = 0b11, 0b01")
    capable = Without(lines=(("    drop_capabilities()\n", ""),), calls=("socket",))
    read, write = Without(read=(canary,)), Without(write=(canary,))
    return {
        **BOTH,
        **dict.fromkeys(("read_secret", "list_folder", "follow_link", "execute"), read),
        **dict.fromkeys(("write_outside", "truncate", "remove", "hard_link"), write),
        "write_readonly": Without(write=(readonly,)),
        "change_mode": Without(calls=("chmod", "fchmodat", "fchmodat2")),
        "change_time": Without(calls=("utimensat",)),
        "change_owner": Without(calls=("chown", "fchownat")),
        "watch": Without(calls=("inotify_add_watch",)),
        "list_processes": Without(read=("/proc",)),
        "send_signal": Without(lines=(signals,)),
        "read_limits": Without(calls=("prlimit64",)),
        "set_priority": Without(calls=("setpriority",)),
        "set_affinity": Without(calls=("sched_setaffinity",)),
        "leave_session": Without(calls=("setsid",)),
        "outlive": Without(
            lines=(("            os.killpg(program, signal.SIGKILL)\n", "            break\n"),),
            calls=("setsid",),
        ),
        "tcp": Without(lines=(ports,), calls=("socket",)),
        "udp": Without(calls=("socket",)),
        "unix_abstract": Without(lines=(abstract,), calls=("socket",)),
        **dict.fromkeys(("raw", "packet"), capable),
        "new_namespace": Without(calls=("unshare",)),
        "clone_namespace": Without(calls=("clone",)),
        "shared_memory": Without(calls=("shmget",)),
        "semaphores": Without(calls=("semget",)),
        "message_queue": Without(calls=("msgget",)),
    }
