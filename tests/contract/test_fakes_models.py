"""The model stand-in against the official clients: they must understand every byte."""

from collections.abc import AsyncIterator

import aiohttp
import anthropic
import openai
import pytest

from tests.fakes.models import (
    KEY,
    MODEL,
    Call,
    ModelServer,
    RemoteModels,
    Reply,
    Rule,
    Timing,
)
from tests.fakes.models.oracle import HELLO, Clients
from tests.fakes.serving import spawned

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
CALLS = [Call("disk", {"path": "/data/用户", "deep": [1, 2]}), Call("clock")]
FAST = Timing(first_ms=0)


@pytest.fixture
async def models() -> AsyncIterator[ModelServer]:
    async with ModelServer(timing=FAST) as server:
        yield server


@pytest.fixture
async def clients(models: ModelServer) -> AsyncIterator[Clients]:
    async with Clients(models.url) as both:
        yield both


both = pytest.mark.parametrize("protocol", ["openai", "anthropic"])


@both
async def test_the_default_is_42_tokens_after_50_ms(protocol):
    async with ModelServer() as models, Clients(models.url) as clients:
        text = await clients.ask(protocol)
        assert (42, "word42.") == (len(text.split()), text.split()[-1])
        entry = (await models.log())[0]
        assert 0.05 <= entry.seconds < 0.5
        assert (1, 200, True) == (entry.seq, entry.status, entry.part("stream"))


async def test_openai_answers_whole_with_usage(models, clients):
    answer = await clients.chat()
    assert (42, "stop") == (answer.usage.completion_tokens, answer.choices[0].finish_reason)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 42
    assert (MODEL, "fp_standin") == (answer.model, answer.system_fingerprint)


async def test_anthropic_answers_whole_with_usage(models, clients):
    answer = await clients.message(system="Be brief.")
    assert (42, "end_turn") == (answer.usage.output_tokens, answer.stop_reason)
    assert (MODEL, "text") == (answer.model, answer.content[0].type)


async def test_openai_streams_usage_only_when_asked(clients):
    with_usage = {"include_usage": True}
    chunks = [c async for c in await clients.chat(stream=True, stream_options=with_usage)]
    assert [None] * 44 == [chunk.usage for chunk in chunks[:-1]]
    assert (42, []) == (chunks[-1].usage.completion_tokens, chunks[-1].choices)
    plain = [c async for c in await clients.chat(stream=True)]
    assert all(chunk.usage is None and chunk.choices for chunk in plain)


async def test_anthropic_streams_every_kind_of_event(models, clients):
    await models.script(Rule(reply=Reply(text="Let me look.", reasoning="hm, hm", calls=CALLS)))
    events = [event async for event in await clients.message(stream=True)]
    kinds = [event.type for event in events]
    assert ["message_start", "content_block_start"] == kinds[:2]
    assert ["message_delta", "message_stop"] == kinds[-2:]
    blocks = [e.content_block.type for e in events if e.type == "content_block_start"]
    assert ["thinking", "text", "tool_use", "tool_use"] == blocks
    deltas = {e.delta.type for e in events if e.type == "content_block_delta"}
    assert {"thinking_delta", "signature_delta", "text_delta", "input_json_delta"} == deltas


async def test_anthropics_ping_is_on_the_wire(models):
    headers = {"anthropic-version": "2023-06-01"}
    body = {"model": MODEL, "max_tokens": 9, "stream": True, "messages": HELLO}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{models.url}/v1/messages", json=body, headers=headers) as answer,
    ):
        assert b'event: ping\ndata: {"type":"ping"}\n\n' in await answer.read()


async def test_openai_calls_tools_in_parallel_and_takes_their_results(models, clients):
    await models.script(
        Rule(contains="disk", last="user", reply=Reply(calls=CALLS)),
        Rule(last="tool", reply=Reply(text="Half full, {user}")),
    )
    tools = [{"type": "function", "function": {"name": "disk", "parameters": SCHEMA}}]
    ask = [{"role": "user", "content": "my disk?"}]
    whole = (await clients.chat(ask, tools=tools)).choices[0]
    assert "tool_calls" == whole.finish_reason
    async with clients.openai.chat.completions.stream(
        model=MODEL, messages=ask, tools=tools
    ) as stream:
        streamed = (await stream.get_final_completion()).choices[0]
    for message in (whole.message, streamed.message):
        functions = [call.function for call in message.tool_calls]
        assert ["disk", "clock"] == [function.name for function in functions]
        assert ['{"path":"/data/用户","deep":[1,2]}', "{}"] == [f.arguments for f in functions]
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": "50%"}
        for call in whole.message.tool_calls
    ]
    history = [*ask, whole.message.model_dump(exclude_none=True), *results]
    answer = await clients.chat(history, tools=tools)
    assert "Half full, my disk?" == answer.choices[0].message.content


