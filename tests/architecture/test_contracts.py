"""The tools' own settings bite: each import contract and each ruff ban finds a planted fault."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
CONTRACTS = {c["id"]: c["name"] for c in PROJECT["importlinter"]["contracts"]}
CATCHES = ("", " Exception")
BANS = PROJECT["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]

# A tree in LAYOUT's shape, with imports that are allowed.
SKELETON = {
    "__main__": "clawdbot.cli",
    "agent.loop": "clawdbot.tools.registry, clawdbot.models.router, clawdbot.durable.journal",
    "app": "clawdbot.config.load, clawdbot.channels.telegram.channel, clawdbot.tools.builtin.shell",
    "channels.slack.channel": "clawdbot.net.client",
    "channels.telegram.channel": "clawdbot.channels.telegram.wire, clawdbot.net.client",
    "channels.telegram.wire": "clawdbot.domain.messages",
    "cli.main": "clawdbot.app, clawdbot.config.load",
    "config.load": "os, yaml",
    "conversation.turn": "clawdbot.agent.loop",
    "domain.messages": "msgspec",
    "durable.cluster": "dbos",
    "durable.journal": "clawdbot.store.db",
    "gateway.server": "aiohttp, clawdbot.conversation.turn",
    "models.providers.openai": "clawdbot.net.client",
    "models.providers.offline": "clawdbot.domain.messages",
    "models.router": "clawdbot.net.client, clawdbot.store.db",
    "net.client": "aiohttp, ssl, socket",
    "ops.metrics": "prometheus_client",
    "ops.service": "subprocess, clawdbot.gateway.server",
    "panel.routes": "aiohttp, clawdbot.ops.metrics",
    "panel.qr": "segno",
    "plugins.driver": "selenium",
    "store.db": "sqlite3, psycopg",
    "tools.builtin.browser": "clawdbot.sandbox.run",
    "tools.builtin.shell": "clawdbot.domain.messages",
    "tools.registry": "clawdbot.store.db",
}

# Each is a contract, an importer and what it must not import.
FAULTS = [
    ("river", "store.a", "clawdbot.net.client"),
    ("river", "net.a", "clawdbot.store.db"),
    ("river", "domain.a", "clawdbot.store.db"),
    ("river", "gateway.a", "clawdbot.panel.routes"),
    ("river", "panel.a", "clawdbot.app"),
    ("river", "app", "clawdbot.cli.main"),
    ("river", "agent.a", "clawdbot.gateway.server"),
    ("river", "conversation.a", "clawdbot.gateway.server"),
    ("river", "tools.a", "clawdbot.models.router"),
    ("river", "models.a", "clawdbot.tools.registry"),
    ("river", "channels.a", "clawdbot.models.router"),
    ("river", "durable.a", "clawdbot.agent.loop"),
    ("channels-apart", "channels.telegram.a", "clawdbot.channels.slack.channel"),
    ("providers-apart", "models.providers.openai", "clawdbot.models.providers.offline"),
    ("tools-apart", "tools.builtin.shell", "clawdbot.tools.builtin.browser"),
    ("channels-translate", "channels.telegram.b", "clawdbot.store.db"),
    ("channels-translate", "channels.telegram.b", "clawdbot.durable.journal"),
    ("channels-translate", "channels.telegram.b", "clawdbot.config.load"),
    ("codecs", "models.b", "clawdbot.durable.journal"),
    ("codecs", "tools.b", "clawdbot.durable.journal"),
    ("durable-stores", "durable.b", "clawdbot.net.client"),
    ("agent-answers", "agent.b", "clawdbot.channels.slack.channel"),
    ("agent-answers", "agent.b", "clawdbot.net.client"),
    ("adapters", "gateway.b", "clawdbot.channels.telegram.channel"),
    ("adapters", "models.c", "clawdbot.models.providers.openai"),
    ("adapters", "tools.c", "clawdbot.tools.builtin.shell"),
    ("settings", "gateway.c", "clawdbot.config.load"),
    ("values", "domain.b", "asyncio"),
    ("values", "domain.b", "os"),
    ("values", "domain.b", "aiohttp"),
    ("door-processes", "tools.builtin.shell", "subprocess"),
    ("door-processes", "cli.a", "multiprocessing"),
    ("door-sockets", "channels.telegram.c", "socket"),
    ("door-sockets", "gateway.d", "ssl"),
    ("door-web", "channels.telegram.c", "aiohttp"),
    ("door-web", "cli.a", "aiohttp"),
    ("door-database", "durable.c", "sqlite3"),
    ("door-database", "gateway.d", "psycopg"),
    ("door-engine", "durable.c", "dbos"),
    ("door-browser", "tools.builtin.shell", "selenium"),
    ("door-qr", "gateway.d", "segno"),
    ("door-metrics", "gateway.d", "prometheus_client"),
]


def test_a_tree_as_it_should_be_keeps_every_contract(tmp_path: Path) -> None:
    _grow(tmp_path)
    assert dict.fromkeys(CONTRACTS.values(), "KEPT") == _verdicts(_lint(tmp_path))


def test_every_planted_import_is_found(tmp_path: Path) -> None:
    _grow(tmp_path)
    for _, importer, imported in FAULTS:
        _add(tmp_path, importer, imported)
    sections = _broken(_lint(tmp_path))
    expected = [f"{CONTRACTS[id_]}: clawdbot.{who} -> {what}" for id_, who, what in FAULTS]
    edge = re.compile(r"clawdbot\.[\w.]+ -> [\w.]+")
    found = {f"{name}: {match}" for name, text in sections.items() for match in edge.findall(text)}
    assert [] == [line for line in expected if line not in found]
    assert set(CONTRACTS) == {id_ for id_, _, _ in FAULTS} | {"acyclic"}


def test_a_cycle_is_found_at_any_depth(tmp_path: Path) -> None:
    _grow(tmp_path)
    _add(tmp_path, "gateway.b", "clawdbot.gateway.server")
    _add(tmp_path, "gateway.server", "clawdbot.gateway.b")
    broken = {n for n, verdict in _verdicts(_lint(tmp_path)).items() if verdict == "BROKEN"}
    assert {CONTRACTS["acyclic"]} == broken


def test_a_package_without_a_place_in_the_river_is_found(tmp_path: Path) -> None:
    _grow(tmp_path)
    _add(tmp_path, "stuff.a", "msgspec")
    broken = {n for n, verdict in _verdicts(_lint(tmp_path)).items() if verdict == "BROKEN"}
    assert {CONTRACTS["river"]} == broken


def test_ruff_refuses_every_banned_name() -> None:
    lines = [f"from {a} import {b}" if a else f"import {b}" for a, b in map(_split, BANS)]
    assert sorted(BANS) == _refused("src/clawdbot/agent/loop.py", lines)
    assert [] == _refused("src/clawdbot/config/load.py", lines)


@pytest.mark.parametrize("rule", ["BLE001", "C901", "E722", "PLR0913", "T201"])
def test_ruff_refuses_what_the_style_guide_forbids(rule: str) -> None:
    branches = "".join(f"    if a == {n}:\n        print(a)\n" for n in range(11))
    catches = "".join(
        f"    try:\n        f()\n    except{kind}:\n        g()\n" for kind in CATCHES
    )
    text = f"def f({', '.join('abcdefgh')}):\n{branches}{catches}"
    assert rule in _ruff("src/clawdbot/agent/loop.py", text)


def _grow(root: Path) -> None:
    for module, imports in SKELETON.items():
        for imported in imports.split(", "):
            _add(root, module, imported)


def _add(root: Path, module: str, imported: str) -> None:
    path = root.joinpath("clawdbot", *module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.relative_to(root).parents[:-1]:
        (root / folder / "__init__.py").touch()
    with path.open("a") as file:
        file.write(f"import {imported}\n")


def _lint(root: Path) -> str:
    command = ["lint-imports", "--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")]
    return _run(command, root, PYTHONPATH=str(root), COLUMNS="300")


def _verdicts(output: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^(.+?) (KEPT|BROKEN)\b", output))


def _broken(output: str) -> dict[str, str]:
    parts = re.split(r"(?m)^(.+)\n-+$", output.partition("Broken contracts\n")[2])
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _split(name: str) -> tuple[str, str]:
    head, _, tail = name.rpartition(".")
    return head, tail


def _refused(place: str, lines: list[str]) -> list[str]:
    return sorted(re.findall(r"TID251 `([\w.]+)` is banned", _ruff(place, "\n".join(lines))))


def _ruff(place: str, text: str) -> str:
    command = ["ruff", "check", "--no-cache", "--output-format", "concise", "--stdin-filename"]
    return _run([*command, place, "-"], ROOT, text)


def _run(command: list[str], folder: Path, text: str = "", **environment: str) -> str:
    tool = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run(
        [tool, *command[1:]],
        check=False,
        cwd=folder,
        env=os.environ | environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=50,
    )
    return done.stdout + done.stderr
