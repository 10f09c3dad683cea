"""`clawdbot test-model`: what one question shows, and what each failure says and exits with."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.fakes.models import KEY, MODEL, RemoteModels, Reply, Rule
from tests.fakes.serving import spawned
from tests.integration.cli.conftest import Run

UNTOLD = "the endpoint does not tell"


@pytest.fixture
async def models() -> AsyncIterator[RemoteModels]:
    arguments = ("--port", "0", "--key", KEY, "--first-ms", "30", "--token-ms", "2")
    async with (
        spawned("tests.fakes.models", *arguments) as process,
        RemoteModels(process.url) as remote,
    ):
        yield remote


def pair(models: RemoteModels, key: str = KEY) -> dict[str, str]:
    return {"MODEL_ENDPOINT_URL": f"{models.url}/v1", "MODEL_PROVIDER_AUTH": key}


def table(text: str) -> dict[str, str]:
    return dict(line.split("\t") for line in text.splitlines())


async def test_a_model_shows_version_latency_speed_and_quota(
    run: Run, models: RemoteModels
) -> None:
    done = run("test-model", "--provider", "external", **pair(models))
    assert (0, "") == (done.returncode, done.stderr)
    shown = table(done.stdout)
    assert f"external (openai {models.url}/v1)" == shown["Provider"]
    assert f"{MODEL} (none is set; the first of the endpoint's list)" == shown["Model"]
    assert f"{MODEL} fp_standin" == shown["Version"]
    assert 30 <= int(shown["First token"].removesuffix(" ms")) < 2000
    assert 10 < int(shown["Speed"].removesuffix(" tokens/s")) < 500
    assert "59/60, full again in 0.12 s" == shown["Quota left: requests"]
    assert "59000/60000, full again in 360 s" == shown["Quota left: tokens"]


async def test_the_same_as_json_and_in_chinese(run: Run, models: RemoteModels) -> None:
    done = run("test-model", "--json", "--model", MODEL, **pair(models))
    shown = json.loads(done.stdout)
    assert ("external", MODEL, False) == (shown["provider"], shown["model"], shown["listed"])
    assert {"of": "requests", "remaining": 59, "limit": 60, "reset_s": 0.12} == shown["quota"][0]
    done = run("--lang", "zh", "test-model", **pair(models))
    assert 0 == done.returncode
    assert not {"Model", "Version", "Speed", "First token"} & {*table(done.stdout)}


async def test_the_other_protocol_is_asked_too(run: Run, home, models: RemoteModels) -> None:
    text = f"providers: {{claude: {{protocol: anthropic, url: '{models.url}', auth: {KEY}}}}}\n"
    (home / "clawdbot.yaml").write_text(text)
    shown = table(run("test-model", "--provider", "claude").stdout)
    assert MODEL == shown["Version"]
    assert shown["Quota left: requests"].startswith("59/60, full again in ")
    assert shown["Quota left: output-tokens"].startswith("11800/12000, full again in ")


async def test_an_endpoint_that_tells_nothing_is_said_to(run: Run) -> None:
    async with spawned("tests.fakes.models", "--flavour", "ollama") as process:
        url = {"MODEL_ENDPOINT_URL": process.url, "MODEL_PROVIDER_AUTH": ""}
        shown = table(run("test-model", **url).stdout)
        assert UNTOLD == shown["Quota left"]


def test_the_provider_of_last_resort_answers_without_any_setting(run: Run) -> None:
    done = run("test-model")
    shown = table(done.stdout)
    assert (0, "fallback (offline)", UNTOLD) == (
        done.returncode,
        shown["Provider"],
        shown["Quota left"],
    )


FAILURES = [
    (Reply(status=401, message="no"), 77, "refused the key. Check MODEL_PROVIDER_AUTH."),
    (Reply(status=404, message="no"), 72, "does not know this model or path. See `clawdbot"),
    (Reply(status=429, message="no"), 75, "limits our requests. Wait, or use another"),
    (Reply(status=402, message="no"), 73, "no quota left. Add credit, or use another"),
    (Reply(status=400, message="no"), 65, "refused the request."),
    (Reply(status=500, message="no"), 70, "has trouble of its own. Try again later."),
    (Reply(failing="content_type"), 76, "does not speak this protocol. Check the address"),
    (Reply(failing="malformed_json"), 76, "does not speak this protocol. Check the address"),
    (Reply(failing="hang"), 79, "did not answer in time. Check the network, or raise timeout_s"),
]


@pytest.mark.parametrize(("reply", "code", "text"), FAILURES)
async def test_a_failure_names_cause_and_remedy_and_sets_the_exit_code(
    run: Run, home, models: RemoteModels, reply: Reply, code: int, text: str
) -> None:
    settings = f"providers: {{external: {{url: '{models.url}', auth: {KEY}, timeout_s: 0.5}}}}\n"
    (home / "clawdbot.yaml").write_text(settings)
    await models.script(Rule(reply=reply))
    done = run("test-model", "--provider", "external")
    assert (code, "") == (done.returncode, done.stdout)
    assert text in done.stderr
    assert "127.0.0.1: " in done.stderr.splitlines()[1]


@pytest.mark.parametrize(
    ("url", "code", "text"),
    [
        ("http://no-such-host.invalid/v1", 68, "host is unknown. Check MODEL_ENDPOINT_URL"),
        ("http://127.0.0.1:1/v1", 69, "Nothing answers at the model endpoint. Check that"),
        ("", 78, "No such provider or route, or it has no address. See `clawdbot models`."),
    ],
)
def test_an_address_where_nobody_is(run: Run, url: str, code: int, text: str) -> None:
    done = run(
        "test-model", "--provider", "external", MODEL_ENDPOINT_URL=url, MODEL_PROVIDER_AUTH=""
    )
    assert (code, "") == (done.returncode, done.stdout)
    assert text in done.stderr


async def test_a_certificate_that_cannot_be_trusted(run: Run, models: RemoteModels) -> None:
    url = models.url.replace("http:", "https:")
    done = run("test-model", MODEL_ENDPOINT_URL=url, MODEL_PROVIDER_AUTH=KEY)
    assert 71 == done.returncode
    assert "certificate is not trusted. Check the address, or set net.ca_file." in done.stderr


async def test_failures_in_json_and_chinese(run: Run, models: RemoteModels) -> None:
    done = run("test-model", "--json", **pair(models, "sk-wrong"))
    failure = json.loads(done.stdout)
    assert (77, "ModelKeyRejected") == (done.returncode, failure["failure"])
    assert "Incorrect API key" in failure["detail"]
    done = run("--lang", "zh", "test-model", **pair(models, "sk-wrong"))
    assert "模型端点拒绝了密钥" in done.stderr
    assert "sk-wrong" not in done.stdout + done.stderr


def test_an_unknown_provider_is_told_with_those_there_are(run: Run) -> None:
    done = run("test-model", "--provider", "extrenal")
    assert 78 == done.returncode
    assert "extrenal: No such provider" in done.stderr
    assert "fallback, external" in done.stderr
