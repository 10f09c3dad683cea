"""Messages are lists of typed parts that keep source and taint through JSON."""

import msgspec

from clawdbot.domain.messages import (
    Call,
    Message,
    Quote,
    Reasoning,
    Result,
    Role,
    Source,
    Text,
    fixed,
    own,
    tainted,
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
