"""How a time is written, and what a section refuses."""

import msgspec
import pytest

from clawdbot.domain.settings import Gateway, Session, seconds


@pytest.mark.parametrize(
    ("expected", "text"),
    [(90, "90"), (0.5, "0.5s"), (600, "10m"), (14_400, "4h"), (604_800, "7d"), (30, "30 s")],
)
def test_a_time_is_a_number_with_a_unit(expected: float, text: str) -> None:
    assert expected == seconds(text)


@pytest.mark.parametrize("text", ["", "h", "-4h", "4 hours", "1e9", "inf", "nan", "٣h", "4h\n"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        seconds(text)


def test_the_session_block_has_the_names_of_the_documents() -> None:
    block = {"idle": 60, "max_age": 120, "while_busy": "collect", "reset": ["/new"]}
    session = msgspec.convert(block, Session)
    assert (60, 120) == (session.idle_s, session.max_age_s)


@pytest.mark.parametrize("url", ["", "http://h", "https://h:1/v1?x=1"])
def test_an_address_is_http(url: str) -> None:
    assert url == msgspec.convert({"public_url": url}, Gateway).public_url


@pytest.mark.parametrize("url", ["h:1", "ftp://h", "https://", "https://user:pw@h", "http://h /"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"public_url": url}, Gateway)
