"""Messages are lists of typed parts that keep source and taint through JSON."""

import msgspec

from clawdbot.domain.messages import (
    Attachment,
    Call,
    Image,
    Message,
    Quote,
    Reasoning,
    Result,
    Role,
    Source,
    Text,
    fixed,
    own,
    picture_bytes,
    tainted,
    told,
    unseen,
)


def test_text_leaves_out_what_is_not_plain_words() -> None:
    parts = (
        Reasoning(text="hm", source=Source.MODEL),
        Text(text="a", source=Source.MODEL),
        Quote(author="x", text="q", source=Source.OTHER, taint=True),
        Text(text="b", source=Source.MODEL),
    )
    assert "ab" == Message(role=Role.ASSISTANT, parts=parts).text


def test_calls_are_listed_in_order() -> None:
    calls = tuple(Call(id=f"0.{n}", tool="t", arguments="{}", source=Source.MODEL) for n in (0, 1))
    assert calls == Message(role=Role.ASSISTANT, parts=calls).calls


def test_source_and_taint_survive_json() -> None:
    part = Result(call="0.0", tool="t", text="x", source=Source.TOOL, taint=True)
    message = Message(role=Role.TOOL, parts=(part,))
    assert message == msgspec.json.decode(msgspec.json.encode(message), type=Message)


def test_own_and_fixed_words_do_not_taint_but_others_do() -> None:
    quote = Quote(author="x", text="q", source=Source.OTHER, taint=True)
    assert not tainted([own("hello"), fixed("hi")])
    assert tainted([own("hello"), Message(role=Role.USER, parts=(quote,))])


def test_what_was_sent_along_is_listed_and_told_by_its_name() -> None:
    file = Attachment(id="1", name="a.zip", source=Source.OTHER, taint=True)
    message = Message(role=Role.USER, parts=(*own("look").parts, file))
    assert ((file,), "look", "look\na.zip") == (
        message.attachments,
        message.text,
        told(message.parts),
    )


def test_a_line_stands_for_what_cannot_be_shown() -> None:
    picture = Image(media_type="image/png", data=b"12345", name="cat.png", source=Source.OTHER)
    file = Attachment(id="1", name="a.zip", kind="application/zip", size=9, source=Source.OTHER)
    message = Message(role=Role.USER, parts=(*own("look").parts, picture))
    [blind] = unseen([message])
    assert (5, 0) == (picture_bytes([message]), picture_bytes([blind]))
    assert (message.parts[0], picture.line) == blind.parts
    assert ("picture cat.png", "file a.zip (application/zip, 9 bytes)") == (
        picture.line.kind,
        file.line.kind,
    )
