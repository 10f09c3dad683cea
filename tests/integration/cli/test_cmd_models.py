"""`clawdbot models`: what is set, what is offered, what runs on this machine."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

from tests.fakes.serving import spawned
from tests.integration.cli.conftest import Run

SETTINGS = """
providers:
  cloud: {url: "http://127.0.0.1:1/v1", auth: sk-canary, model: big}
model_routing:
  default: {provider: cloud}
  small: {provider: cloud, model: tiny, temperature: 0, when: {channels: [telegram, web]}}
"""


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.partition("\n\n")[0].splitlines()]


def test_providers_and_routes_are_listed(run: Run, home: Path) -> None:
    (home / "clawdbot.yaml").write_text(SETTINGS)
    done = run("models", "--no-find")
    assert (0, "") == (done.returncode, done.stderr)
    expected = [
        ["provider", "cloud", "big", "openai http://127.0.0.1:1/v1; with a key"],
        ["provider", "external", "", "openai"],
        ["provider", "fallback", "", "offline"],
        ["route", "default", "cloud", "at most 2000 tokens, temperature 0.7"],
        ["route", "emergency", "fallback", "at most 500 tokens, temperature 0.7"],
        [
            "route",
            "small",
            "cloud tiny",
            "at most 2000 tokens, temperature 0; for telegram, web",
        ],
    ]
    assert expected == sorted(rows(done.stdout))
    assert "canary" not in done.stdout


async def test_local_servers_are_found_with_what_to_write(run: Run, home: Path) -> None:
    kinds = {"ollama": "Ollama", "llamacpp": "llama.cpp", "vllm": "vLLM", "lmstudio": "LM Studio"}
    async with AsyncExitStack() as stack:
        urls, ports = {}, list[str]()
        for flavour, kind in kinds.items():
            arguments = ("--flavour", flavour, "--model", "llama3:8b", "--model", "qwen3")
            process = await stack.enter_async_context(spawned("tests.fakes.models", *arguments))
            urls[kind] = f"{process.url}/v1"
            ports += ["--port", f"{process.port}"]
        done = run("models", *ports)
        found = [["found", kind, "llama3:8b, qwen3", url] for kind, url in urls.items()]
        assert found == rows(done.stdout)[-4:]
        lines = done.stdout.partition("write into clawdbot.yaml:\n")[2]
        (home / "clawdbot.yaml").write_text(lines)
        shown = json.loads(run("models", *ports, "--json").stdout)
        assert [] == shown["found"], "they are ours now"
        offers = [each["offers"] for each in shown["providers"] if each["model"] == "llama3:8b"]
        assert [["llama3:8b", "qwen3"]] * 4 == offers
        assert 0 == run("test-model").returncode


async def test_what_an_endpoint_offers_or_why_not_is_told(run: Run, home: Path) -> None:
    (home / "clawdbot.yaml").write_text(SETTINGS)
    many = [word for number in range(8) for word in ("--model", f"m{number}")]
    async with spawned("tests.fakes.models", *many) as process:
        url = {"MODEL_ENDPOINT_URL": f"{process.url}/v1", "MODEL_PROVIDER_AUTH": ""}
        found = {row[1]: row[3] for row in rows(run("models", "--port", "1", **url).stdout)}
    offers = f"openai {process.url}/v1; without a key; offers m0, m1, m2, m3, m4, m5, +2"
    assert offers == found["external"]
    assert "Nothing answers at the model endpoint." in found["cloud"]
