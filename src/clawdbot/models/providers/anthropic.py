"""Messages, as Anthropic speaks them; pure."""

from base64 import b64encode
from collections.abc import Collection, Iterator, Sequence

import msgspec

from clawdbot.models.answer import Answer, Fragments
from clawdbot.models.failures import Fault, of_error
from clawdbot.models.request import Ask
from clawdbot.models.thread import Said, arguments_of, thread_of

_VERSION = "2023-06-01"
# Before the signature of a thought: only what was thought here is given back here.
_SIGNED = "anthropic:"


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None


class _Message(msgspec.Struct):
    model: str = ""
    usage: _Usage | None = None


class _Block(msgspec.Struct):
    type: str
    id: str = ""
    name: str = ""
    text: str = ""


class _Delta(msgspec.Struct):
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    delta: _Delta | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    usage: _Usage | None = None
    error: Fault | None = None


_EVENT = msgspec.json.Decoder(_Event)


class Anthropic:
    """The Anthropic Messages protocol."""

    path = "/messages"
    optional: tuple[str, ...] = ("temperature",)

    def base(self, path: str) -> str:
        """Complete the path of an endpoint that was named as Anthropic's own client has it."""
        path = path.removesuffix(self.path)
        return path if path.endswith("/v1") else f"{path}/v1"

    def headers(self, key: str) -> dict[str, str]:
        """Show the key and the protocol's version."""
        version = {"anthropic-version": _VERSION}
        return {"x-api-key": key, **version} if key else version

    def body(self, ask: Ask, without: Collection[str]) -> dict[str, object]:
        """Write a request, leaving out what the endpoint refuses."""
        system, said = thread_of(ask.messages)
        contents = [(each.role, [*_content(each)]) for each in said]
        body: dict[str, object] = {
            "model": ask.model,
            "max_tokens": ask.max_tokens,
            "messages": [
                {"role": role, "content": content} for role, content in contents if content
            ],
            "stream": True,
            "temperature": min(ask.temperature, 1.0),
        }
        if system:
            body["system"] = system
        if ask.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
                for tool in ask.tools
            ]
        return {name: value for name, value in body.items() if name not in without}

    def read(self, events: Sequence[bytes], answer: Answer) -> None:
        """Take events into the answer, up to its end."""
        for event in events:
            if not answer.done:
                self._read(_EVENT.decode(event), answer)

    def _read(self, found: _Event, answer: Answer) -> None:
        match found:
            case _Event(type="content_block_delta", delta=_Delta() as delta):
                _grow(answer, found.index, delta)
            case _Event(type="content_block_start", content_block=_Block() as block):
                answer.texts += [block.text] if block.text else []
                if block.type == "tool_use":
                    answer.calls.append(Fragments(index=found.index, id=block.id, tool=block.name))
            case _Event(type="message_start", message=_Message() as message):
                answer.model = message.model
                _count(answer, message.usage)
            case _Event(type="message_delta"):
                _count(answer, found.usage)
                answer.stop = (found.delta and found.delta.stop_reason) or answer.stop
            case _Event(type="message_stop"):
                answer.done = True
            case _Event(type="error"):
                raise of_error(found.error or Fault())


def _content(said: Said) -> Iterator[dict[str, object]]:
    for result in said.results:
        answered = {"type": "tool_result", "tool_use_id": result.call}
        yield {**answered, "content": result.text, "is_error": result.failed}
    for thought in said.thoughts:
        if thought.signature.startswith(_SIGNED):
            signature = thought.signature.removeprefix(_SIGNED)
            yield {"type": "thinking", "thinking": thought.text, "signature": signature}
    for image in said.images:
        data = b64encode(image.data).decode()
        source = {"type": "base64", "media_type": image.media_type, "data": data}
        yield {"type": "image", "source": source}
    if said.text:
        yield {"type": "text", "text": said.text}
    for call in said.calls:
        yield {"type": "tool_use", "id": call.id, "name": call.tool, "input": arguments_of(call)}


def _grow(answer: Answer, index: int, delta: _Delta) -> None:
    answer.pieces += 1
    if delta.text:
        answer.texts.append(delta.text)
    elif delta.partial_json:
        if (call := answer.call(index)) is not None:
            call.pieces.append(delta.partial_json)
    elif delta.thinking:
        answer.thoughts.append(delta.thinking)
    elif delta.signature:
        answer.signature = f"{_SIGNED}{delta.signature}"


def _count(answer: Answer, usage: _Usage | None) -> None:
    if usage is None:
        return
    read, made = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    answer.tokens_in = (usage.input_tokens or 0) + read + made or answer.tokens_in
    answer.tokens_out = usage.output_tokens or answer.tokens_out
