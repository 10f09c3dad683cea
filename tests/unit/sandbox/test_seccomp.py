"""The filter, run by a machine of our own: what it is asked, what it answers."""

import struct

import pytest

from clawdbot.domain.errors import SandboxRefused
from clawdbot.sandbox.seccomp import BROWSER, DEFAULT, SHARED, Check, Rules, program

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
X86, ARM, I386 = 0xC000003E, 0xC00000B7, 0x40000003
READ, IOCTL, CLONE, PTRACE, SOCKET, SOCKETPAIR, PRLIMIT, UTIMENSAT = (
    0,
    16,
    56,
    101,
    41,
    53,
    302,
    280,
)


def answer(code: bytes, number: int, *arguments: int, processor: int = X86) -> int:
    """Run a program of the kernel's packet filter over a system call, and count that it ends."""
    words = [number, processor, 0, 0]
    for argument in (*arguments, *[0] * 6)[:6]:
        words += [argument & 0xFFFFFFFF, argument >> 32]
    lines = list(struct.iter_unpack("<HBBI", code))
    at = held = 0
    while True:
        kind, true, false, value = lines[at]
        at += 1
        match kind:
            case 0x20:
                held = words[value // 4]
            case 0x54:
                held &= value
            case 0x15:
                at += true if held == value else false
            case 0x35:
                at += true if held >= value else false
            case 0x05:
                at += value
            case 0x06:
                return value


def ask(rules: Rules, number: int, *arguments: int) -> int:
    return answer(program("x86_64", rules), number, *arguments)


def test_what_programs_use_is_allowed() -> None:
    for rules in (DEFAULT, BROWSER, SHARED):
        assert ALLOW == ask(rules, READ)
        assert ALLOW == ask(rules, CLONE, 0x003D0F00)  # a thread
        assert ALLOW == ask(rules, SOCKETPAIR, 1, 1)
        assert ALLOW == ask(rules, IOCTL, 0, 0x5401)


def test_a_named_call_fails() -> None:
    assert EPERM == ask(DEFAULT, PTRACE)
    assert EPERM == answer(program("aarch64", DEFAULT), 117, processor=ARM)


def test_another_processors_calls_end_the_process() -> None:
    code = program("x86_64", DEFAULT)
    assert KILL == answer(code, READ, processor=I386)
    assert KILL == answer(code, 0x40000000 | READ)


def test_what_is_newer_than_the_list_does_not_exist() -> None:
    assert ENOSYS == ask(DEFAULT, 463)
    assert ENOSYS == ask(DEFAULT, 435)  # clone3, whose flags no filter can read
    assert ALLOW == ask(DEFAULT, 462)


@pytest.mark.parametrize("flag", [0x00020000, 0x10000000, 0x20000000, 0x40000000])
def test_no_clone_makes_a_namespace(flag: int) -> None:
    assert EPERM == ask(DEFAULT, CLONE, 17 | flag)
    assert EPERM == ask(DEFAULT, CLONE, 17 | flag | 1 << 40)


@pytest.mark.parametrize("request_", [0x5412, 0x541C, 0x5412 | 1 << 32])
def test_nobody_types_into_a_terminal(request_: int) -> None:
    assert EPERM == ask(DEFAULT, IOCTL, 0, request_)


@pytest.mark.parametrize(
    ("family", "kind", "default", "browser"),
    [
        (2, 1, ALLOW, ALLOW),
        (10, 2 | 0o2004000, ALLOW, ALLOW),
        (2, 3, EPERM, EPERM),
        (1, 1, EPERM, ALLOW),
        (16, 2, EPERM, ALLOW),
        (17, 3, EPERM, EPERM),
        (38, 5, EPERM, EPERM),
        (40, 1, EPERM, EPERM),
    ],
)
def test_sockets_by_family_and_type(family: int, kind: int, default: int, browser: int) -> None:
    assert default == ask(DEFAULT, SOCKET, family, kind)
    assert browser == ask(BROWSER, SOCKET, family, kind)
    assert EPERM == ask(SHARED, SOCKET, family, kind)


def test_without_namespaces_only_oneself_is_reached() -> None:
    assert ALLOW == ask(SHARED, PRLIMIT, 0)
    assert EPERM == ask(SHARED, PRLIMIT, 4242)
    assert ALLOW == ask(SHARED, UTIMENSAT, 3, 0)
    assert EPERM == ask(SHARED, UTIMENSAT, 3, 0x100000000)  # a pointer whose lower half is 0
    assert ALLOW == ask(DEFAULT, PRLIMIT, 4242)


def test_several_values_of_one_check() -> None:
    for wanted, met, other in ((True, ALLOW, EPERM), (False, EPERM, ALLOW)):
        rules = {"ioctl": (Check(2, (1, 2, 3), wanted=wanted),)}
        assert [met] * 3 == [ask(rules, IOCTL, 0, n) for n in (1, 2, 3)]
        assert other == ask(rules, IOCTL, 0, 4)


def test_an_unknown_processor_has_no_filter() -> None:
    with pytest.raises(SandboxRefused):
        program("mips", DEFAULT)
