"""The official clients as the judges of every byte of the model stand-in."""

from typing import Self

import anthropic
import openai

from tests.fakes.models.server import KEY, MODEL

HELLO = [{"role": "user", "content": "hello"}]


class Clients:
    """Both official clients at one stand-in, never trying twice."""

    def __init__(self, url: str, key: str = KEY, timeout: float = 5.0) -> None:
        self.openai = openai.AsyncOpenAI(
            base_url=f"{url}/v1",
            api_key=key,
            max_retries=0,
            timeout=timeout,
            http_client=openai.DefaultAsyncHttpxClient(verify=False),
        )
        self.anthropic = anthropic.AsyncAnthropic(
            base_url=url,
            api_key=key,
            max_retries=0,
            timeout=timeout,
            http_client=anthropic.DefaultAsyncHttpxClient(verify=False),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.openai.close()
        await self.anthropic.close()

    def chat(self, messages=HELLO, **options):
        options.setdefault("model", MODEL)
        return self.openai.chat.completions.create(messages=messages, **options)

    def raw_chat(self):
        return self.openai.chat.completions.with_raw_response.create(
            model=MODEL, messages=[{"role": "user", "content": "hello"}]
        )

    def message(self, messages=HELLO, **options):
        options = {"model": MODEL, "max_tokens": 500, **options}
        return self.anthropic.messages.create(messages=messages, **options)

    async def ask(self, protocol, seen=None, **options) -> str:
        """Stream an answer with either protocol; return its text, put its pieces into `seen`."""
        seen = [] if seen is None else seen
        if protocol == "openai":
            async for chunk in await self.chat(stream=True, **options):
                seen += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        else:
            async for event in await self.message(stream=True, **options):
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    seen.append(event.delta.text)
        return "".join(seen)
