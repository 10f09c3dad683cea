"""Chat completions as OpenAI and the many servers like it speak them."""

import re
from functools import lru_cache
from typing import Literal

import msgspec

from tests.fakes.faults import Json, JsonObject
from tests.fakes.models.script import Ask, Plan, pieces
from tests.fakes.models.wire import Frames, Headers, Invalid

CREATED = 1_790_000_000
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*|https?://\S+")
KINDS = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
ANYTHING = msgspec.Raw()
STOPS = {"end": "stop", "calls": "tool_calls"}
DONE = b"data: [DONE]\n\n"


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    id: str
    function: _Function
    type: Literal["function"]


class _Url(msgspec.Struct):
    url: str
    detail: Literal["auto", "low", "high"] = "auto"


class _Text(msgspec.Struct, tag="text"):
    text: str


class _Image(msgspec.Struct, tag="image_url"):
    image_url: _Url


class _Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Text | _Image] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str = ""


class _Declared(msgspec.Struct):
    name: str
    description: str = ""
    parameters: JsonObject = {}
    strict: bool | None = None


class _Tool(msgspec.Struct):
    type: Literal["function"]
    function: _Declared


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    messages: list[_Message]
    stream: bool = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    tools: list[_Tool] | None = None
    top_p: msgspec.Raw = ANYTHING
    tool_choice: msgspec.Raw = ANYTHING
    parallel_tool_calls: msgspec.Raw = ANYTHING
    reasoning_effort: msgspec.Raw = ANYTHING
    response_format: msgspec.Raw = ANYTHING
    stop: msgspec.Raw = ANYTHING
    seed: msgspec.Raw = ANYTHING
    user: msgspec.Raw = ANYTHING
    n: msgspec.Raw = ANYTHING
    frequency_penalty: msgspec.Raw = ANYTHING
    presence_penalty: msgspec.Raw = ANYTHING


class OpenAi:
    """The OpenAI-compatible protocol."""

    def key(self, headers: Headers) -> str:
        """Return the bearer token."""
        return headers.get("Authorization", "").removeprefix("Bearer ")

    def read(self, body: bytes, headers: Headers) -> Ask:
        """Check a request as strictly as the real one."""
        del headers
        try:
            request = msgspec.json.decode(body, type=_Request)
        except msgspec.DecodeError as error:
            raise Invalid(400, str(error)) from error
        _check(request)
        users = [_text(each) for each in request.messages if each.role == "user"]
        last = request.messages[-1].role
        return Ask(
            model=request.model,
            stream=request.stream,
            with_usage=request.stream_options is not None and request.stream_options.include_usage,
            user_text=users[-1] if users else "",
            last="tool" if last == "tool" else "assistant" if last == "assistant" else "user",
            max_tokens=request.max_completion_tokens or request.max_tokens,
            prompt_tokens=max(1, len(body) // 4),
        )

    def whole(self, ask: Ask, plan: Plan) -> bytes:
        """Return an answer that is not streamed."""
        message: JsonObject = {"role": "assistant", "content": plan.text or None, "refusal": None}
        if plan.reasoning:
            message["reasoning_content"] = "".join(plan.reasoning)
        if plan.calls:
            calls: list[Json] = [
                _call(plan, index, call.encoded) for index, call in enumerate(plan.calls)
            ]
            message["tool_calls"] = calls
        choice: JsonObject = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _stop(plan),
        }
        content = _head("chat.completion", ask, plan)
        return msgspec.json.encode({**content, "choices": [choice], "usage": _usage(ask, plan)})

    def frames(self, ask: Ask, plan: Plan) -> Frames:
        """Return a streamed answer."""
        head = msgspec.json.encode(_head("chat.completion.chunk", ask, plan))[:-1]
        usage = b',"usage":null' if ask.with_usage else b""
        before = b"data: " + head + b',"choices":[{"index":0,"delta":'
        after = b',"logprobs":null,"finish_reason":null}]' + usage + b"}\n\n"
        deltas = [b'{"reasoning_content":' + _quoted(each) + b"}" for each in plan.reasoning]
        deltas += [b'{"content":' + _quoted(each) + b"}" for each in plan.tokens]
        deltas += _call_deltas(plan)
        last: JsonObject = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": _stop(plan)}
        end = b"data: " + head + b',"choices":[' + msgspec.json.encode(last) + b"]" + usage
        end += b"}\n\n"
        if ask.with_usage:
            counted = msgspec.json.encode(_usage(ask, plan))
            end += b"data: " + head + b',"choices":[],"usage":' + counted + b"}\n\n"
        return Frames(
            start=before + b'{"role":"assistant","content":"","refusal":null}' + after,
            tokens=[before + delta + after for delta in deltas],
            end=end + DONE,
            error=b"data: " + self.error(500, "The server had an error", "server_error") + b"\n\n",
            malformed=before + b'{"content":"bro',
        )

    def error(self, status: int, message: str, code: str) -> bytes:
        """Return an error's body."""
        kind, usual = KINDS.get(
            status, ("server_error", None) if status >= 500 else ("invalid_request_error", None)
        )
        content = {"message": message, "type": kind, "param": None, "code": code or usual}
        return msgspec.json.encode({"error": content})

    def quota(self, limit: int, remaining: int) -> dict[str, str]:
        """Return the rate-limit headers."""
        return {
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": str(remaining),
            "x-ratelimit-reset-requests": "120ms",
            "x-ratelimit-limit-tokens": str(limit * 1000),
            "x-ratelimit-remaining-tokens": str(remaining * 1000),
            "x-ratelimit-reset-tokens": "6m0s",
            "openai-processing-ms": "5",
        }

    def models(self, names: list[str], owner: str) -> bytes:
        """Return the list of models."""
        data = [
            {"id": name, "object": "model", "created": CREATED, "owned_by": owner} for name in names
        ]
        return msgspec.json.encode({"object": "list", "data": data})


