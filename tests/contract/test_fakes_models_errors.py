"""What models refuse and how they fail, as the official clients see it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import anthropic
import httpx2
import openai
import pytest

from tests.fakes.models import (
    KEY,
    MODEL,
    Fault,
    ModelServer,
    Reply,
    Rule,
    Timing,
)
from tests.fakes.models.oracle import HELLO, Clients

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
OLD = {"anthropic-version": "2023-06-01"}
CUT = (httpx2.TransportError, openai.APIConnectionError, anthropic.APIConnectionError)
FAST = Timing(first_ms=0)
SLOW = Timing(first_ms=0, token_ms=20)


@pytest.fixture
async def models() -> AsyncIterator[ModelServer]:
    async with ModelServer(timing=FAST) as server:
        yield server


@pytest.fixture
async def clients(models: ModelServer) -> AsyncIterator[Clients]:
    async with Clients(models.url) as both:
        yield both


both = pytest.mark.parametrize("protocol", ["openai", "anthropic"])


OPENAI_ERRORS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}
ANTHROPIC_ERRORS = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    413: anthropic.APIStatusError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    529: anthropic.InternalServerError,
}


@pytest.mark.parametrize("status", OPENAI_ERRORS)
async def test_openai_errors_become_the_clients_classes(status, models, clients):
    await models.script(Rule(reply=Reply(status=status, message="why", retry_after=1.5)))
    with pytest.raises(OPENAI_ERRORS[status]) as error:
        await clients.chat(stream=True)
    assert (status, True) == (error.value.status_code, "why" in str(error.value.body))
    assert "1.5" == error.value.response.headers["retry-after"]


@pytest.mark.parametrize("status", ANTHROPIC_ERRORS)
async def test_anthropic_errors_become_the_clients_classes(status, models, clients):
    await models.script(Rule(reply=Reply(status=status, message="why", retry_after=2)))
    with pytest.raises(ANTHROPIC_ERRORS[status]) as error:
        await clients.message(stream=True)
    assert (status, True) == (error.value.status_code, "why" in str(error.value.body))
    assert "2" == error.value.response.headers["retry-after"]


async def test_a_wrong_key_is_refused():
    async with ModelServer(key=KEY) as models, Clients(models.url, "wrong") as clients:
        with pytest.raises(openai.AuthenticationError) as refused:
            await clients.chat()
        assert "invalid_api_key" == refused.value.code
        with pytest.raises(anthropic.AuthenticationError, match="authentication_error"):
            await clients.message()
        with pytest.raises(openai.AuthenticationError):
            await clients.openai.models.list()
    async with ModelServer(key=KEY) as models, Clients(models.url) as clients:
        assert [MODEL] == [model.id async for model in clients.openai.models.list()]


async def test_an_unknown_model_is_not_found(clients):
    with pytest.raises(openai.NotFoundError) as refused:
        await clients.chat(model="gpt-9")
    assert "model_not_found" == refused.value.code
    with pytest.raises(anthropic.NotFoundError, match="not_found_error"):
        await clients.message(model="gpt-9")


async def test_both_clients_list_the_models():
    async with ModelServer(models=("a", "b")) as models, Clients(models.url) as clients:
        assert ["a", "b"] == [model.id async for model in clients.openai.models.list()]
        assert ["a", "b"] == [model.id async for model in clients.anthropic.models.list()]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"messages": []}, "too short"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "narrator"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "preceeding"),
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream'"),
        ({"temperature": 3}, "temperature"),
        ({"extra_body": {"max_token": 3}}, "max_token"),
        (
            {"tools": [{"type": "function", "function": {"name": "a b", "parameters": SCHEMA}}]},
            "function.name",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"x": 1}}}]},
            "Invalid schema for function",
        ),
    ],
)
async def test_what_openai_refuses_is_refused(clients, options, words):
    with pytest.raises(openai.BadRequestError, match=words):
        await clients.chat(**{"messages": HELLO} | options)


async def test_an_unanswered_call_is_refused(clients):
    function = {"name": "disk", "arguments": "{}"}
    call = {"id": "1", "type": "function", "function": function}
    history = [*HELLO, {"role": "assistant", "tool_calls": [call]}, *HELLO]
    with pytest.raises(openai.BadRequestError, match="must be followed by tool messages"):
        await clients.chat(history)
    use = {"type": "tool_use", "id": "1", "name": "disk", "input": {}}
    history = [*HELLO, {"role": "assistant", "content": [use]}, *HELLO]
    with pytest.raises(anthropic.BadRequestError, match="without `tool_result`"):
        await clients.message(history)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "first message must use"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "narrator"),
        ({"messages": [{"role": "user", "content": " "}]}, "non-whitespace"),
        ({"extra_body": {"temperature": 0.7}}, "temperature"),
        ({"extra_headers": OLD, "extra_body": {"temperature": 1.5}}, "temperature"),
        ({"extra_headers": {"anthropic-version": "2022-01-01"}}, "not a valid version"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"max_token": 3}}, "max_token"),
        ({"tools": [{"name": "a", "input_schema": {"x": 1}}]}, "input_schema"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "1", "content": "x"}],
                    }
                ]
            },
            "unexpected `tool_use_id`",
        ),
    ],
)
async def test_what_anthropic_refuses_is_refused(clients, options, words):
    with pytest.raises(anthropic.BadRequestError, match=words):
        await clients.message(**{"messages": HELLO} | options)


async def test_anthropics_old_version_still_takes_a_temperature(clients):
    answer = await clients.message(extra_headers=OLD, extra_body={"temperature": 0.7})
    assert "end_turn" == answer.stop_reason


@both
async def test_a_model_that_hangs_is_a_time_out(protocol):
    async with ModelServer(timing=FAST) as models, Clients(models.url, timeout=0.2) as clients:
        await models.script(
            Rule(contains="hello", times=1, reply=Reply(failing="hang")),
            Rule(reply=Reply(failing="stall", at_token=5)),
        )
        timeouts = (openai.APITimeoutError, anthropic.APITimeoutError)
        with pytest.raises(timeouts):
            await clients.ask(protocol)
        left = await models.wait_log(lambda log: log[-1].status is not None)
        assert 0 == left[-1].status
        with pytest.raises((*timeouts, httpx2.ReadTimeout)):
            await clients.ask(protocol)
        await models.wait_log(lambda log: log[-1].status is not None)


@both
async def test_a_model_that_dies_at_a_token_cuts_the_line(protocol, models, clients):
    await models.script(Rule(reply=Reply(failing="die", at_token=30)))
    seen: list[str] = []
    with pytest.raises(CUT):
        await clients.ask(protocol, seen=seen)
    assert 30 == len(seen)
    assert 0 == (await models.log())[0].status


@both
async def test_an_error_in_the_stream_is_an_error(protocol, models, clients):
    await models.script(Rule(reply=Reply(failing="error_event", at_token=3)))
    expected = {"openai": openai.APIError, "anthropic": anthropic.APIStatusError}[protocol]
    with pytest.raises(expected, match=r"(?i)error|overloaded"):
        await clients.ask(protocol)


@both
@pytest.mark.parametrize("failing", ["malformed_json", "garbage", "content_type", "malformed_sse"])
async def test_a_spoilt_stream_is_never_a_whole_answer(protocol, failing, models, clients):
    await models.script(Rule(reply=Reply(failing=failing, at_token=3)))
    text = ""
    with contextlib.suppress(ValueError, AssertionError, RuntimeError, anthropic.APIError):
        text = await clients.ask(protocol)
    assert len(text.split()) <= 3
    assert 200 == (await models.log())[0].status


@both
async def test_a_truncated_stream_ends_cleanly_without_its_end(protocol, models, clients):
    await models.script(Rule(reply=Reply(failing="truncate", at_token=3)))
    if protocol == "openai":
        chunks = [chunk async for chunk in await clients.chat(stream=True)]
        assert [None] * 4 == [chunk.choices[0].finish_reason for chunk in chunks]
    else:
        events = [event.type async for event in await clients.message(stream=True)]
        assert "message_stop" not in events


@both
async def test_slow_bytes_still_make_a_whole_answer(protocol, models, clients):
    await models.script(Rule(reply=Reply(text="slow but sure", failing="slow")))
    assert "slow but sure" == await clients.ask(protocol)


@both
async def test_a_spoilt_whole_answer_is_no_answer(protocol, models, clients):
    await models.script(Rule(reply=Reply(failing="malformed_json")))
    with pytest.raises((ValueError, openai.APIError, anthropic.APIError)):
        await (clients.chat() if protocol == "openai" else clients.message())


async def test_tokens_keep_their_distance(clients, models):
    await models.set_timing(SLOW)
    loop = asyncio.get_running_loop()
    times = [loop.time() async for _ in await clients.chat(stream=True, max_tokens=5)]
    assert 0.08 <= times[-1] - times[0] < 1


async def test_faults_of_the_line_hold_for_models_too(models, clients):
    await models.fault(Fault(kind="status", status=503, method="/v1/chat/completions"))
    with pytest.raises(openai.InternalServerError):
        await clients.chat()
    await models.fault(Fault(kind="drop", contains="hello"))
    with pytest.raises(openai.APIConnectionError):
        await clients.chat()
    await clients.chat()


async def test_a_wrong_address_is_not_found(models):
    async with Clients(models.url + "/v2") as clients:
        with pytest.raises(openai.NotFoundError):
            await clients.chat()
    assert "/v2/v1/chat/completions" == (await models.log())[0].method
