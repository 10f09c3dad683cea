"""Any exception is caught in at most five places, all of them listed in `bulkheads.txt`."""

import ast
from pathlib import Path

import pytest

from tests.architecture.conftest import Plant
from tests.architecture.tree import ROOT, Module, lines_of_list, modules

LIST = Path(__file__).with_name("bulkheads.txt")
MOST = 5
BROAD = {"Exception", "BaseException"}


def test_broad_catches_stand_in_the_bulkheads_only() -> None:
    assert sorted(lines_of_list(LIST)) == broad(ROOT)


def test_there_are_at_most_five_bulkheads() -> None:
    assert MOST >= len(lines_of_list(LIST))


def broad(root: Path) -> list[str]:
    """List functions that catch everything and go on."""
    return sorted({place for module in modules(root) for place in _broad(module)})


def _broad(module: Module) -> list[str]:
    inside = {id(n): name for name, f in module.functions for n in ast.walk(f)}  # innermost last
    caught = [node for node in ast.walk(module.syntax) if _catches(node)]
    return [f"{module.place}:{inside.get(id(node), '')}" for node in caught]


def _catches(node: ast.AST) -> bool:
    match node:
        case ast.ExceptHandler(type=kind, body=[*_, last]):
            return (kind is None or _is_broad(kind)) and not _reraises(last)
        case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress")):
            return any(map(_is_broad, node.args))
    return False


def _is_broad(kind: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id in BROAD for part in ast.walk(kind))


def _reraises(last: ast.stmt) -> bool:
    return isinstance(last, ast.Raise) and last.exc is None


_TRY = "def f():\n    try:\n        pass\n    "


@pytest.mark.parametrize(
    "text",
    [
        f"{_TRY}except Exception:\n        pass",
        f"{_TRY}except:\n        pass",
        f"{_TRY}except (ValueError, BaseException) as e:\n        raise KeyError from e",
        f"{_TRY}except* Exception:\n        pass",
        "def f():\n    with contextlib.suppress(Exception):\n        pass",
    ],
)
def test_a_planted_broad_catch_is_found(text: str, plant: Plant) -> None:
    assert ["a.py:f"] == broad(plant("src/clawdbot/a.py", text))


@pytest.mark.parametrize("catch", ["except ValueError:\n  pass", "except BaseException:\n  raise"])
def test_a_narrow_catch_passes(catch: str, plant: Plant) -> None:
    assert [] == broad(plant("src/clawdbot/a.py", f"try:\n  pass\n{catch}"))


def test_the_innermost_function_is_named(plant: Plant) -> None:
    text = "class C:\n  def f(self):\n    def g():\n      try: pass\n      except: pass\n"
    assert ["a.py:C.f.g"] == broad(plant("src/clawdbot/a.py", text))
