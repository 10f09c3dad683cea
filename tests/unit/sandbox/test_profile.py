"""A box's arguments: what is not named is not there, and nothing opens it."""

import pytest

from clawdbot.domain.errors import BadInput
from clawdbot.sandbox.profile import WORK, Bind, Box, Host, Limits, arguments, environment, tops

HOST = Host(skeleton="/s", roots=("/lib64",), etc=("/etc/localtime",), version=(0, 8))


def made(*binds: Bind, version: tuple[int, ...] = (0, 8)) -> str:
    host = Host(skeleton="/s", version=version)
    return " ".join(arguments(Box(argv=("true",), binds=binds), host))


def test_a_box_shares_nothing_with_its_host() -> None:
    words = arguments(Box(argv=("true",)), HOST)
    for name in ("user", "ipc", "pid", "net", "uts"):
        assert f"--unshare-{name}" in words
    assert {"--die-with-parent", "--new-session", "--disable-userns"} <= set(words)
    assert "ALL" == words[words.index("--cap-drop") + 1]
    assert not {"--share-net", "--bind", "--dev-bind"} & set(words)


def test_the_root_is_the_skeleton_and_read_only() -> None:
    assert "--ro-bind /s / --ro-bind /usr /usr --ro-bind /lib64 /lib64" in " ".join(
        arguments(Box(argv=("true",)), HOST)
    )


def test_older_versions_are_asked_for_what_they_know() -> None:
    assert "--disable-userns" not in made(version=(0, 7))
    assert "--size 67108864 --tmpfs /tmp" in made(version=(0, 7))
    assert "--size" not in made(version=(0, 6))


def test_without_a_working_folder_there_is_a_memory_disk() -> None:
    assert "--tmpfs /work" in made()
    assert "--bind /data/w /work" in made(Bind(host="/data/w", inside="/work", write=True))
    assert "--tmpfs /work" not in made(Bind(host="/data/w", inside="/work"))


def test_a_bind_is_read_only_unless_it_says_otherwise() -> None:
    words = made(Bind(host="/opt/u/a"), Bind(host="/opt/u/b", write=True))
    assert (
        "--tmpfs /opt --ro-bind /opt/u/a /opt/u/a --bind /opt/u/b /opt/u/b --remount-ro /opt"
        in words
    )
    box = Box(argv=("true",), binds=(Bind(host="/opt/u/a"), Bind(host="/tmp/x"), Bind(host="/p")))
    assert ["opt", "p"] == tops(box)
    assert "--tmpfs /p" not in made(Bind(host="/p"))


def test_what_lies_beneath_usr_is_there_already() -> None:
    assert made() == made(Bind(host="/usr/local"))


@pytest.mark.parametrize(
    "bind",
    [
        Bind(host="/a", inside="/etc/passwd"),
        Bind(host="/a", inside="/usr/bin"),
        Bind(host="/usr/lib", write=True),
        Bind(host="/a", inside="/proc/self"),
        Bind(host="/a", inside="/tmp"),
        Bind(host="/a", inside=f"{WORK}/../proc"),
        Bind(host="/a", inside="work"),
        Bind(host="/a", inside="//a"),
        Bind(host="/"),
        Bind(host="/", inside="/host"),
        Bind(host="/proc", inside="/p"),
        Bind(host="/sys/fs/cgroup", inside="/c"),
        Bind(host="/a\0b"),
        Bind(host=""),
    ],
)
def test_a_bind_that_would_undo_the_box_is_refused(bind: Bind) -> None:
    with pytest.raises(BadInput):
        made(bind)


def test_a_place_in_memory_may_be_without_limit() -> None:
    box = Box(argv=("true",), limits=Limits(tmp_mb=0))
    assert "--size" not in arguments(box, HOST)


def test_the_environment_is_ours_and_what_the_box_is_given() -> None:
    given = environment(Box(argv=("true",), env={"LANG": "zh_CN.UTF-8", "A": "b"}))
    assert {"HOME", "PATH", "TMPDIR", "LANG", "A"} == set(given)
    assert "zh_CN.UTF-8" == given["LANG"]


@pytest.mark.parametrize(
    "box",
    [
        Box(argv=("true",), env={"A": "b\0--bind\0/\0/host"}),
        Box(argv=("true",), env={"A\0--share-net": "b"}),
        Box(argv=("true",), folder="/work\0--share-net"),
        Box(argv=("true", "a\0b")),
        Box(argv=("true", "\ud800")),
        Box(argv=("true",), binds=(Bind(host="/usr/\ud800"),)),
        Box(argv=("-c", "id")),
        Box(argv=("",)),
        Box(argv=()),
    ],
)
def test_words_that_would_become_others_are_refused(box: Box) -> None:
    with pytest.raises(BadInput):
        arguments(box, HOST)