def _check(request: _Request) -> None:
    if not request.messages:
        raise Invalid(400, "[] is too short - 'messages'")
    if request.stream_options is not None and not request.stream:
        raise Invalid(
            400, "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        )
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        raise Invalid(400, f"Invalid 'temperature': {request.temperature} is not within 0 and 2.")
    for tool in request.tools or []:
        if not NAME.fullmatch(tool.function.name):
            raise Invalid(400, f"Invalid 'tools[].function.name': '{tool.function.name}'")
        if tool.function.parameters and tool.function.parameters.get("type") != "object":
            raise Invalid(
                400,
                f"Invalid schema for function '{tool.function.name}': schema must be a JSON Schema"
                " of 'type: \"object\"'",
                "invalid_function_parameters",
            )
    _check_calls(request.messages)


def _check_calls(messages: list[_Message]) -> None:
    open_calls: list[str] = []
    for index, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                raise Invalid(
                    400,
                    "Invalid parameter: messages with role 'tool' must be a response to a"
                    f" preceeding message with 'tool_calls'. (messages[{index}])",
                )
            open_calls.remove(message.tool_call_id)
            continue
        if open_calls:
            break
        open_calls += [call.id for call in message.tool_calls or []]
        if message.content is None and not message.tool_calls:
            raise Invalid(400, f"Invalid value for 'content': got null. (messages[{index}])")
        if isinstance(message.content, list):
            _check_images(message.content)
    if open_calls:
        raise Invalid(
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding"
            f" to each 'tool_call_id'. Missing: {', '.join(open_calls)}",
        )


def _check_images(parts: list[_Text | _Image]) -> None:
    for part in parts:
        if isinstance(part, _Image) and not IMAGE.fullmatch(part.image_url.url):
            raise Invalid(400, "Invalid image_url.", "invalid_image_url")


def _text(message: _Message) -> str:
    if isinstance(message.content, list):
        return "".join(part.text for part in message.content if isinstance(part, _Text))
    return message.content or ""


def _head(kind: str, ask: Ask, plan: Plan) -> JsonObject:
    return {
        "id": f"chatcmpl-{plan.number:08d}",
        "object": kind,
        "created": CREATED,
        "model": ask.model,
        "system_fingerprint": "fp_standin",
    }


def _usage(ask: Ask, plan: Plan) -> Json:
    return {
        "prompt_tokens": ask.prompt_tokens,
        "completion_tokens": plan.completion_tokens,
        "total_tokens": ask.prompt_tokens + plan.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": len(plan.reasoning)},
    }


def _stop(plan: Plan) -> str:
    return STOPS.get(plan.stop, plan.stop)


def _call(plan: Plan, index: int, arguments: str) -> JsonObject:
    return {
        "id": f"call_{plan.number:06d}_{index}",
        "type": "function",
        "function": {"name": plan.calls[index].name, "arguments": arguments},
    }


def _call_deltas(plan: Plan) -> list[bytes]:
    deltas: list[bytes] = []
    for index, call in enumerate(plan.calls):
        first = {"index": index, **_call(plan, index, "")}
        deltas.append(msgspec.json.encode({"tool_calls": [first]}))
        for piece in pieces(call.encoded):
            part = {"index": index, "function": {"arguments": piece}}
            deltas.append(msgspec.json.encode({"tool_calls": [part]}))
    return deltas


@lru_cache(maxsize=4096)
def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)