async def test_anthropic_calls_tools_in_parallel_and_takes_their_results(models, clients):
    await models.script(
        Rule(contains="disk", last="user", reply=Reply(calls=CALLS)),
        Rule(last="tool", reply=Reply(text="Half full, {user}")),
    )
    tools = [{"name": "disk", "input_schema": SCHEMA}]
    ask = [{"role": "user", "content": "my disk?"}]
    whole = await clients.message(ask, tools=tools)
    async with clients.anthropic.messages.stream(
        model=MODEL, max_tokens=500, messages=ask, tools=tools
    ) as stream:
        streamed = await stream.get_final_message()
    for message in (whole, streamed):
        assert "tool_use" == message.stop_reason
        assert ["disk", "clock"] == [block.name for block in message.content]
        assert [CALLS[0].arguments, {}] == [block.input for block in message.content]
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "50%"}
        for block in whole.content
    ]
    content = [block.model_dump(exclude_none=True) for block in whole.content]
    history = [
        *ask,
        {"role": "assistant", "content": content},
        {"role": "user", "content": results},
    ]
    answer = await clients.message(history, tools=tools)
    assert "Half full, my disk?" == answer.content[0].text


async def test_reasoning_is_kept_apart(models, clients):
    await models.script(Rule(reply=Reply(text="4", reasoning="two and two")))
    whole = (await clients.chat()).choices[0].message
    assert ("4", "two and two") == (whole.content, whole.reasoning_content)
    thoughts = ""
    async for chunk in await clients.chat(stream=True):
        thoughts += getattr(chunk.choices[0].delta, "reasoning_content", "")
    assert "two and two" == thoughts
    answer = await clients.message()
    assert ("two and two", "4") == (answer.content[0].thinking, answer.content[1].text)


async def test_images_are_accepted_and_broken_ones_refused(models, clients):
    def parts(data: str):
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        return [{"role": "user", "content": [{"type": "text", "text": "what?"}, image]}]

    def blocks(data: str):
        source = {"type": "base64", "media_type": "image/png", "data": data}
        return [{"role": "user", "content": [{"type": "image", "source": source}]}]

    await clients.chat(parts(PIXEL))
    await clients.message(blocks(PIXEL))
    with pytest.raises(openai.BadRequestError, match="Invalid image_url"):
        await clients.chat(parts("not base64!"))
    with pytest.raises(anthropic.BadRequestError, match="invalid image"):
        await clients.message(blocks("not base64!"))


@both
async def test_an_answer_is_cut_at_max_tokens(protocol, models, clients):
    assert 7 == len((await clients.ask(protocol, max_tokens=7)).split())
    if protocol == "openai":
        assert "length" == (await clients.chat(max_tokens=7)).choices[0].finish_reason
    else:
        assert "max_tokens" == (await clients.message(max_tokens=7)).stop_reason


@both
async def test_a_text_arrives_exactly_as_scripted(protocol, models, clients):
    text = "你好，世界 \U0001f600\n\n```py\nprint('x')\n```\n\ttab  end "
    await models.script(Rule(reply=Reply(text=text)))
    assert text == await clients.ask(protocol)


@both
async def test_rules_match_in_order_and_are_counted(protocol, models, clients):
    await models.script(
        Rule(pattern="^hel+o$", times=1, reply=Reply(text="first")),
        Rule(contains="nothing like it", reply=Reply(text="never")),
        Rule(skip=1, reply=Reply(text="later")),
    )
    texts = [await clients.ask(protocol) for _ in range(3)]
    assert ["first", "later"] == [texts[0], texts[2]]
    assert 42 == len(texts[1].split())
    await models.clear_script()
    assert 42 == len((await clients.ask(protocol)).split())


async def test_quota_headers_of_both_protocols(clients):
    first = await clients.raw_chat()
    assert ("60", "59") == (
        first.headers["x-ratelimit-limit-requests"],
        first.headers["x-ratelimit-remaining-requests"],
    )
    second = await clients.anthropic.messages.with_raw_response.create(
        model=MODEL, messages=HELLO, max_tokens=5
    )
    assert "58" == second.headers["anthropic-ratelimit-requests-remaining"]
    assert second.headers["anthropic-ratelimit-tokens-reset"].endswith("Z")
    async with ModelServer(timing=FAST, quota=0) as silent, Clients(silent.url) as others:
        third = await others.raw_chat()
        assert [] == [name for name in third.headers if "ratelimit" in name]


@pytest.mark.parametrize(
    ("flavour", "path", "shows"),
    [
        ("ollama", "/api/version", "version"),
        ("ollama", "/api/tags", "models"),
        ("llamacpp", "/props", "model_path"),
        ("llamacpp", "/health", "status"),
        ("vllm", "/version", "version"),
        ("lmstudio", "/api/v0/models", "data"),
    ],
)
async def test_each_local_server_shows_itself(flavour, path, shows):
    async with ModelServer(flavour=flavour, timing=FAST) as models, Clients(models.url) as clients:
        async with aiohttp.ClientSession() as session:
            async with session.get(models.url + path) as answer:
                assert shows in await answer.json()
            async with session.get(models.url + "/api/none") as answer:
                assert 404 == answer.status
        raw = await clients.raw_chat()
        assert "x-ratelimit-limit-requests" not in raw.headers


async def test_the_stand_in_runs_in_its_own_process():
    async with (
        spawned("tests.fakes.models", "--first-ms", "0", "--count", "5", "--key", KEY) as process,
        RemoteModels(process.url) as models,
        Clients(process.url) as clients,
    ):
        assert 5 == len((await clients.ask("openai")).split())
        await models.script(Rule(contains="hello", reply=Reply(calls=CALLS, reasoning="so")))
        answer = await clients.message()
        assert ["thinking", "tool_use", "tool_use"] == [block.type for block in answer.content]
        log = await models.wait_log(lambda entries: 2 == len(entries))
        paths = ["/v1/chat/completions", "/v1/messages"]
        assert paths == [entry.method for entry in log]
