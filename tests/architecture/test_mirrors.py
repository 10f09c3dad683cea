"""Every module has its test where one looks for it.

A pure module (`pure.txt`) is mirrored in `tests/unit`, file for file, and `tests/unit` holds
nothing else. A command `cli/cmd_x.py` is mirrored in `tests/integration/cli`. Every other module
is imported or named by a test in `contract`, `integration` or `journey`. What only declares (no
function with a body) needs none.
"""

import ast
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.architecture.conftest import Plant
from tests.architecture.tree import ROOT, Module, lines_of_list, modules, suites

LIST = Path(__file__).with_name("pure.txt")
IMPURE = {
    "aiohttp", "asyncio", "os", "random", "secrets", "shutil", "socket", "sqlite3", "ssl",
    "subprocess", "tempfile", "threading", "time", "urllib", "yaml",
    "clawdbot.durable", "clawdbot.sandbox", "clawdbot.store",
}  # fmt: skip


def test_every_module_has_its_test() -> None:
    assert [] == untested(ROOT, lines_of_list(LIST))


def test_the_unit_tests_mirror_pure_modules_only() -> None:
    assert [] == strays(ROOT, lines_of_list(LIST))


def test_pure_modules_are_pure() -> None:
    assert [] == impure(ROOT, lines_of_list(LIST))


def untested(root: Path, pure: list[str]) -> list[str]:
    """List modules without a test in the suite that is theirs."""
    elsewhere = suites(root, "contract", "integration", "journey")
    found = []
    for module in modules(root):
        if _declares_only(module):
            continue
        mirror = _mirror(module.place, pure)
        if mirror and not (root / "tests" / mirror).exists():
            found.append(f"{module.place}: no tests/{mirror}")
        elif not mirror and not any(_tests(test, module) for test in elsewhere):
            found.append(f"{module.place}: no contract, integration or journey test names it")
    return found


def strays(root: Path, pure: list[str]) -> list[str]:
    """List unit tests that mirror no pure module."""
    mirrors = {_mirror(module.place, pure) for module in modules(root)}
    unit = [test.place for test in suites(root, "unit") if "/test_" in test.place]
    return [place for place in unit if place not in mirrors]


def impure(root: Path, pure: list[str]) -> list[str]:
    """List what pure modules import and must not."""
    return [
        f"{module.place}: {name}"
        for module in modules(root)
        if _listed(module.place, pure)
        for name in sorted(IMPURE & {part for n in module.imports for part in _parents(n)})
    ]


def _listed(place: str, pure: list[str]) -> bool:
    return any(fnmatch(place, pattern) for pattern in pure)


def _mirror(place: str, pure: list[str]) -> str:
    folder, _, name = place.rpartition("/")
    if _listed(place, pure):
        return f"unit/{folder}/test_{name}"
    return f"integration/cli/test_{name}" if fnmatch(place, "cli/cmd_*.py") else ""


def _tests(test: Module, module: Module) -> bool:
    return bool(re.search(rf"\b{re.escape(module.dotted)}\b", test.text)) or (
        module.dotted in test.imports
    )


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def _declares_only(module: Module) -> bool:
    return all(_is_empty(statement) for _, f in module.functions for statement in f.body)


def _is_empty(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


_CODE = "def f():\n    return 1\n"


@pytest.mark.parametrize(
    ("place", "test", "text"),
    [
        ("domain/chunk.py", "unit/domain/test_chunk.py", ""),
        ("cli/cmd_chat.py", "integration/cli/test_cmd_chat.py", ""),
        ("store/inbox.py", "contract/test_store.py", "from clawdbot.store import inbox"),
        ("store/inbox.py", "contract/test_store.py", "from clawdbot.store.inbox import f"),
        ("app.py", "integration/test_start.py", "run('-m', 'clawdbot.app')"),
    ],
)
def test_a_module_without_its_test_is_found(place: str, test: str, text: str, plant: Plant) -> None:
    root = plant(f"src/clawdbot/{place}", _CODE)
    assert [place] == [line.split(":")[0] for line in untested(root, ["domain/*.py"])]
    plant(f"tests/{test}", text)
    assert [] == untested(root, ["domain/*.py"])


def test_what_only_declares_needs_no_test(plant: Plant) -> None:
    protocol = 'class P:\n    def f(self) -> int:\n        """Say it."""\n'
    assert [] == untested(plant("src/clawdbot/domain/ports.py", protocol), ["domain/*.py"])


def test_a_stray_unit_test_is_found(plant: Plant) -> None:
    plant("src/clawdbot/store/inbox.py", _CODE)
    plant("src/clawdbot/domain/chunk.py", _CODE)
    plant("tests/unit/domain/test_chunk.py", "")
    root = plant("tests/unit/store/test_inbox.py", "")
    assert ["unit/store/test_inbox.py"] == strays(root, ["domain/*.py"])


def test_a_pure_module_that_imports_its_surroundings_is_found(plant: Plant) -> None:
    plant("src/clawdbot/store/inbox.py", "import sqlite3")
    root = plant("src/clawdbot/domain/a.py", "import os.path\nfrom clawdbot.store import inbox")
    assert ["domain/a.py: clawdbot.store", "domain/a.py: os"] == impure(root, ["domain/*.py"])
