"""A local model server: OpenAI-compatible chat completions and Anthropic messages.

    async with ModelServer() as models:                  # waits 50 ms, then streams 42 tokens
        await models.script(Rule(contains="disk", last="user", reply=Reply(calls=[Call("disk")])))
        await models.script(Rule(last="tool", reply=Reply(text="Half full.")))
        ...                                              # base URL: models.url + "/v1"
        bodies = [entry.body for entry in await models.log()]

Own process: `python -m tests.fakes.models --port 0`; it prints {"port": N}; see `RemoteModels`.
"""

from tests.fakes.faults import Fault, Logged
from tests.fakes.models.script import Call, Reply, Rule
from tests.fakes.models.server import KEY, MODEL, Models, ModelServer, RemoteModels, Timing

__all__ = [
    "KEY",
    "MODEL",
    "Call",
    "Fault",
    "Logged",
    "ModelServer",
    "Models",
    "RemoteModels",
    "Reply",
    "Rule",
    "Timing",
]
