"""An answer that grows and ends."""

import pytest

from clawdbot.domain.errors import ModelMalformed, ModelRejected
from clawdbot.models.answer import Answer, Fragments
from clawdbot.models.request import CallDelta, ReasoningDelta, TextDelta, Used


def test_news_are_joined_and_taken_once() -> None:
    answer = Answer(texts=["a", "b"], thoughts=["c", "d"], signature="s")
    assert [ReasoningDelta("cd", "s"), TextDelta("ab")] == answer.news()
    assert [] == answer.news()


def test_the_end_gives_calls_and_sum() -> None:
    answer = Answer(stop="tool_calls", model="m", tokens_in=3, pieces=9, mark="field")
    answer.calls.append(Fragments(index=0, id="x", tool="disk", pieces=["{", "}"]))
    [thought, call, used] = answer.end()
    assert ReasoningDelta("", "field") == thought
    assert isinstance(call, CallDelta)
    assert ("disk", "{}", "x", "") == (
        call.call.tool,
        call.call.arguments,
        call.call.provider_id,
        call.call.id,
    )
    assert Used(tokens_in=3, tokens_out=9, model="m") == used


def test_the_latest_call_under_a_number_is_found() -> None:
    answer = Answer()
    first, second = (Fragments(index=0, id=name, tool="t") for name in "ab")
    answer.calls += [first, second]
    assert second is answer.call(0)
    assert answer.call(None) is None


@pytest.mark.parametrize("stop", ["length", "max_tokens", "model_context_window_exceeded"])
def test_a_cut_shows(stop: str) -> None:
    answer = Answer(stop=stop, texts=["half"])
    assert [TextDelta("half")] == answer.news()
    assert TextDelta(" …") == answer.end()[0]
    with pytest.raises(ModelRejected):
        Answer(stop=stop, thoughts=["only"]).end()


def test_what_broke_off_or_was_refused_is_a_failure() -> None:
    with pytest.raises(ModelMalformed):
        Answer(texts=["half"]).end()
    for stop in ("refusal", "content_filter"):
        with pytest.raises(ModelRejected):
            Answer(stop=stop, done=True, texts=["half"]).end()
    assert 1 == len(Answer(done=True).end())
