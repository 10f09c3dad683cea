"""The repository works anywhere: no package index, no path of one machine, and locks that hold."""

import re
import tempfile
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.conftest import Plant
from tests.architecture.tree import ROOT, files

LOCKS = ("requirements.lock", "requirements-dev.lock")
FORBIDDEN = {
    "an index": r"(?<!no-emit-)(?:index-url|find-links|trusted-host)[ =]+\S|https?://\S+/simple\b",
    "a path of one machine": r"(?<![\w.])/(?:home|Users)/(?!clawdbot\b|you\b|alice\b)\w+",
}


def test_no_file_names_an_index_or_a_machine() -> None:
    assert [] == addresses(ROOT, files(ROOT))


def test_there_is_no_second_kind_of_lock() -> None:
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_pins_everything_by_hash(name: str) -> None:
    assert [] == loose((ROOT / name).read_text())


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"]
    wanted = {LOCKS[0]: runtime, LOCKS[1]: runtime + project["dependency-groups"]["dev"]}
    assert [] == [f for name in LOCKS for f in unmet((ROOT / name).read_text(), wanted[name])]


def test_the_tools_use_what_users_run() -> None:
    users, tools = (pinned((ROOT / name).read_text()) for name in LOCKS)
    assert users.items() <= tools.items()


def test_ci_can_be_started() -> None:
    assert 0 != (ROOT / ".ci/run").stat().st_mode & 0o111
    assert 0 != (ROOT / "test.sh").stat().st_mode & 0o111


def addresses(root: Path, among: list[Path]) -> list[str]:
    """List lines that only make sense on one machine or with one index."""
    patterns = dict(FORBIDDEN)
    if root.parent not in {Path("/"), Path(tempfile.gettempdir())}:
        patterns["this checkout"] = rf"(?<![\w.]){re.escape(str(root.parent))}/"
    found = []
    for path in among:
        text = path.read_bytes().decode(errors="ignore")
        for what, pattern in patterns.items():
            for match in re.finditer(pattern, text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path.relative_to(root)}:{line}: {what}")
    return found


def loose(lock: str) -> list[str]:
    """List what a lock leaves open: a requirement without version or hash, an address."""
    blocks = re.split(r"(?m)^(?=[^\s#])", lock)[1:]
    found = [b.split()[0] for b in blocks if not re.match(r"\S+==\S+.*\\\n", b)]
    found += [b.split()[0] for b in blocks if "--hash=sha256:" not in b]
    return found + re.findall(r"\S*(?:://|-e |file:)\S*", lock)


def unmet(lock: str, wanted: list[str]) -> list[str]:
    """List requirements that a lock does not meet."""
    have = pinned(lock)
    return [line for line in wanted if not _meets(Requirement(line), have)]


def pinned(lock: str) -> dict[str, str]:
    """Read each package's version."""
    return dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", lock))


def _meets(requirement: Requirement, have: dict[str, str]) -> bool:
    version = have.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version)


@pytest.mark.parametrize(
    "line",
    [
        "pip install --extra-index" + "-url https://example.org x",
        "pip install --find" + "-links=/wheels x",
        "see https://pypi.example.org" + "/simple/",
        "cd /home" + "/bob/clawdbot",
        "open '/Users" + "/bob'",
    ],
)
def test_a_planted_address_is_found(line: str, plant: Plant) -> None:
    root = plant("docs/a.md", f"one\n{line}\n")
    assert ["docs/a.md:2"] == [f.rpartition(":")[0] for f in addresses(root, [root / "docs/a.md"])]


def test_the_place_of_the_checkout_is_found(plant: Plant) -> None:
    root = plant("a.md", "")
    plant("a.md", f"cd {root}\n")
    assert ["a.md:1: this checkout"] == addresses(root, [root / "a.md"])


@pytest.mark.parametrize("line", ["--no-emit-index" + "-url", "/home/clawdbot", "~/.clawdbot"])
def test_what_is_true_anywhere_passes(line: str, plant: Plant) -> None:
    root = plant("a.md", line)
    assert [] == addresses(root, [root / "a.md"])


@pytest.mark.parametrize(
    ("lock", "fault"),
    [
        ("a==1\n", "a==1"),
        ("a>=1 \\\n    --hash=sha256:0\n", "a>=1"),
        ("a==1 \\\n    --hash=sha256:0\nb @ file:///b \\\n  --hash=sha256:0\n", "file:///b"),
    ],
)
def test_a_loose_lock_is_found(lock: str, fault: str) -> None:
    assert fault in loose(f"# made by a tool\n{lock}")


def test_a_stale_lock_is_found() -> None:
    lock = "a-b==1.5 \\\n    --hash=sha256:0\n    # via c\n"
    assert [] == loose(lock)
    assert ["A_b>=2", "c"] == unmet(lock, ["a.b>=1", "A_b>=2", "c"])
