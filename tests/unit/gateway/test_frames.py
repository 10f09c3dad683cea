"""The protocol's frames: what is read, what is refused, what is documented."""

import msgspec
import pytest

from clawdbot.gateway import frames


def test_a_frame_goes_both_ways() -> None:
    ping = frames.Ping(n=3)
    assert '{"type":"ping","n":3}' == frames.encode(ping)
    assert ping == frames.decode(frames.encode(ping))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        '{"type":"final"}',
        '{"type":"ping","n":"3"}',
        '{"type":"ping","extra":1}',
        '{"type":"send","conversation":"c","key":"k","text":""}',
        '{"type":"send","conversation":"c","key":"k","attachments":[]}',
        '{"type":"send","conversation":"c","key":"k","text":"t","attachments":["../x"]}',
        '{"type":"send","conversation":"c","key":"k","attachments":[' + '"x",' * 10 + '"x"]}',
        '{"type":"send","conversation":"c d","key":"k","text":"t"}',
        '{"type":"send","conversation":"c","key":"' + "k" * 65 + '","text":"t"}',
        '{"type":"hello","version":1' * 50,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        frames.decode(text)


def test_every_frame_has_a_schema() -> None:
    documented = set(frames.schemas())
    expected = {"Hello", "Send", "Delta", "Reset", "Final", "Tool", "Approval"}
    assert expected | {"Ack", "Ping", "Error"} <= documented
