"""The numbers of the filter's system calls are those that libseccomp has, on both processors."""

import ctypes

from clawdbot.sandbox.seccomp import _NEWEST, _NUMBERS, BROWSER, DEFAULT, SHARED

PROCESSORS = (0xC000003E, 0xC00000B7)
UNIFIED = 424  # from here on every processor counts alike


def test_every_number_is_libseccomps() -> None:
    library = ctypes.CDLL("libseccomp.so.2")
    wrong = []
    for name, ours in _NUMBERS.items():
        for number, processor in zip(ours, PROCESSORS, strict=True):
            theirs = library.seccomp_syscall_resolve_name_arch(processor, name.encode())
            alike = UNIFIED <= number <= _NEWEST and len(set(ours)) == 1  # newer than the library
            if max(theirs, -1) != number and not (theirs < 0 and alike):
                wrong.append((name, number, theirs))
    assert [] == wrong


def test_every_number_has_its_rule() -> None:
    assert set(_NUMBERS) - {"clone3"} == {*DEFAULT, *BROWSER, *SHARED}
