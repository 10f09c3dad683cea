"""A module is named after the thing, and one word means one concept everywhere.

`docs/GLOSSARY.md` holds a table `| term | meaning | never |`: a term stands somewhere in the
source, and what its third column lists (separated by commas) stands nowhere as a name.
"""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.conftest import Plant
from tests.architecture.tree import ROOT, Module, modules

KINDS = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
OURS = {"turn", "lane", "step", "journal", "inbox", "outbox", "receipt", "taint", "source", "caps"}


def test_no_module_is_named_after_its_kind() -> None:
    assert [] == kinds(ROOT)


def test_one_word_means_one_concept() -> None:
    assert [] == synonyms(ROOT)


def kinds(root: Path) -> list[str]:
    """List modules and packages whose name says nothing."""
    return [m.place for m in modules(root) if KINDS & set(re.split(r"[/_.]", m.place)[:-1])]


def synonyms(root: Path) -> list[str]:
    """List terms that are missing or unused, and names that the glossary refuses."""
    terms = _glossary(root / "docs" / "GLOSSARY.md")
    places = _names(modules(root))
    found = [f"{term}: not in the glossary" for term in sorted(OURS - terms.keys())]
    words = {word for name in places for word in name.split("_")} | places.keys()
    for term, never in terms.items():
        if term not in words:
            found.append(f"{term}: nowhere in the source")
        for word in never:
            found += [f"{place}: {word} is {term}" for place in sorted(places.get(word, ()))]
    return found


def _glossary(path: Path) -> dict[str, list[str]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line[:1] == "|"]
    cells = [[cell.strip().strip("*`") for cell in row] for row in rows[2:] if len(row) == 3]
    return {
        _snake(term): [
            _snake(word) for word in re.split(r", *", never.replace("`", "")) if word.strip(" -")
        ]
        for term, _, never in cells
    }


def _names(among: list[Module]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for module in among:
        names = {module.place.removesuffix(".py").split("/")[-1], *module.place.split("/")[:-1]}
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
        for name in names:
            found.setdefault(_snake(name), set()).add(module.place)
    return found


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[ -]+", "_", name).strip("_").lower()


@pytest.mark.parametrize(
    "place", ["utils.py", "gateway/helpers.py", "common/x.py", "turn_utils.py"]
)
def test_a_planted_kind_is_found(place: str, plant: Plant) -> None:
    assert [place] == kinds(plant(f"src/clawdbot/{place}", ""))


def test_planted_faults_of_wording_are_found(plant: Plant) -> None:
    rows = "".join(f"| {term} | it | - |\n" for term in sorted(OURS - {"turn", "lane"}))
    table = f"| term | meaning | never |\n| - | - | - |\n| turn | it | `Request`, job run |\n{rows}"
    plant("docs/GLOSSARY.md", table)
    used = " = ".join(sorted(OURS - {"taint"}))
    source = f"def f({used.replace(' =', ',')}, taints): ...\nclass JobRun:\n    request: int\n"
    root = plant("src/clawdbot/a.py", source)
    expected = ["lane: not in the glossary", "a.py: request is turn", "a.py: job_run is turn"]
    assert [*expected, "taint: nowhere in the source"] == synonyms(root)
