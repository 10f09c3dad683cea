"""What a box is: a program, what it sees of the host, what it may use up; pure values.

Everything is denied that is not named here. There is no switch that opens a box: what a program
needs beyond this reaches it as a `Bind` or as a socket that is already connected.
"""

from enum import StrEnum
from posixpath import normpath

from msgspec import Struct, field

from clawdbot.domain.errors import BadInput

WORK = "/work"
ENVIRONMENT = {
    "HOME": WORK,
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "TMPDIR": "/tmp",  # noqa: S108 - the box's own, a memory disk
}
# What programs cannot do without, of a folder that also holds secrets.
ETC = ("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/certs")
# Where Chromium reads what it may; the one place of /etc that a box may have from us.
POLICIES = "/etc/chromium/policies/managed"
CHROMIUM, DRIVER = "/usr/lib/chromium/chromium", "/usr/bin/chromedriver"
FILES_MOST = 16 << 20  # bytes of files that go into a call, or come out of it
TOPS = ("dev", "proc", "tmp", "usr", "work")

_RESERVED = {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "usr"}
_KERNEL = {"dev", "proc", "sys"}
_OPEN = {"etc", "tmp", "work"}  # the top folders that every box has, or in which it may write
_DISABLE_USERNS = (0, 8)
_SIZE = (0, 7)
_MB = 1_048_576


class Profile(StrEnum):
    """Who lives in the box: the browser's has what Chromium cannot run without."""

    DEFAULT = "default"
    BROWSER = "browser"


class Bind(Struct, frozen=True):
    """A path of the host that a box sees, at the same place unless `inside` names another.

    Where the mechanism cannot move paths (Landlock), only the working folder may be elsewhere.
    """

    host: str
    inside: str = ""
    write: bool = False

    @property
    def place(self) -> str:
        """Name the path in the box."""
        return self.inside or self.host


class Limits(Struct, frozen=True, kw_only=True):
    """What a box may use up; 0 is no limit. `cpu_s`, `memory_mb`, `files` are for each process.

    `total_mb` is the memory of all together where there are control groups; 0 is as `memory_mb`.
    """

    wall_s: float = 30.0
    cpu_s: int = 30
    memory_mb: int = 512
    total_mb: int = 0
    processes: int = 64
    files: int = 256
    file_mb: int = 64
    output_bytes: int = _MB
    tmp_mb: int = 64


class Box(Struct, frozen=True, kw_only=True):
    """A program and its surroundings; without a bind at `/work` that folder is a memory disk."""

    argv: tuple[str, ...]
    binds: tuple[Bind, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    folder: str = WORK
    limits: Limits = Limits()
    profile: Profile = Profile.DEFAULT


class Host(Struct, frozen=True, kw_only=True):
    """What bubblewrap's arguments need to know of the host.

    `skeleton` is a folder of empty mount points, `roots` are the folders beside /usr that hold
    programs (where they are no links into it), `etc` is what there is of ETC, `version` is
    bubblewrap's.
    """

    skeleton: str
    roots: tuple[str, ...] = ()
    etc: tuple[str, ...] = ()
    version: tuple[int, ...] = (0, 4)


def environment(box: Box) -> dict[str, str]:
    """Give the whole environment of a box; raises BadInput for words that no program can get."""
    given = {**ENVIRONMENT, **box.env}
    paths = [path for bind in box.binds for path in (bind.host, bind.inside)]
    if not all(map(_is_word, (*box.argv, box.folder, *paths, *given, *given.values()))):
        raise BadInput("a word of a box holds a zero, or half a character")
    if not box.argv or box.argv[0][:1] in {"", "-"}:
        raise BadInput("a box needs a program, and its name does not begin with a dash")
    return given


def tops(box: Box) -> list[str]:
    """Name the top folders that the binds need beside those that every box has."""
    return sorted({_top(bind.place) for bind in _binds(box)} - _OPEN)


def arguments(box: Box, host: Host) -> list[str]:
    """Give bubblewrap's arguments up to the program; raises BadInput for a bind that cannot be."""
    return [
        *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--uid", "1000", "--gid", "1000", "--hostname", "box"),
        *(["--disable-userns"] if host.version >= _DISABLE_USERNS else []),
        *("--ro-bind", host.skeleton, "/"),
        *(part for path in ("/usr", *host.roots, *host.etc) for part in ("--ro-bind", path, path)),
        *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
        *_memory_disk("/dev/shm", box, host),  # noqa: S108 - the box's own
        *_memory_disk("/tmp", box, host),  # noqa: S108
        *_mounts(box, host),
        *("--chdir", box.folder),
        *(part for pair in environment(box).items() for part in ("--setenv", *pair)),
    ]


def _mounts(box: Box, host: Host) -> list[str]:
    made = []
    if WORK not in {bind.place for bind in box.binds}:
        made += _memory_disk(WORK, box, host)
    binds = _binds(box)
    deep = [top for top in tops(box) if f"/{top}" not in {bind.place for bind in binds}]
    for top in deep:
        made += ["--tmpfs", f"/{top}"]  # a place for mount points, read-only once they are made
    for bind in sorted(binds, key=lambda bind: bind.place.count("/")):
        made += ["--bind" if bind.write else "--ro-bind", bind.host, bind.place]
    for top in deep:
        made += ["--remount-ro", f"/{top}"]
    return made


def _binds(box: Box) -> list[Bind]:
    """List the binds that add something; what lies beneath /usr is there as it is."""
    kept = []
    for bind in box.binds:
        top, theirs = _top(bind.place), _top(bind.host)
        if top == "usr" and bind.host == bind.place and not bind.write:
            continue
        reserved = top in _RESERVED and (box.profile, bind.place) != (Profile.BROWSER, POLICIES)
        if reserved or theirs in _KERNEL or bind.place == "/tmp":  # noqa: S108
            raise BadInput(f"no box can have {bind.host} at {bind.place}")
        kept.append(bind)
    return kept


def _top(path: str) -> str:
    if path[:2] == "//" or normpath(path) != path or not _is_word(path):
        raise BadInput(f"not a plain path: {path!r}")
    top = path.split("/")[1:2]
    if path[:1] != "/" or top in ([], [""]):
        raise BadInput(f"not a path from the root, or all of it: {path!r}")
    return top[0]


def _is_word(text: str) -> bool:
    """Tell whether a program can get this; where words are joined a zero would make two of one."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _memory_disk(place: str, box: Box, host: Host) -> list[str]:
    size = ["--size", str(box.limits.tmp_mb * _MB)] if host.version >= _SIZE else []
    return [*(size if box.limits.tmp_mb else []), "--tmpfs", place]
