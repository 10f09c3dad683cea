"""Origins: equal places are equal texts, and nothing else passes for one."""

import pytest

from clawdbot.domain.origin import origin_of, place_of


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("mail.example.com", "https://mail.example.com"),
        ("Mail.Example.com.", "https://mail.example.com"),
        ("mail.example.com:443", "https://mail.example.com"),
        ("mail.example.com:8443", "https://mail.example.com:8443"),
        ("https://mail.example.com/login?next=/#x", "https://mail.example.com"),
        ("HTTPS://mail.example.com:0443/", "https://mail.example.com"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"),
        ("http://gpu-box:80", "http://gpu-box"),
        ("wss://x.test/socket", "https://x.test"),
        ("ws://x.test", "http://x.test"),
        ("http://[::1]:11434/v1", "http://[::1]:11434"),
        ("https://api.telegram.org/bot1:2@x", "https://api.telegram.org"),
    ],
)
def test_a_place_is_written_one_way(address: str, origin: str) -> None:
    assert origin == origin_of(address) == place_of(address)
    assert origin == origin_of(origin)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://",
        "https://user@x.test",
        "https://x.test@evil.test",
        "x.test:443@evil.test",
        "https://x.test\\@evil.test",
        "https://evil.test\n.x.test",
        "https:x.test",
        "//x.test",
        "ftp://x.test",
        "javascript://x.test",
        "https://ｘ.test",
        "https://x.test:0",
        "https://x.test:65536",
        "https://x.test:４４３",
        "https://-x.test",
        "*.x.test",
        " x.test",
        "https://x%2etest",
    ],
)
def test_what_is_no_place_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        origin_of(address)
    assert "" == place_of(address)


def test_a_neighbour_is_another_place() -> None:
    places = ("x.test", "a.x.test", "x.test.evil.test", "http://x.test", "x.test:8443", "xx.test")
    assert len(places) == len({origin_of(place) for place in places})
