import pytest

from clawdbot.plugins.frames import HEAD, MOST, OversizedError, exactly, framed, length


def test_a_frame_says_its_length_first() -> None:
    assert b"\0\0\0\2{}" == framed(b"{}")
    assert 2 == length(framed(b"{}")[:HEAD])


def test_a_frame_of_the_largest_size_passes_and_no_larger_one() -> None:
    assert MOST == length(framed(b" " * MOST)[:HEAD])
    with pytest.raises(OversizedError):
        framed(b" " * (MOST + 1))
    with pytest.raises(OversizedError):
        length((MOST + 1).to_bytes(HEAD, "big"))


def test_what_comes_in_pieces_is_received_whole_or_not_at_all() -> None:
    sent = [b"a", b"bc", b"d", b""]
    assert b"abcd" == exactly(4, lambda _: sent.pop(0))
    with pytest.raises(EOFError):
        exactly(1, lambda _: sent.pop(0))
