"""What reaches outside the process passes one door each.

Import-linter cannot see calls, so the syntax is read here. Ruff warns of the same names while one
types, but what it allows a file, it allows for every name.
"""

import ast
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.architecture.conftest import Plant
from tests.architecture.tree import ROOT, Module, modules

NOWHERE: tuple[str, ...] = ()
CLOCK = ("config/clock.py",)
# The last two look at a box's.
ENVIRONMENT = ("config/load.py", "ops/*", "sandbox/bridge.py", "sandbox/probes.py")
NET = ("net/*",)
PROCESSES = ("ops/*", "sandbox/*")

DOORS = {
    "aiohttp.ClientSession": NET,
    "aiohttp.TCPConnector": NET,
    "aiohttp.UnixConnector": NET,
    "aiohttp.request": NET,
    "asyncio.create_subprocess_exec": PROCESSES,
    "asyncio.create_subprocess_shell": NOWHERE,
    "asyncio.create_task": NOWHERE,
    "asyncio.ensure_future": NOWHERE,
    "asyncio.open_connection": NET,
    "asyncio.open_unix_connection": NET,
    "asyncio.start_server": NET,
    "asyncio.start_unix_server": NET,
    "datetime.date.today": CLOCK,
    "datetime.datetime.now": CLOCK,
    "datetime.datetime.today": CLOCK,
    "datetime.datetime.utcnow": CLOCK,
    "http.client": NET,
    "marshal": NOWHERE,
    "os.environ": ENVIRONMENT,
    "os.environb": ENVIRONMENT,
    "os.execv": PROCESSES,
    "os.execve": PROCESSES,
    "os.execvp": PROCESSES,
    "os.fork": PROCESSES,
    "os.getenv": ENVIRONMENT,
    "os.kill": PROCESSES,
    "os.popen": NOWHERE,
    "os.posix_spawn": PROCESSES,
    "os.putenv": NOWHERE,
    "os.system": NOWHERE,
    "pickle": NOWHERE,
    "shelve": NOWHERE,
    "time.sleep": NOWHERE,
    "time.time": CLOCK,
    "time.time_ns": CLOCK,
    "typing.Any": NOWHERE,
    "typing.cast": NOWHERE,
    "urllib.request": NET,
    "webbrowser": PROCESSES,
}


def test_every_door_is_used_by_its_keeper_only() -> None:
    assert [] == trespasses(ROOT)


def trespasses(root: Path) -> list[str]:
    """List uses of a guarded name outside its door, and tasks without a group."""
    return sorted({line for module in modules(root) for line in _trespasses(module)})


def _trespasses(module: Module) -> list[str]:
    found = [
        f"{module.place}:{line}: {guarded}"
        for name, line in module.uses
        for guarded, door in DOORS.items()
        if f"{name}.".startswith(f"{guarded}.") and not any(fnmatch(module.place, d) for d in door)
    ]
    orphans = [node for node in ast.walk(module.syntax) if _is_orphan_task(node)]
    return found + [f"{module.place}:{ast.unparse(node)}" for node in orphans]


def _is_orphan_task(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="create_task", value=owner):
            return "loop" in ast.unparse(owner).split(".")[-1]
    return False


def _use(name: str) -> str:
    head, _, tail = name.rpartition(".")
    return f"from {head} import {tail}" if head else f"import {name}"


@pytest.mark.parametrize("name", DOORS)
def test_a_trespass_is_found_and_the_keeper_passes(name: str, plant: Plant) -> None:
    root = plant("src/clawdbot/agent/a.py", _use(name))
    for door in DOORS[name]:
        plant(f"src/clawdbot/{door.replace('*', 'a.py')}", _use(name))
    assert [f"agent/a.py:1: {name}"] == trespasses(root)


@pytest.mark.parametrize(
    "text",
    [
        "import aiohttp as web\nx = web.ClientSession()",
        "from os import environ as e",
        "import os\nos.environ['A'] = '1'",
        "from datetime import datetime\ndatetime.now()",
        "import asyncio as a\nasync def f():\n    a.get_running_loop().create_task(g())",
        "async def f(loop):\n    loop.create_task(g())",
        "async def f(self):\n    self._loop.create_task(g())",
    ],
)
def test_a_trespass_in_disguise_is_found(text: str, plant: Plant) -> None:
    assert 1 == len(trespasses(plant("src/clawdbot/agent/a.py", text)))


def test_what_only_looks_alike_passes(plant: Plant) -> None:
    text = "import os\nfrom aiohttp import web\nasync def f(group):\n    group.create_task(g())\n"
    assert [] == trespasses(plant("src/clawdbot/gateway/a.py", f"{text}os.path.join(web.time)"))
