"""Attacks, each a small program that runs in a box; says which were open. Standard library only.

What is attacked is the world that `driver.py` laid out in its disposable namespaces. Bombs are
bounded, and nothing is done to it that it does not outlive.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

MB = 1_048_576
NEWUSER = 0x10000000
libc = ctypes.CDLL(None, use_errno=True)


class World(TypedDict):
    """What there is to attack."""

    canary: str
    secret: str
    process: int
    port: int
    path: str
    name: str
    key: int
    host: str
    readonly: str
    uid: int


world: World = json.loads(sys.argv[2])
ATTACKS: dict[str, Callable[[], object]] = {}


def attack(act: Callable[[], object]) -> Callable[[], object]:
    """Register: it is open where it returns anything but False without an OSError."""
    ATTACKS[act.__name__] = act
    return act


# Files.


@attack
def read_secret():
    return world["secret"] in Path(world["canary"], "file").read_text(encoding="utf-8")


@attack
def list_folder():
    return list(Path(world["canary"]).iterdir())


@attack
def write_outside():
    return Path(world["canary"], "made").write_text("x", encoding="utf-8")


@attack
def write_readonly():
    return Path(world["readonly"], "made").write_text("x", encoding="utf-8")


@attack
def write_root():
    return Path("/made").write_text("x", encoding="utf-8")


@attack
def follow_link():
    Path("link").unlink(missing_ok=True)
    Path("link").symlink_to(Path(world["canary"], "file"))
    return Path("link").read_bytes()


@attack
def truncate():
    os.truncate(Path(world["canary"], "empty"), 0)


@attack
def change_mode():
    Path(world["canary"], "empty").chmod(0o644)


@attack
def change_time():
    os.utime(Path(world["canary"], "empty"), (1, 1))


@attack
def change_owner():
    os.chown(Path(world["canary"], "empty"), -1, os.getgid())


@attack
def remove():
    Path(world["canary"], "empty").unlink()


@attack
def hard_link():
    Path("hard").unlink(missing_ok=True)
    Path("hard").hardlink_to(Path(world["canary"], "file"))


@attack
def watch():
    watcher = libc.inotify_init1(0)
    name = os.fsencode(world["canary"])
    return libc.inotify_add_watch(watcher, name, 0x2) >= 0


@attack
def execute():
    return subprocess.run([f"{world['canary']}/program"], check=True, close_fds=False)


# Processes and their environment.


@attack
def environment():
    return world["secret"] in "".join(os.environ.values())


@attack
def first_environment():
    return world["secret"] in Path("/proc/1/environ").read_text(encoding="utf-8")


@attack
def list_processes():
    return Path(f"/proc/{world['process']}") in Path("/proc").iterdir()


@attack
def send_signal():
    os.kill(world["process"], signal.SIGCONT)


@attack
def read_limits():
    resource.prlimit(world["process"], resource.RLIMIT_CORE)


@attack
def set_priority():
    os.setpriority(os.PRIO_PROCESS, world["process"], 0)


@attack
def set_affinity():
    os.sched_setaffinity(world["process"], os.sched_getaffinity(0))


@attack
def leave_session():
    if os.fork() == 0:
        try:
            os.setsid()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.wait()[1] == 0


@attack
def inherited():
    return os.fstat(50)


@attack
def outlive():
    if os.fork() == 0:
        if os.fork() == 0:
            try:
                os.setsid()
            finally:
                os.closerange(0, 3)
                time.sleep(3)
        os._exit(0)
    os.wait()
    return False  # the driver listens at the other end of descriptor 4


@attack
def own_number():
    return os.getuid() == world["uid"]


# Sockets.


@attack
def tcp():
    socket.create_connection(("127.0.0.1", world["port"]), 2).close()


@attack
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.settimeout(2)
        ours.sendto(b"x", ("127.0.0.1", world["port"]))
        return ours.recv(1)


@attack
def unix_path():
    with socket.socket(socket.AF_UNIX) as ours:
        ours.connect(world["path"])


@attack
def unix_abstract():
    with socket.socket(socket.AF_UNIX) as ours:
        ours.connect("\0" + world["name"])


@attack
def raw():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


@attack
def packet():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


@attack
def netlink():
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()


def reaches(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError as error:
        return error.errno not in {errno.EPERM, errno.EACCES}
    return True


@attack
def vsock():
    return reaches(40)


@attack
def algorithm():
    return reaches(38)


@attack
def strange_families():
    return any(reaches(family) for family in {*range(3, 46)} - {10, 16, 17, 38, 40})


@attack
def strange_pairs():
    return libc.socketpair(30, 1, 0, None) != 0 and ctypes.get_errno() != errno.EPERM


# Namespaces and what else of the kernel ordinary programs have no use for.


@attack
def new_namespace():
    if (pid := os.fork()) == 0:
        os._exit(0 if libc.unshare(NEWUSER) == 0 else 1)
    return os.waitpid(pid, 0)[1] == 0


@attack
def clone_namespace():
    pid = call(56, 220, NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return pid > 0


@attack
def clone_by_structure():
    call(435, 435, 0, 0)
    return ctypes.get_errno() != errno.ENOSYS


def call(x86: int, arm: int, *arguments: int) -> int:
    ctypes.set_errno(0)
    number = x86 if os.uname().machine == "x86_64" else arm
    return int(libc.syscall(number, *(ctypes.c_long(argument) for argument in arguments)))


# Arguments that the kernel refuses for another reason than permission, once it sees them.
CALLS = {
    "add_key": (248, 217, 0, 0, 0, 0, 0),
    "adjtimex": (159, 171, 0),
    "bpf": (321, 280, 0, 0, 1 << 20),
    "chroot": (161, 51, 0),
    "clock_settime": (227, 112, -1, 0),
    "io_setup": (206, 0, 0, 0),
    "io_uring": (425, 425, 0, 0),
    "kcmp": (312, 272, -1, -1, 99, 0, 0),
    "keyctl": (250, 219, -1),
    "memory_file": (319, 279, 0, -1),
    "mount": (165, 40, 0, 0, 0, 0, 0),
    "mount_attributes": (442, 442, -1, 0, 0, 0, 0),
    "move_pages": (279, 239, 0, 0, 0, 0, 0, -1),
    "name_to_handle": (303, 264, -1, 0, 0, 0, -1),
    "open_tree": (428, 428, -1, 0, 0),
    "perf": (298, 241, 0, 0, 0, 0, -1),
    "pidfd_getfd": (438, 438, -1, 0, 1),
    "process_read": (310, 270, 0, 0, 0, 0, 0, 1),
    "process_write": (311, 271, 0, 0, 0, 0, 0, 1),
    "quota": (179, 60, -1, 0, 0, 0),
    "request_key": (249, 218, 0, 0, 0, 0),
    "set_namespace": (308, 268, -1, 0),
    "userfaultfd": (323, 282, -1),
}


def reached(numbers: tuple[int, ...]) -> Callable[[], bool]:
    return lambda: call(*numbers) != -1 or ctypes.get_errno() != errno.EPERM


ATTACKS |= {name: reached(numbers) for name, numbers in CALLS.items()}


@attack
def trace():
    if (pid := os.fork()) == 0:
        os._exit(0 if libc.ptrace(0, 0, 0, 0) == 0 else 1)
    return os.waitpid(pid, 0)[1] == 0


def typed(request: int) -> bool:
    try:
        fcntl.ioctl(0, request, b"x")
    except OSError as error:
        return error.errno != errno.EPERM
    return True


@attack
def type_into_terminal():
    return typed(0x5412)


@attack
def paste_into_console():
    return typed(0x541C)


@attack
def other_processor():
    """Call getpid as a program for i386 does."""
    code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(place)()


@attack
def half_processor():
    """Call getpid by its number of x32."""
    return call(0x40000000 | 39, 0)


# What processes share.


@attack
def shared_memory():
    return libc.shmget(world["key"], 1, 0) >= 0


@attack
def semaphores():
    return libc.semget(world["key"], 1, 0) >= 0


@attack
def message_queue():
    return libc.msgget(world["key"], 0) >= 0


@attack
def named_queue():
    return call(240, 180, address(f"{world['name']}\0"), os.O_RDONLY, 0, 0) >= 0


_kept: list[ctypes.Array[ctypes.c_char]] = []


def address(text: str) -> int:
    _kept.append(ctypes.create_string_buffer(text.encode()))
    return ctypes.addressof(_kept[-1])


@attack
def host_name():
    return socket.gethostname() == world["host"]


# Bombs, all small: the limits of the box are smaller.


@attack
def memory():
    return bytearray(300 * MB)


@attack
def memory_of_many():
    children = []
    for _ in range(4):
        if (pid := os.fork()) == 0:
            held = bytearray(100 * MB)
            time.sleep(0.2)
            os._exit(len(held) == 0)
        children.append(pid)
    return sum(os.waitpid(pid, 0)[1] for pid in children) == 0


@attack
def forks():
    made = []
    try:
        for _ in range(30):
            if (pid := os.fork()) == 0:
                time.sleep(5)
                os._exit(0)
            made.append(pid)
    finally:
        for pid in made:
            os.kill(pid, signal.SIGKILL)


@attack
def threads():
    threading.stack_size(MB // 4)
    done = threading.Event()
    try:
        for _ in range(30):
            threading.Thread(target=done.wait, args=(5,), daemon=True).start()
    except RuntimeError:
        return False
    finally:
        done.set()


@attack
def descriptors():
    return [os.dup(0) for _ in range(300)]


@attack
def large_file():
    Path("large").touch()
    os.truncate("large", 20 * MB)


def fill(folder: str) -> bool:
    for number in range(24):
        Path(folder, f"filling-{number}").write_bytes(bytes(MB))
    return True


@attack
def full_tmp():
    return fill("/tmp")


@attack
def full_shm():
    return fill("/dev/shm")


@attack
def spin():
    while time.process_time() < 1.6:
        pass


def is_open(name: str) -> bool:
    """Try an attack in a process of its own, which may not live to tell."""
    if (pid := os.fork()) == 0:
        try:
            os._exit(ATTACKS[name]() is not False)
        except (OSError, MemoryError, subprocess.CalledProcessError):
            os._exit(0)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


if __name__ == "__main__":
    print(json.dumps({name: is_open(name) for name in sys.argv[1].split(",")}))
