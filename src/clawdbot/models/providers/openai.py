"""Chat completions, as OpenAI and the many servers like it speak them; pure."""

from base64 import b64encode
from collections.abc import Collection, Iterator, Sequence

import msgspec

from clawdbot.domain.messages import Call, Image
from clawdbot.models.answer import Answer, Fragments
from clawdbot.models.failures import Fault, of_error
from clawdbot.models.request import Ask, ToolSpec
from clawdbot.models.thread import Said, arguments_of, thread_of

# The field that some servers think aloud in, and want back while a call of theirs is answered.
_THOUGHT = "reasoning_content"
_DONE = b"[DONE]"


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Fragment(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Fragment] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(msgspec.Struct):
    model: str | None = None
    system_fingerprint: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Fault | str | None = None


_CHUNKS = msgspec.json.Decoder(list[_Chunk])


class OpenAi:
    """The OpenAI-compatible protocol."""

    path = "/chat/completions"
    optional: tuple[str, ...] = ("stream_options", "temperature", "max_tokens")

    def base(self, path: str) -> str:
        """Complete the path of an endpoint that was named by its host alone."""
        return path.removesuffix(self.path) or "/v1"

    def headers(self, key: str) -> dict[str, str]:
        """Show the key."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def body(self, ask: Ask, without: Collection[str]) -> dict[str, object]:
        """Write a request, leaving out what the endpoint refuses."""
        system, said = thread_of(ask.messages)
        messages = [message for each in said for message in _messages(each)]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        body: dict[str, object] = {
            "model": ask.model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": ask.temperature,
            "max_tokens": ask.max_tokens,
        }
        if ask.tools:
            body["tools"] = [{"type": "function", "function": _tool(tool)} for tool in ask.tools]
        if "max_tokens" in without:
            body["max_completion_tokens"] = ask.max_tokens
        return {name: value for name, value in body.items() if name not in without}

    def read(self, events: Sequence[bytes], answer: Answer) -> None:
        """Take events into the answer."""
        if _DONE in events:
            answer.done = True
            events = events[: events.index(_DONE)]
        # What comes at once is decoded at once.
        for chunk in _CHUNKS.decode(b"[%b]" % b",".join(events)):
            if chunk.error is not None:
                raise of_error(chunk.error)
            answer.model = chunk.model or answer.model
            answer.version = chunk.system_fingerprint or answer.version
            if chunk.usage is not None:
                answer.tokens_in = chunk.usage.prompt_tokens or 0
                answer.tokens_out = chunk.usage.completion_tokens or 0
            for choice in chunk.choices or ():
                if choice.index == 0:
                    _read_choice(choice, answer)


def _tool(tool: ToolSpec) -> dict[str, object]:
    return {"name": tool.name, "description": tool.description, "parameters": tool.schema}


def _messages(said: Said) -> Iterator[dict[str, object]]:
    for result in said.results:
        yield {"role": "tool", "tool_call_id": result.call, "content": result.text}
    text = said.text
    message: dict[str, object] = {"role": said.role, "content": text or None}
    if said.images:
        parts: list[dict[str, object]] = [_image(image) for image in said.images]
        message["content"] = [*parts, {"type": "text", "text": text}] if text else parts
    if said.calls:
        message["tool_calls"] = [_call(call) for call in said.calls]
    if thought := "".join([t.text for t in said.thoughts if t.signature == _THOUGHT]):
        message[_THOUGHT] = thought
    if text or said.images or said.calls:
        yield message


def _call(call: Call) -> dict[str, object]:
    arguments = msgspec.json.encode(arguments_of(call)).decode()
    function = {"name": call.tool, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _image(image: Image) -> dict[str, object]:
    data = b64encode(image.data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{image.media_type};base64,{data}"}}


def _read_choice(choice: _Choice, answer: Answer) -> None:
    answer.stop = choice.finish_reason or answer.stop
    delta = choice.delta
    if delta is None:
        return
    answer.pieces += 1
    if text := delta.content or delta.refusal:
        answer.texts.append(text)
    if thought := delta.reasoning_content or delta.reasoning:
        answer.thoughts.append(thought)
    if delta.reasoning_content:
        answer.mark = _THOUGHT
    for fragment in delta.tool_calls or ():
        _read_fragment(fragment, answer)


def _read_fragment(fragment: _Fragment, answer: Answer) -> None:
    """Add to a call; some servers give all calls one number, or none, and only change the id."""
    function = fragment.function or _Function()
    call = answer.call(fragment.index)
    if call is None or (fragment.id and fragment.id != call.id):
        call = Fragments(index=fragment.index, id=fragment.id or "", tool=function.name or "")
        answer.calls.append(call)
    call.tool = call.tool or function.name or ""
    call.pieces.append(function.arguments or "")
