"""What the documents say is what the program has: frames, metrics, settings, commands, errors.

Covers clawdbot.panel.help.
"""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard, get_args, get_origin

import msgspec
import pytest

from clawdbot.app.sections import SECTIONS
from clawdbot.cli.commands import COMMANDS
from clawdbot.domain import errors, settings
from clawdbot.domain.text import say
from clawdbot.gateway import frames
from clawdbot.ops import metrics
from clawdbot.panel.help import told

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


def test_every_setting_tells_what_it_is_for() -> None:
    assert set(_keys()) == set(told())


@pytest.mark.parametrize(("name", "language"), [("settings.md", "en"), ("settings.zh-CN.md", "zh")])
def test_the_document_tells_of_every_setting_what_the_panel_does(name: str, language: str) -> None:
    wanted = {key: say(language, text) for key, text in told().items()}
    assert wanted == dict(_documented(read(name)))


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


def _keys() -> Iterator[str]:
    """List the settings as they are written, `*` where a name of the user's stands."""
    yield from _within(settings.Core, "")
    for kind, section in SECTIONS.items():
        for key in _within(section, f"channels.{kind}.*."):
            yield re.sub(r"^channels\.\w+\.\*\.session", "channels.*.*.session", key)


def _within(kind: type[msgspec.Struct], above: str) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        key = above + field.encode_name
        inner = next(filter(_is_section, (field.type, *get_args(field.type))), None)
        if inner is None:
            yield key
        else:
            yield from _within(inner, f"{key}.*." if get_origin(field.type) is dict else f"{key}.")


def _is_section(kind: object) -> TypeGuard[type[msgspec.Struct]]:
    return inspect.isclass(kind) and issubclass(kind, msgspec.Struct)


def _documented(text: str) -> Iterator[tuple[str, str]]:
    """Read the tables: each heading names the section, but for the top."""
    named = {"providers", "model_routing", "tools", "files"}
    places = {each: f"{each}.*" for each in named} | {"mcp": "mcp.servers.*"}
    places |= {"session": "channels.*.*.session", "group": "channels.*.*.session.group"}
    for heading, body in re.findall(r"^##+ (.*?)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        found = re.match(r"`([^`]+)`", heading)
        at = found[1].replace("<account>", "*") if found else ""
        for key, meaning in re.findall(r"^\| `([\w.]+)` \|.*?\|(.*)\|$", body, re.MULTILINE):
            if key not in {"session", "group"}:
                yield ".".join(filter(None, (places.get(at, at), key))), meaning.strip()
