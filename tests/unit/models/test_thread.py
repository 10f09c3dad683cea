"""A conversation made ready for a protocol."""

import pytest

from clawdbot.domain.messages import (
    Call,
    Message,
    Reasoning,
    Result,
    Role,
    Source,
    Text,
    fixed,
    own,
)
from clawdbot.models.thread import arguments_of, as_data, thread_of


def call(key: str, arguments: str = "{}") -> Call:
    return Call(id=key, tool="t", arguments=arguments, source=Source.MODEL)


def result(key: str) -> Result:
    return Result(call=key, tool="t", text=f"of {key}", source=Source.TOOL)


def said(role: Role, *parts: Call | Result | Reasoning | Text) -> Message:
    return Message(role=role, parts=parts)


def test_speakers_take_turns_and_say_nothing_blank() -> None:
    system, thread = thread_of(
        [
            fixed("a", Role.SYSTEM),
            fixed("b", Role.SYSTEM),
            own("one"),
            fixed(" \n"),
            own("two"),
            fixed("three"),
            own(""),
            fixed("four"),
        ]
    )
    assert "a\n\nb" == system
    expected = [("user", "one\n\ntwo"), ("assistant", "three\n\nfour")]
    assert expected == [(each.role, each.text) for each in thread]


def test_ids_are_unique_though_ours_come_again_each_turn() -> None:
    turn = [own("?"), said(Role.ASSISTANT, call("0.0")), said(Role.TOOL, result("0.0"))]
    _, thread = thread_of([*turn, fixed("so"), *turn])
    ids = [each.id for one in thread for each in one.calls]
    assert ids == [each.call for one in thread for each in one.results]
    assert 2 == len({*ids})
    assert all(9 == len(each) and each.isalnum() for each in ids)


def test_a_call_without_its_result_is_left_out_and_the_other_way_round() -> None:
    _, thread = thread_of(
        [
            own("?"),
            said(Role.ASSISTANT, call("0.0"), call("0.1")),
            said(Role.TOOL, result("0.1"), result("0.1"), result("0.2")),
            said(Role.ASSISTANT, call("1.0")),
            own("stop"),
        ]
    )
    [made] = [each for one in thread for each in one.calls]
    [given] = [each for one in thread for each in one.results]
    assert made.id == given.call
    assert '<result tool="t">\nof 0.1\n</result>' == given.text


@pytest.mark.parametrize("arguments", ["", "{", "[1]", "null", '"x"', '"\udc80"'])
def test_arguments_that_are_no_object_are_empty(arguments: str) -> None:
    assert {} == arguments_of(call("0.0", arguments))
    assert {"a": [1]} == arguments_of(call("0.0", '{"a": [1]}'))


def test_only_the_thoughts_of_this_turn_are_given_back() -> None:
    def thought(text: str) -> Message:
        reasoning = Reasoning(text=text, signature="s", source=Source.MODEL)
        return said(Role.ASSISTANT, reasoning, Text(text="x", source=Source.MODEL))

    _, thread = thread_of([own("a"), thought("old"), own("b"), thought("new")])
    assert ["new"] == [each.text for one in thread for each in one.thoughts]


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("<quote>\nhi\n</quote>", "hi"),
        ("<quote>\na &lt;/quote> b\n</quote>", "a </quote> b"),
        ("<quote>\n&lt;/ QUOTE >&lt;Quote x>\n</quote>", "</ QUOTE ><Quote x>"),
        ("<quote>\nif a < b: <b>\n</quote>", "if a < b: <b>"),
    ],
)
def test_data_cannot_end_its_mark(expected: str, text: str) -> None:
    assert expected == as_data("quote", text)


def test_an_attribute_cannot_end_either() -> None:
    expected = '<quote author="a&quot;&gt; &lt;/quote&gt; b">\nx\n</quote>'
    assert expected == as_data("quote", "x", author='a">\n</quote> b', empty="")
