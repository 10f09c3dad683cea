"""A person can read all of it: no module, function or class outgrows its limit, nor the sum."""

import ast
import itertools
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.conftest import Plant
from tests.architecture.tree import ROOT, Function, Module, files, modules

MODULE_LINES = 400
FUNCTION_LINES = 50
CLASS_LINES = 250
PUBLIC_METHODS = 15
PARAMETERS = 7
NESTING = 4
# Lines a package may have, decided in docs/adr/0009: a change of this table is a decision too.
BUDGETS = {
    "": 20,
    "agent": 1330,
    "app": 1200,
    "channels": 2800,
    "cli": 3250,
    "cluster": 350,
    "config": 1050,
    "conversation": 1300,
    "domain": 2530,
    "durable": 700,
    "federated": 350,
    "gateway": 5150,
    "models": 2490,
    "net": 1220,
    "ops": 1600,
    "panel": 5200,
    "plugins": 1000,
    "sandbox": 3220,
    "scheduler": 400,
    "store": 3790,
    "tools": 3950,
}
PYTHON_LINES = 42_900
OTHER_LINES = 8_000
OTHER_KINDS = {".sql", ".html", ".jinja", ".css", ".js", ".sh"}

_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def test_the_source_keeps_its_shape() -> None:
    assert [] == misshapen(ROOT)


def test_the_whole_fits_its_budgets() -> None:
    assert {} == outgrown(ROOT)
    assert PYTHON_LINES == sum(BUDGETS.values())
    assert OTHER_LINES >= other_lines(ROOT, files(ROOT))


def misshapen(root: Path) -> list[str]:
    """List everything over a limit, with its place and size."""
    return list(itertools.chain.from_iterable(map(_module, modules(root))))


def outgrown(root: Path) -> dict[str, int]:
    """Tell by how many lines packages are over their budgets; one without a budget has none."""
    sizes: Counter[str] = Counter()
    for module in modules(root):
        sizes[module.place.rpartition("/")[0].split("/")[0]] += len(module.text.splitlines())
    over = {package: size - BUDGETS.get(package, 0) for package, size in sizes.items()}
    return {package: lines for package, lines in over.items() if lines > 0}


def other_lines(root: Path, among: list[Path]) -> int:
    """Count the lines of our SQL, templates, styles, scripts; tests and vendored files aside."""
    ours = [path for path in among if path.suffix in OTHER_KINDS]
    places = {path: path.relative_to(root).parts for path in ours}
    counted = [p for p in ours if places[p][0] != "tests" and "vendor" not in places[p]]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in counted)


def _module(module: Module) -> list[str]:
    found = []
    if (size := len(module.text.splitlines())) > MODULE_LINES:
        found.append(f"{module.place}: {size} lines")
    for name, function in module.functions:
        found += [f"{module.place}: {name} {fault}" for fault in _function(function)]
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.ClassDef):
            found += [f"{module.place}: {node.name} {fault}" for fault in _class(node)]
    return found


def _function(function: Function) -> list[str]:
    found = []
    if (size := _lines(function) - _docstring_lines(function)) > FUNCTION_LINES:
        found.append(f"has {size} lines")
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    if (count := len([name for name in names if name not in {"self", "cls"}])) > PARAMETERS:
        found.append(f"takes {count} parameters")
    if (depth := max(map(_depth, function.body))) > NESTING:
        found.append(f"nests {depth} deep")
    return found


def _class(node: ast.ClassDef) -> list[str]:
    found = []
    if (size := _lines(node)) > CLASS_LINES:
        found.append(f"has {size} lines")
    methods = [m for m in node.body if isinstance(m, Function) and not m.name.startswith("_")]
    if (count := len({method.name for method in methods})) > PUBLIC_METHODS:
        found.append(f"has {count} public methods")
    return found


def _lines(node: Function | ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _docstring_lines(function: Function) -> int:
    first = function.body[0]
    return (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0


def _depth(node: ast.AST) -> int:
    if isinstance(node, Function | ast.ClassDef | ast.Lambda):
        return 0  # counted by itself
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        children = [child for child in ast.iter_child_nodes(node) if child is not node.orelse[0]]
        return max(1 + max(map(_depth, children)), _depth(node.orelse[0]))  # `elif` is no step
    inner = max(map(_depth, ast.iter_child_nodes(node)), default=0)
    return inner + isinstance(node, _BLOCKS)


_DEEP = "".join("    " * n + "if x:\n" for n in range(1, 6)) + "    " * 6 + "pass\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1\n" * 401, "a.py: 401 lines"),
        ("def f():\n" + "    x = 1\n" * 50, "a.py: f has 51 lines"),
        ("class C:\n    def f():\n" + "        x = 1\n" * 50, "a.py: C.f has 51 lines"),
        ("async def f(a, b, c, /, d, e, f, *, g, h): ...", "a.py: f takes 8 parameters"),
        ("def f(x):\n" + _DEEP, "a.py: f nests 5 deep"),
        ("class C:\n" + "    x = 1\n" * 250, "a.py: C has 251 lines"),
        (
            "class C:\n" + "".join(f"    def f{n}(self): ...\n" for n in range(16)),
            "a.py: C has 16 public methods",
        ),
    ],
)
def test_a_planted_fault_of_shape_is_found(text: str, fault: str, plant: Plant) -> None:
    assert [fault] == misshapen(plant("src/clawdbot/a.py", text))


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    '''" + "word\n" * 60 + "    '''\n" + "    x = 1\n" * 49,
        "class C:\n    def f(self, a, b, c, d, e, f, g): ...\n    def _g(self): ...",
        "def f(x):\n    if x:\n        pass\n" + "    elif x:\n        pass\n" * 6,
    ],
)
def test_what_is_at_its_limit_passes(text: str, plant: Plant) -> None:
    assert [] == misshapen(plant("src/clawdbot/a.py", text))


def test_a_package_over_its_budget_is_found(plant: Plant) -> None:
    plant("src/clawdbot/__main__.py", "x = 1\n" * 20)
    plant("src/clawdbot/cluster/a/b.py", "x = 1\n" * 300)
    plant("src/clawdbot/utils/a.py", "x = 1\n")
    root = plant("src/clawdbot/cluster/c.py", "x = 1\n" * 53)
    assert {"cluster": 3, "utils": 1} == outgrown(root)


def test_only_our_own_files_count_towards_the_other_budget(plant: Plant) -> None:
    plant("src/clawdbot/store/a.sql", "select 1;\n" * 3)
    plant("src/clawdbot/panel/static/vendor/b.js", "x\n" * 5)
    plant("tests/c.sh", "x\n" * 5)
    root = plant("install.sh", "x\n" * 4)
    assert 7 == other_lines(root, list(root.rglob("*.*")))
