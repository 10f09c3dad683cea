"""What the documents say is what the program has: frames, metrics, settings, commands, errors."""

import inspect
import json
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from clawdbot.app.sections import SECTIONS
from clawdbot.cli.commands import COMMANDS
from clawdbot.domain import errors, settings
from clawdbot.gateway import frames
from clawdbot.ops import metrics

DOCS = Path(__file__).parents[2] / "docs"


def read(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def test_the_protocol_documents_every_frame_as_it_is() -> None:
    blocks = re.findall(r"### (\w+)\n.*?```json\n(.*?)```", read("protocol.md"), re.DOTALL)
    documented = {name: json.loads(block) for name, block in blocks}
    schemas = json.loads(json.dumps(frames.schemas()))
    assert {name.lower(): schema for name, schema in schemas.items()} == documented


def test_every_metric_is_documented() -> None:
    tables = (metrics.COUNTERS, metrics.GAUGES, metrics.HISTOGRAMS)
    names = {entry[0] for table in tables for entry in table.values()} | set(metrics.LEVELS)
    documented = set(re.findall(r"`clawdbot_(\w+)` \|", read("metrics.md")))
    assert names == documented


@pytest.mark.parametrize("name", ["settings.md", "settings.zh-CN.md"])
def test_every_setting_is_documented(name: str) -> None:
    kinds: list[type[msgspec.Struct]] = [settings.Core, *SECTIONS.values()]
    documented = set(re.findall(r"`([\w.]+)`", read(name)))
    assert set() == _keys(kinds) - documented


@pytest.mark.parametrize("name", ["commands.md", "commands.zh-CN.md"])
def test_every_command_and_exit_code_is_documented(name: str) -> None:
    text = read(name)
    assert [] == [command for command in COMMANDS if f"clawdbot {command}" not in text]
    codes = {
        kind.exit_code
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.Failure)
    }
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert set() == codes - documented


def _keys(kinds: Sequence[type[msgspec.Struct]]) -> set[str]:
    found: set[str] = set()
    for kind in kinds:
        for field in msgspec.structs.fields(kind):
            found.add(field.encode_name)
            for inner in re.findall(r"clawdbot[\w.]+\.(\w+)", repr(field.type)):
                nested = getattr(settings, inner, None)
                if inspect.isclass(nested) and issubclass(nested, msgspec.Struct):
                    found |= _keys([nested]) if nested not in kinds else set()
    return found
