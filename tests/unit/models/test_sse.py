"""Events out of chunks, however the network cuts them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdbot.domain.errors import ModelMalformed
from clawdbot.models.sse import EVENT_MAX_BYTES, Parser

STREAM = (
    b'\xef\xbb\xbfevent: a\ndata: {"x": 1}\n\n'
    b": keep-alive\n\n"
    b"data:no blank\n\n\n\n"
    b"id: 7\ndata: two\ndata:\ndata:  lines\nretry: 5\n\n"
    b"data\n\n"
    b"dta: not ours\n\n"
    b"data: [DONE]\n\n"
)
EVENTS = [b'{"x": 1}', b"no blank", b"two\n\n lines", b"[DONE]"]


def events(chunks: list[bytes]) -> list[bytes]:
    parser = Parser()
    found = [event for chunk in chunks for event in parser.feed(chunk)]
    return found + parser.close()


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % len(stream) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@given(places=st.lists(st.integers(min_value=0), max_size=12))
def test_any_cut_and_any_line_end_give_the_same_events(end: bytes, places: list[int]) -> None:
    assert EVENTS == events(cut(STREAM.replace(b"\n", end), places))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_bytes_may_come_one_by_one(end: bytes) -> None:
    stream = STREAM.replace(b"\n", end)
    assert EVENTS == events([stream[n : n + 1] for n in range(len(stream))])


def test_the_last_empty_line_may_be_missing() -> None:
    assert [b"1", b"2"] == events([b"data: 1\n\ndata: 2"])
    assert [b"1", b"2"] == events([b"data: 1\n\ndata: 2\r"])


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_no_bytes_confuse_it(chunks: list[bytes]) -> None:
    assert events(chunks) == events([b"".join(chunks)])


def test_an_event_without_end_is_refused() -> None:
    parser = Parser()
    assert [] == parser.feed(b"data: " + b"x" * (EVENT_MAX_BYTES - 6))
    with pytest.raises(ModelMalformed):
        parser.feed(b"x")
