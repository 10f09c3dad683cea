"""Messages as Anthropic speaks them."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal

import msgspec

from tests.fakes.faults import Json, JsonObject
from tests.fakes.models.script import Ask, Plan, pieces
from tests.fakes.models.wire import Frames, Headers, Invalid

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
ANYTHING = msgspec.Raw()
STOPS = {"end": "end_turn", "calls": "tool_use", "length": "max_tokens"}
SIGNATURE = "c3RhbmQtaW4="


class _Source(msgspec.Struct):
    type: Literal["base64", "url"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"] | None = None
    data: str = ""
    url: str = ""


class _Text(msgspec.Struct, tag="text"):
    text: str


class _Image(msgspec.Struct, tag="image"):
    source: _Source


class _Use(msgspec.Struct, tag="tool_use"):
    id: str
    name: str
    input: JsonObject


class _Result(msgspec.Struct, tag="tool_result"):
    tool_use_id: str
    content: str | list[_Text | _Image] = ""
    is_error: bool = False


class _Thinking(msgspec.Struct, tag="thinking"):
    thinking: str
    signature: str


class _Message(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Text | _Image | _Use | _Result | _Thinking]


class _Tool(msgspec.Struct):
    name: str
    input_schema: JsonObject
    description: str = ""


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    max_tokens: int
    messages: list[_Message]
    system: str | list[_Text] = ""
    stream: bool = False
    tools: list[_Tool] | None = None
    tool_choice: msgspec.Raw = ANYTHING
    thinking: msgspec.Raw = ANYTHING
    stop_sequences: msgspec.Raw = ANYTHING
    metadata: msgspec.Raw = ANYTHING
    service_tier: msgspec.Raw = ANYTHING
    output_config: msgspec.Raw = ANYTHING


class _Sampled(_Request, forbid_unknown_fields=True):
    """Up to version 2026-10-21, which knows no sampling parameters."""

    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: msgspec.Raw = ANYTHING
    top_k: msgspec.Raw = ANYTHING


VERSIONS: dict[str, type[_Request]] = {"2023-06-01": _Sampled, "2026-10-21": _Request}


class Anthropic:
    """The Anthropic Messages protocol."""

    def key(self, headers: Headers) -> str:
        """Return the key, however it is shown."""
        bearer = headers.get("Authorization", "").removeprefix("Bearer ")
        return headers.get("x-api-key", "") or bearer

    def read(self, body: bytes, headers: Headers) -> Ask:
        """Check a request as strictly as the real one."""
        version = headers.get("anthropic-version", "")
        if version not in VERSIONS:
            raise Invalid(400, f"anthropic-version: {version!r} is not a valid version")
        try:
            request = msgspec.json.decode(body, type=VERSIONS[version])
        except msgspec.DecodeError as error:
            raise Invalid(400, str(error)) from error
        _check(request)
        texts = [_text(each) for each in request.messages if each.role == "user"]
        spoken = [text for text in texts if text]
        return Ask(
            model=request.model,
            stream=request.stream,
            with_usage=True,
            user_text=spoken[-1] if spoken else "",
            last=_last(request.messages[-1]),
            max_tokens=request.max_tokens,
            prompt_tokens=max(1, len(body) // 4),
        )

    def whole(self, ask: Ask, plan: Plan) -> bytes:
        """Return an answer that is not streamed."""
        content: list[Json] = []
        if plan.reasoning:
            thought = "".join(plan.reasoning)
            content.append({"type": "thinking", "thinking": thought, "signature": SIGNATURE})
        if plan.tokens:
            content.append({"type": "text", "text": plan.text})
        for index, call in enumerate(plan.calls):
            content.append({**_use(plan, index), "input": call.arguments})
        message = _message(ask, plan)
        return msgspec.json.encode(
            {
                **message,
                "content": content,
                "stop_reason": STOPS.get(plan.stop, plan.stop),
                "usage": _usage(ask, plan.completion_tokens),
            }
        )

    def frames(self, ask: Ask, plan: Plan) -> Frames:
        """Return a streamed answer."""
        message: JsonObject = {**_message(ask, plan), "usage": _usage(ask, 1)}
        tokens: list[bytes] = []
        for index, (start, deltas) in enumerate(_blocks(plan)):
            opened = _event({"type": "content_block_start", "index": index, "content_block": start})
            closed = _event({"type": "content_block_stop", "index": index})
            before = b"event: content_block_delta\ndata: "
            before += b'{"type":"content_block_delta","index":%d,"delta":' % index
            block = [before + delta + b"}\n\n" for delta in deltas]
            block[0] = opened + block[0]
            block[-1] += closed
            tokens += block
        stop: JsonObject = {
            "stop_reason": STOPS.get(plan.stop, plan.stop),
            "stop_sequence": None,
        }
        usage: JsonObject = {"output_tokens": plan.completion_tokens}
        return Frames(
            start=_event({"type": "message_start", "message": message}) + _event({"type": "ping"}),
            tokens=tokens,
            end=_event({"type": "message_delta", "delta": stop, "usage": usage})
            + _event({"type": "message_stop"}),
            error=b"event: error\ndata: " + self.error(529, "Overloaded", "") + b"\n\n",
            malformed=b'event: content_block_delta\ndata: {"type":"content_block_delta","ind',
        )

    def error(self, status: int, message: str, code: str) -> bytes:
        """Return an error's body."""
        kind = code or KINDS.get(status, "api_error")
        content: JsonObject = {"type": kind, "message": message}
        return msgspec.json.encode({"type": "error", "error": content, "request_id": "req_standin"})

    def quota(self, limit: int, remaining: int) -> dict[str, str]:
        """Return the rate-limit headers."""
        reset = (datetime.now(tz=UTC) + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
        headers: dict[str, str] = {}
        for name, factor in (
            ("requests", 1),
            ("tokens", 1000),
            ("input-tokens", 800),
            ("output-tokens", 200),
        ):
            headers[f"anthropic-ratelimit-{name}-limit"] = str(limit * factor)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(remaining * factor)
            headers[f"anthropic-ratelimit-{name}-reset"] = reset
        return headers

    def models(self, names: list[str], owner: str) -> bytes:
        """Return the list of models."""
        del owner
        data = [
            {
                "type": "model",
                "id": name,
                "display_name": name.title(),
                "created_at": "2026-09-01T00:00:00Z",
                "lifecycle": "active",
            }
            for name in names
        ]
        last = names[-1] if names else None
        first = names[0] if names else None
        return msgspec.json.encode(
            {"data": data, "has_more": False, "first_id": first, "last_id": last}
        )


def _check(request: _Request) -> None:
    if not request.messages:
        raise Invalid(400, "messages: at least one message is required")
    if request.messages[0].role != "user":
        raise Invalid(400, 'messages: first message must use the "user" role')
    if request.max_tokens < 1:
        raise Invalid(400, "max_tokens: must be greater than or equal to 1")
    for index, tool in enumerate(request.tools or []):
        if tool.input_schema.get("type") != "object":
            raise Invalid(400, f"tools.{index}.input_schema.type: Input should be 'object'")
    open_uses: set[str] = set()
    for index, message in enumerate(request.messages):
        open_uses = _check_message(index, message, open_uses)
    if open_uses:
        raise Invalid(
            400, f"messages: `tool_use` ids were found without `tool_result`: {open_uses}"
        )


def _check_message(index: int, message: _Message, open_uses: set[str]) -> set[str]:
    """Refuse empty texts and results without uses; return the uses this message opens."""
    if not message.content:
        raise Invalid(400, f"messages.{index}: all messages must have non-empty content")
    parts = message.content if isinstance(message.content, list) else [_Text(message.content)]
    answered = {part.tool_use_id for part in parts if isinstance(part, _Result)}
    if any(isinstance(part, _Text) and not part.text.strip() for part in parts):
        raise Invalid(400, "messages: text content blocks must contain non-whitespace text")
    if any(isinstance(part, _Image) and not _is_image(part.source) for part in parts):
        raise Invalid(400, f"messages.{index}.content.source: invalid image")
    if answered and not isinstance(parts[0], _Result):
        raise Invalid(400, f"messages.{index}: `tool_result` blocks must come first")
    if strange := answered - open_uses:
        raise Invalid(
            400, f"messages.{index}.content: unexpected `tool_use_id` in `tool_result`: {strange}"
        )
    if missing := open_uses - answered:
        raise Invalid(
            400,
            f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately"
            f" after: {', '.join(sorted(missing))}",
        )
    return {part.id for part in parts if isinstance(part, _Use)}


def _is_image(source: _Source) -> bool:
    if source.type == "url":
        return source.url.startswith("https://")
    return source.media_type is not None and bool(re.fullmatch(r"[A-Za-z0-9+/]+=*", source.data))


def _text(message: _Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "".join(part.text for part in message.content if isinstance(part, _Text))


def _last(message: _Message) -> Literal["user", "tool", "assistant"]:
    if message.role == "assistant":
        return "assistant"
    content = message.content if isinstance(message.content, list) else []
    return "tool" if any(isinstance(part, _Result) for part in content) else "user"


def _message(ask: Ask, plan: Plan) -> JsonObject:
    return {
        "id": f"msg_{plan.number:08d}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(ask: Ask, output_tokens: int) -> Json:
    return {
        "input_tokens": ask.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _use(plan: Plan, index: int) -> JsonObject:
    return {
        "type": "tool_use",
        "id": f"toolu_{plan.number:06d}_{index}",
        "name": plan.calls[index].name,
    }


def _blocks(plan: Plan) -> list[tuple[JsonObject, list[bytes]]]:
    """Return each content block's start and its deltas."""
    blocks: list[tuple[JsonObject, list[bytes]]] = []
    if plan.reasoning:
        thoughts = [_delta("thinking_delta", "thinking", each) for each in plan.reasoning]
        thoughts.append(_delta("signature_delta", "signature", SIGNATURE))
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, thoughts))
    if plan.tokens:
        texts = [_delta("text_delta", "text", each) for each in plan.tokens]
        blocks.append(({"type": "text", "text": ""}, texts))
    for index, call in enumerate(plan.calls):
        parts = [_delta("input_json_delta", "partial_json", each) for each in pieces(call.encoded)]
        opened: JsonObject = {**_use(plan, index), "input": {}}
        blocks.append((opened, [_delta("input_json_delta", "partial_json", ""), *parts]))
    return blocks


@lru_cache(maxsize=4096)
def _delta(kind: str, name: str, text: str) -> bytes:
    return msgspec.json.encode({"type": kind, name: text})


def _event(content: JsonObject) -> bytes:
    return (
        f"event: {content['type']}\n".encode() + b"data: " + msgspec.json.encode(content) + b"\n\n"
    )
