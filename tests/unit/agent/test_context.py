"""What the model sees fits a budget and never begins in the middle of a call."""

from clawdbot.agent.context import Past, Scene, compose, tokens_of
from clawdbot.domain.messages import Attachment, Call, Message, Result, Role, Source, fixed, own
from clawdbot.domain.people import User

USER = User("u", "Ann", "owner", "en", "Europe/Berlin")
NOON = 1_750_000_000.0


def _scene(*history: Message, summary: str = "") -> Scene:
    return Scene(
        turn="t",
        conversation="c",
        user=USER,
        channel="telegram",
        language="en",
        route="",
        words=(own("hello"),),
        history=tuple(Past(m, tokens_of(m), -i) for i, m in enumerate(history)),
        summary=summary,
    )


def test_the_fixed_words_are_few() -> None:
    (system, _) = compose(_scene(), (), NOON, 1000)
    assert Role.SYSTEM is system.role
    assert 600 > len(system.text)


def test_a_guest_s_name_never_reaches_the_prompt() -> None:
    assert "Ann" not in compose(_scene(), (), NOON, 1000)[0].text


def test_history_comes_oldest_first_after_the_summary() -> None:
    seen = compose(_scene(fixed("2"), own("1"), summary="once"), (), NOON, 1000)
    assert ["1", "2", "hello"] == [message.text for message in seen[2:]]
    assert "once" in seen[1].text


def test_what_does_not_fit_is_left_out_from_the_oldest_on() -> None:
    old, new = own("x" * 4000), own("recent")
    seen = compose(_scene(fixed("yes"), new, fixed("no"), old), (), NOON, 600)
    assert ["recent", "yes", "hello"] == [message.text for message in seen[1:]]


def test_a_history_never_begins_with_an_answer_to_a_cut_call() -> None:
    call = Message(
        role=Role.ASSISTANT,
        parts=(Call(id="0.0", tool="t", arguments="{}", source=Source.MODEL),),
    )
    result = Message(
        role=Role.TOOL, parts=(Result(call="0.0", tool="t", text="r", source=Source.TOOL),)
    )
    seen = compose(_scene(fixed("done"), result, call, own("x" * 9000)), (), NOON, 400)
    assert ["hello"] == [message.text for message in seen[1:]]


def test_the_turn_itself_is_always_there() -> None:
    assert "hello" == compose(_scene(), (), NOON, 1)[-1].text


def test_scripts_are_counted_apart() -> None:
    assert tokens_of(own("磁盘还剩多少")) > tokens_of(own("abcdef"))


def test_a_file_counts_as_what_is_shown_of_it() -> None:
    def tokens(kind: str, size: int) -> int:
        file = Attachment(id="1", name="abcd", kind=kind, size=size, source=Source.OTHER)
        return tokens_of(Message(role=Role.USER, parts=(file,)))

    assert 804 == tokens("image/png", 3_000_000)
    assert (105, 4005) == (tokens("text/plain", 300), tokens("text/plain", 3_000_000))
    assert 5 == tokens("application/zip", 3_000_000)
